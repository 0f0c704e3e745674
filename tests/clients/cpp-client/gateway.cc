#include "gateway.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
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
	std::ofstream(place_ + "/eldergate.yaml").flush();
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
	        std::vector<std::string>{program("eldergated"), "--config", place_ + "/eldergate.yaml",
	                                 "--set", "data=" + data(), "--set", "listen.metrics=", "--set",
	                                 "feed.progress=200ms", "--set", "writer.checkpoint=20ms"},
	        STDERR_FILENO);
	auto told = std::make_shared<std::promise<bool>>();
	auto ready = told->get_future();
	listener_ = std::thread([output = daemon_.get(), told] {
		std::string line;
		bool seen = false;
		while (output->read_line(&line)) {
			if (!seen && line.find("\"daemon.ready\"") != line.npos) {
				seen = true;
				told->set_value(true);
			}
		}
		if (!seen)
			told->set_value(false);
	});
	if (!ready.get()) {
		kill();
		throw std::runtime_error("the daemon ended before it was ready");
	}
}

void Gateway::kill()
{
	if (daemon_)
		daemon_->kill();
	if (listener_.joinable())
		listener_.join();
	daemon_.reset();
}

std::string Gateway::data() const
{
	return place_ + "/data";
}

std::string Gateway::target() const
{
	return "unix:" + data() + "/eldergate.sock";
}

std::string Gateway::vkey()
{
	kill();
	std::string key;
	{
		Process command({program("eldergate"), "log", "key", "--data", data()}, STDOUT_FILENO);
		command.read_line(&key);
	}
	start();
	return key;
}

} // namespace eldergate::client
