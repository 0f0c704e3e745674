// retry: a call that is made again after each break, until it succeeds, is a mistake, or its time is over.
#ifndef ELDERGATE_CLIENT_RETRY_H
#define ELDERGATE_CLIENT_RETRY_H

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

namespace eldergate::client
{

// How long a caller keeps trying.
struct Patience {
	int attempts = 10; // failures in a row before it gives up
	std::chrono::milliseconds wait{
	        200}; // after the first failure; twice as long after the second, and so on
	std::chrono::system_clock::time_point deadline =
	        std::chrono::system_clock::time_point::max(); // of it all
};

// Thread: run, progress and breaks belong to the one that runs it; stop may come from any.
class Retry
{
      public:
	using Call = std::function<grpc::Status(grpc::ClientContext &)>;

	explicit Retry(const Patience &patience);

	// The status of the last call. A call gets a context of its own, which ends with the deadline or by
	// stop.
	grpc::Status run(const Call &call);

	// A call says that something came of it: failures are counted from here.
	void progress();

	// Ends a run that is under way, or the next one, with CANCELLED; for good.
	void stop();

	// How often a call broke.
	int breaks() const;

      private:
	bool enter(grpc::ClientContext *context);
	void leave();
	bool pause();

	const Patience patience_;
	int failures_ = 0, breaks_ = 0;
	std::mutex lock_; // of what follows
	std::condition_variable told_;
	grpc::ClientContext *current_ = nullptr; // of the call under way
	bool stopped_ = false;
};

} // namespace eldergate::client

#endif
