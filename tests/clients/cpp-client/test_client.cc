// test_client: the example client against real gateways.
#include <algorithm>
#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include <grpcpp/server_builder.h>

#include "auditor.h"
#include "channel.h"
#include "gateway.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "memory_store.h"
#include "people.h"
#include "submitter.h"
#include "subscriber.h"

namespace
{

using namespace eldergate::client;
namespace v1 = eldergate::v1;

// Ends the test that it fails in.
void require(bool good, const std::string &what)
{
	if (!good)
		throw std::runtime_error(what);
}

void require_ok(const grpc::Status &status, const std::string &what)
{
	require(status.ok(),
	        what + ": " + std::to_string(status.error_code()) + " " + status.error_message());
}

// So that a broken run ends.
Patience patience(int attempts = 10)
{
	Patience p;
	p.attempts = attempts;
	p.deadline = std::chrono::system_clock::now() + std::chrono::seconds(60);
	return p;
}

using Outcomes = std::map<v1::Outcome, int>;

// How many records had each outcome.
Outcomes submit(const std::shared_ptr<grpc::Channel> &channel, int first, int n, int size)
{
	Outcomes outcomes;
	Submitter submitter(channel, "registration", patience());
	require_ok(submitter.run(batches(first, n, size),
	                         [&](const v1::Receipt &receipt) {
		                         for (const v1::RecordResult &one : receipt.results())
			                         outcomes[one.outcome()]++;
	                         }),
	           "submitting");
	return outcomes;
}

bool live(const v1::SubscribeResponse &answer)
{
	return std::any_of(answer.items().begin(), answer.items().end(),
	                   [](const v1::FeedItem &item) { return item.progress().live(); });
}

void follow(const std::shared_ptr<grpc::Channel> &channel, MemoryStore &store)
{
	require_ok(Subscriber(channel, "test", store, patience()).run(live), "following");
}

void submit_resumes_after_a_kill()
{
	constexpr int n = 60, size = 30;
	Gateway gateway;
	auto channel = connect(gateway.target());
	Submitter submitter(channel, "registration", patience(50));
	std::map<std::string, int> receipts;
	int records = 0;
	std::future<void> restarted;
	require_ok(submitter.run(batches(0, n, size),
	                         [&](const v1::Receipt &receipt) {
		                         require(!receipt.has_status(), "a batch was refused");
		                         receipts[receipt.batch_id()]++;
		                         records += receipt.results_size();
		                         if (receipts.size() == 20) {
			                         gateway.kill();
			                         restarted = std::async(std::launch::async,
			                                                [&] { gateway.start(); });
		                         }
	                         }),
	           "submitting");
	restarted.get();
	require(submitter.breaks() > 0, "the stream did not break");
	require(receipts.size() == n && records == n * size, "not every batch has its receipt");
	for (const auto &[id, times] : receipts)
		require(times == 1, "batch " + id + " has " + std::to_string(times) + " receipts");
	require(submit(channel, 0, n, size) == Outcomes{{v1::OUTCOME_UNCHANGED, n * size}},
	        "sent again, a record is not unchanged");
}

void a_mistake_is_not_repeated()
{
	Gateway gateway;
	auto channel = connect(gateway.target());
	int refused = 0;
	require_ok(Submitter(channel, "none", patience())
	                   .run(batches(0, 1, 1),
	                        [&](const v1::Receipt &receipt) { refused += receipt.has_status(); }),
	           "submitting");
	require(refused == 1, "a batch of an unknown dataset is not refused by its receipt");
	MemoryStore store;
	Subscriber subscriber(channel, "none", store, patience());
	grpc::Status status = subscriber.run(live);
	require(status.error_code() == grpc::StatusCode::PERMISSION_DENIED && subscriber.breaks() == 1,
	        "a purpose that is not granted does not end it at once");
}

// What the caller throws at a receipt arrives, and what has no receipt then is sent by the next run.
void an_exception_loses_nothing()
{
	constexpr int n = 20, size = 5;
	Gateway gateway;
	Submitter submitter(connect(gateway.target()), "registration", patience());
	auto next = batches(0, n, size);
	bool thrown = false;
	try {
		submitter.run(next,
		              [](const v1::Receipt &) { throw std::domain_error("no room for a receipt"); });
	} catch (const std::domain_error &) {
		thrown = true;
	}
	require(thrown, "the caller's exception is lost");
	std::map<std::string, int> receipts;
	require_ok(submitter.run(next, [&](const v1::Receipt &receipt) { receipts[receipt.batch_id()]++; }),
	           "going on");
	require(receipts.size() == n, "only " + std::to_string(receipts.size()) + " batches have a receipt");
}

// How often a call is made that fails so: with these details, if the gateway has told any.
int tries(grpc::StatusCode code, const std::vector<const google::protobuf::Message *> &details)
{
	google::rpc::Status told;
	for (const auto *detail : details)
		told.add_details()->PackFrom(*detail);
	Patience limit = patience(3);
	limit.wait = std::chrono::milliseconds(0);
	Retry retry(limit);
	retry.run([&](grpc::ClientContext &) {
		return grpc::Status(code, "", details.empty() ? "" : told.SerializeAsString());
	});
	return retry.breaks();
}

void the_gateway_says_what_is_worth_a_retry()
{
	using grpc::StatusCode;
	google::rpc::ErrorInfo reason;
	google::rpc::RetryInfo later;
	for (StatusCode code : {StatusCode::UNAVAILABLE, StatusCode::ABORTED, StatusCode::RESOURCE_EXHAUSTED,
	                        StatusCode::DEADLINE_EXCEEDED})
		require(tries(code, {&reason, &later}) == 3, "a RetryInfo is not heeded");
	for (StatusCode code : {StatusCode::INTERNAL, StatusCode::UNKNOWN, StatusCode::CANCELLED}) {
		require(tries(code, {}) == 3, "a torn stream is the end");
		require(tries(code, {&reason}) == 1, "what the gateway calls lasting is tried again");
	}
	require(tries(StatusCode::UNAVAILABLE, {}) == 3, "an absent gateway is the end");
	for (StatusCode code : {StatusCode::RESOURCE_EXHAUSTED, StatusCode::DEADLINE_EXCEEDED})
		require(tries(code, {}) == 1, "a limit is tried again");
}

// Ends each stream well, after one batch, whatever its sender has still to say.
class Hasty final : public v1::ExchangeService::Service
{
      public:
	grpc::Status Submit(grpc::ServerContext *,
	                    grpc::ServerReaderWriter<v1::SubmitResponse, v1::SubmitRequest> *stream) override
	{
		v1::SubmitRequest request;
		v1::SubmitResponse answer;
		if (stream->Read(&request)) {
			answer.mutable_receipt()->set_batch_id(request.batch_id());
			stream->Write(answer);
		}
		return grpc::Status::OK;
	}
};

void an_early_end_is_no_success()
{
	constexpr std::size_t n = 100; // each time the sender may be about to send, or not
	Hasty hasty;
	auto server = grpc::ServerBuilder().RegisterService(&hasty).BuildAndStart();
	Patience limit = patience();
	limit.wait = std::chrono::milliseconds(0);
	Submitter submitter(server->InProcessChannel({}), "registration", limit, 1);
	std::map<std::string, int> receipts;
	require_ok(submitter.run(batches(0, n, 1),
	                         [&](const v1::Receipt &receipt) { receipts[receipt.batch_id()]++; }),
	           "submitting");
	require(receipts.size() == n, "only " + std::to_string(receipts.size()) + " batches have a receipt");
}

void a_hanging_gateway_is_noticed()
{
	constexpr std::chrono::seconds quick{1};
	Gateway gateway;
	MemoryStore store;
	Subscriber subscriber(connect(gateway.target(), Keepalive{quick, quick}), "test", store, patience(1));
	grpc::Status status = subscriber.run([&](const v1::SubscribeResponse &) {
		gateway.halt();
		return false;
	});
	require(status.error_code() == grpc::StatusCode::UNAVAILABLE,
	        "a dead connection ends with " + std::to_string(status.error_code()) + " " +
	                status.error_message());
}

void subscriber_converges()
{
	constexpr std::size_t size = 25;
	Gateway gateway;
	auto channel = connect(gateway.target());
	submit(channel, 0, 10, size);
	MemoryStore store;
	follow(channel, store);
	require(store.reached && store.people.size() == 10 * size, "the snapshot is not whole");
	submit(channel, 10 * size, 10, size);
	Subscriber subscriber(channel, "test", store, patience(50));
	std::future<void> restarted;
	require_ok(subscriber.run([&](const v1::SubscribeResponse &answer) {
		if (!restarted.valid()) {
			gateway.kill();
			restarted = std::async(std::launch::async, [&] { gateway.start(); });
		}
		return subscriber.breaks() > 0 && live(answer);
	}),
	           "resuming");
	restarted.get();
	MemoryStore fresh;
	follow(channel, fresh);
	require(fresh.people.size() == 20 * size && store.people == fresh.people,
	        std::to_string(store.people.size()) + " people by resuming, " +
	                std::to_string(fresh.people.size()) + " from a snapshot, or not the same");
	require(store.people.count("") == 0 && store.applied == 20 * size && store.repeated == 0,
	        "a version was applied twice");
}

// Windows that come again change nothing: a store that lost its cursor starts from a snapshot.
void repeating_does_no_harm()
{
	constexpr std::size_t size = 20;
	Gateway gateway;
	auto channel = connect(gateway.target());
	submit(channel, 0, 5, size);
	MemoryStore store;
	follow(channel, store);
	auto people = store.people;
	store.reached.reset();
	follow(channel, store);
	require(store.applied == 5 * size && store.repeated == 5 * size && store.people == people,
	        "the second snapshot changed something, or did not come");
}

// A store that lost its cursor may hold what was withdrawn meanwhile: no change tells it any more.
void a_snapshot_is_whole()
{
	Gateway gateway;
	auto channel = connect(gateway.target());
	submit(channel, 0, 1, 5);
	MemoryStore fresh, store;
	follow(channel, fresh);
	store.people = fresh.people;
	for (auto &[person, known] : store.people) {
		known.version--;
		known.fields["registration.withdrawn"].set_text("meanwhile");
	}
	follow(channel, store);
	require(store.people == fresh.people, "what is not in the snapshot stays");
}

void who_leaves_is_forgotten_and_comes_back_whole()
{
	Gateway gateway;
	auto channel = connect(gateway.target());
	submit(channel, 0, 1, 2);
	v1::FeedFilter filter;
	filter.add_region_prefixes("3303");
	MemoryStore store;
	require_ok(Subscriber(channel, "test", store, patience(), filter).run(live), "following");
	require(store.people.size() == 2, "the snapshot is not whole");
	auto moves = [&](std::int64_t version, const std::string &region) {
		v1::Record moved = registration(0);
		moved.set_version(version);
		moved.mutable_registration()->set_address_region(region);
		auto next = [once = std::optional<Batch>(Batch{"to " + region, {moved}})]() mutable {
			return std::exchange(once, std::nullopt);
		};
		require_ok(
		        Submitter(channel, "registration", patience()).run(next, [](const v1::Receipt &) {}),
		        "moving");
		require_ok(Subscriber(channel, "test", store, patience(), filter).run(live), "following");
	};
	moves(2, "530102");
	require(store.people.size() == 1, "who moved away is still known");
	MemoryStore later = store;
	for (const auto &[person, known] : store.people)
		later.forget(person, known.version);
	require(later.people == store.people, "who came back is forgotten by what was before");
	moves(3, "330304");
	MemoryStore fresh;
	require_ok(Subscriber(channel, "test", fresh, patience(), filter).run(live), "following");
	require(fresh.people.size() == 2 && store.people == fresh.people,
	        "who came back is not as in a snapshot");
}

// After a restored backup versions come again, which would not be newer than those of the log that is gone.
void another_log_starts_over()
{
	Gateway gateway;
	auto channel = connect(gateway.target());
	submit(channel, 0, 2, 10);
	MemoryStore fresh, store;
	follow(channel, fresh);
	store.people = fresh.people;
	for (auto &[person, known] : store.people) {
		known.version = 1000;
		known.fields.clear();
	}
	store.people["somebody of the log that is gone"].version = 1;
	store.reached = fresh.reached;
	std::string id = store.reached->log_id();
	std::reverse(id.begin(), id.end());
	require(id != store.reached->log_id(), "the other log has the same id");
	store.reached->set_log_id(id);
	follow(channel, store);
	require(store.people == fresh.people, "the copy is not that of the log that is there");
	require(store.reached->log_id() == fresh.reached->log_id(), "the cursor is of another log");
}

void the_network_wants_a_certificate()
{
	constexpr std::size_t size = 20;
	Gateway gateway;
	Tls tls = gateway.tls();
	auto channel = connect(gateway.address(), tls);
	submit(channel, 0, 5, size);
	MemoryStore store;
	follow(channel, store);
	require(store.people.size() == 5 * size, "the snapshot is not whole");
	for (const std::string target : {"127.0.0.1:1", "localhost:1", "dns:///localhost:1"}) {
		try {
			connect(target);
		} catch (const std::invalid_argument &) {
			continue;
		}
		throw std::runtime_error(target + " is reached without TLS");
	}
	MemoryStore nothing;
	for (const Tls &wrong :
	     {Tls{tls.authority, "", ""}, Tls{Gateway().tls().authority, tls.certificate, tls.key}}) {
		Subscriber stranger(connect(gateway.address(), wrong), "test", nothing, patience(1));
		grpc::Status status = stranger.run(live);
		require(status.error_code() == grpc::StatusCode::UNAVAILABLE && nothing.people.empty(),
		        "a stranger is let in, or lets a strange gateway in: " + status.error_message());
		follow(channel, store); // the gateway is there: it was the certificate
	}
}

void stop_ends_a_feed()
{
	Gateway gateway;
	auto channel = connect(gateway.target());
	MemoryStore store;
	Subscriber subscriber(channel, "test", store, patience());
	std::promise<void> heard;
	bool first = true;
	auto status = std::async(std::launch::async, [&] {
		return subscriber.run([&](const v1::SubscribeResponse &) {
			if (first)
				heard.set_value();
			first = false;
			return false;
		});
	});
	bool began = heard.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
	subscriber.stop();
	require(began, "nothing came");
	require(status.get().error_code() == grpc::StatusCode::CANCELLED, "it was not stopped");
	require(subscriber.run().error_code() == grpc::StatusCode::CANCELLED, "it began again");
}

bool proves(const std::string &file, std::uint64_t seq, const Verifier &verifier)
{
	try {
		return check_inclusion(file, verifier).seq == seq;
	} catch (const NotProven &) {
		return false;
	}
}

void a_proof_holds_and_a_forged_one_does_not()
{
	Gateway gateway;
	auto channel = connect(gateway.target());
	std::uint64_t seq = 0;
	require_ok(Submitter(channel, "registration", patience())
	                   .run(batches(0, 41, 1), [&](const v1::Receipt &r) { seq = r.results(0).seq(); }),
	           "submitting");
	require(seq != 0, "the record has no entry");
	std::string vkey = gateway.vkey();
	Auditor auditor(channel, vkey);
	std::string file;
	Inclusion proven;
	grpc::Status status;
	Patience limit = patience();
	for (;;) { // the gateway comes back, and the entry is in the next checkpoint
		status = auditor.prove(seq, &file, &proven);
		if ((status.error_code() != grpc::StatusCode::FAILED_PRECONDITION &&
		     status.error_code() != grpc::StatusCode::UNAVAILABLE) ||
		    std::chrono::system_clock::now() > limit.deadline)
			break;
		std::this_thread::sleep_for(std::chrono::milliseconds(5));
	}
	require_ok(status, "the proof");
	require(proven.seq == seq && proven.checkpoint.size >= seq, "a proof of something else");
	Verifier verifier = parse_verifier(vkey);
	require(proves(file, seq, verifier), "the file does not stand by itself");
	for (std::size_t at = 0; at < file.size(); at++) {
		std::string forged = file;
		forged[at] ^= 1;
		require(!proves(forged, seq, verifier),
		        "byte " + std::to_string(at) + " of the proof may be another");
		require(!proves(file.substr(0, at), seq, verifier),
		        "a part of it is a proof: " + std::to_string(at));
	}
	// Each place in the tree has a path of its own shape.
	for (std::uint64_t entry = 1; entry <= seq; entry++) {
		std::string its;
		require_ok(auditor.prove(entry, &its, &proven),
		           "the proof of entry " + std::to_string(entry));
	}
	Gateway other;
	require(!proves(file, seq, parse_verifier(other.vkey())), "the proof holds with another log's key");
	status = auditor.prove(std::uint64_t{1} << 40, &file, &proven);
	require(status.error_code() == grpc::StatusCode::NOT_FOUND,
	        "there is a proof of an entry that is not there");
}

struct Test {
	const char *name;
	void (*body)();
};

const Test tests[] = {
        {"submit_resumes_after_a_kill", submit_resumes_after_a_kill},
        {"a_mistake_is_not_repeated", a_mistake_is_not_repeated},
        {"an_exception_loses_nothing", an_exception_loses_nothing},
        {"the_gateway_says_what_is_worth_a_retry", the_gateway_says_what_is_worth_a_retry},
        {"an_early_end_is_no_success", an_early_end_is_no_success},
        {"a_hanging_gateway_is_noticed", a_hanging_gateway_is_noticed},
        {"subscriber_converges", subscriber_converges},
        {"repeating_does_no_harm", repeating_does_no_harm},
        {"a_snapshot_is_whole", a_snapshot_is_whole},
        {"who_leaves_is_forgotten_and_comes_back_whole", who_leaves_is_forgotten_and_comes_back_whole},
        {"another_log_starts_over", another_log_starts_over},
        {"the_network_wants_a_certificate", the_network_wants_a_certificate},
        {"stop_ends_a_feed", stop_ends_a_feed},
        {"a_proof_holds_and_a_forged_one_does_not", a_proof_holds_and_a_forged_one_does_not},
};

} // namespace

int main()
{
	int passed = 0, failed = 0;
	for (const Test &test : tests) {
		try {
			test.body();
			passed++;
		} catch (const std::exception &why) {
			failed++;
			std::cout << test.name << ": " << why.what() << std::endl;
		}
	}
	std::cout << "lane-result: " << passed << " passed, " << failed << " failed, 0 skipped" << std::endl;
	return failed != 0;
}
