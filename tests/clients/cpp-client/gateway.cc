#include "gateway.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <stdexcept>

#include <unistd.h>

namespace eldergate::client
{

namespace
{

std::string program(const std::string &name)
{
	const char *folder = std::getenv("EG_BIN");
	return std::string(folder ? folder : ".") + "/" + name;
}

// A command of the gateway's own, run to its end: the first line that it prints.
std::string ask(std::vector<std::string> words)
{
	words.insert(words.begin(), program("eldergate"));
	Process command(words, STDOUT_FILENO);
	std::string first, more;
	command.read_line(&first);
	while (command.read_line(&more))
		continue;
	return first;
}

std::string content(const std::string &path)
{
	std::ifstream file(path);
	if (!file)
		throw std::runtime_error("there is no " + path);
	return {std::istreambuf_iterator<char>(file), {}};
}

// The number behind a name in a line of the daemon's log.
std::string number_in(const std::string &line, const std::string &name)
{
	auto at = line.find("\"" + name + "\":");
	if (at == line.npos)
		throw std::runtime_error("the daemon does not tell its " + name);
	at = line.find(':', at) + 1;
	return line.substr(at, line.find_first_not_of("0123456789", at) - at);
}

} // namespace

Gateway::Gateway()
{
	std::string place = (std::filesystem::temp_directory_path() / "eldergate-cpp-XXXXXX").string();
	if (!mkdtemp(place.data()))
		throw std::runtime_error("no temporary folder");
	place_ = place;
	std::filesystem::create_directory(place_ + "/identities.d");
	std::ofstream(place_ + "/identities.d/tester.yaml")
	        << "name: tester\n"
	        << "roles: [agency, subscriber, operator, auditor, admin]\n"
	        << "uid: " << getuid() << "\n"
	        << "submit:\n"
	        << "  - {dataset: registration, section: registration, rhythm: 1d}\n"
	        << "read:\n"
	        << "  - {purpose: test, legal_basis: \"generated people only\",\n"
	        << "     fields: [registration.name, registration.address_region]}\n";
	std::ofstream(place_ + "/eldergate.yaml") << "data: " << data() << "\n"
	                                          << "listen: {tls: \"127.0.0.1:0\", metrics: \"\"}\n"
	                                          << "tls:\n"
	                                          << "  certificate: " << data() << "/server/server.pem\n"
	                                          << "  key: " << data() << "/server/server.key\n"
	                                          << "  client_ca: " << data() << "/ca/ca.pem\n"
	                                          << "feed: {progress: 200ms}\n"
	                                          << "writer: {checkpoint: 20ms}\n";
	ask({"server", "certificate", "127.0.0.1", "--data", data()});
	ask({"agency", "add", "network", "--data", data(), "--config-dir", place_, "--role", "agency",
	     "--role", "subscriber", "--dataset", "registration:registration", "--read",
	     "test=registration.name", "--basis", "generated people only"});
	start();
}

Gateway::~Gateway()
{
	kill();
	std::error_code ignored;
	std::filesystem::remove_all(place_, ignored);
}

void Gateway::start()
{
	daemon_ = std::make_unique<Process>(
	        std::vector<std::string>{program("eldergated"), "--config", place_ + "/eldergate.yaml"},
	        STDERR_FILENO);
	auto told = std::make_shared<std::promise<std::string>>();
	auto ready = told->get_future();
	listener_ = std::thread([output = daemon_.get(), told] {
		std::string line;
		bool seen = false;
		while (output->read_line(&line)) {
			if (!seen && line.find("\"daemon.ready\"") != line.npos) {
				seen = true;
				told->set_value(line);
			}
		}
		if (!seen)
			told->set_value("");
	});
	std::string line = ready.get();
	if (line.empty()) {
		kill();
		throw std::runtime_error("the daemon ended before it was ready");
	}
	port_ = number_in(line, "tls_port");
}

void Gateway::kill()
{
	if (daemon_)
		daemon_->kill();
	if (listener_.joinable())
		listener_.join();
	daemon_.reset();
}

void Gateway::halt()
{
	daemon_->halt();
}

std::string Gateway::data() const
{
	return place_ + "/data";
}

std::string Gateway::target() const
{
	return "unix:" + data() + "/eldergate.sock";
}

std::string Gateway::address() const
{
	return "127.0.0.1:" + port_;
}

Tls Gateway::tls() const
{
	return {content(data() + "/ca/ca.pem"), content(data() + "/agencies/network.pem"),
	        content(data() + "/agencies/network.key")};
}

std::string Gateway::vkey()
{
	kill();
	std::string key = ask({"log", "key", "--data", data()});
	start();
	return key;
}

} // namespace eldergate::client
