#include "retry.h"

#include <algorithm>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace eldergate::client
{

namespace
{

// Is the same worth trying again? The gateway says so by a RetryInfo among its details (proto/README.md,
// Errors). What has no details is not its answer: these codes are then of a stream that was torn.
bool retryable(const grpc::Status &status)
{
	google::rpc::Status told;
	bool answered = told.ParseFromString(status.error_details()) && told.details_size() > 0;
	for (const auto &detail : told.details())
		if (detail.Is<google::rpc::RetryInfo>())
			return true;
	switch (status.error_code()) {
	case grpc::StatusCode::UNAVAILABLE:
		return true;
	case grpc::StatusCode::INTERNAL:
	case grpc::StatusCode::CANCELLED:
	case grpc::StatusCode::UNKNOWN:
		return !answered;
	default:
		return false;
	}
}

} // namespace

Retry::Retry(const Patience &patience) : patience_(patience)
{
}

grpc::Status Retry::run(const Call &call)
{
	// However a call ends, stop must not reach for its context any more.
	struct Visit {
		Retry &retry;
		~Visit()
		{
			retry.leave();
		}
	};
	failures_ = 0;
	for (;;) {
		grpc::ClientContext context;
		context.set_deadline(patience_.deadline);
		if (!enter(&context))
			return {grpc::StatusCode::CANCELLED, "stopped"};
		grpc::Status status;
		{
			Visit visit{*this};
			status = call(context);
		}
		if (status.ok())
			return status;
		failures_++;
		breaks_++;
		if (!retryable(status) || failures_ >= patience_.attempts || !pause())
			return status;
	}
}

bool Retry::enter(grpc::ClientContext *context)
{
	std::lock_guard<std::mutex> hold(lock_);
	if (!stopped_)
		current_ = context;
	return !stopped_;
}

void Retry::leave()
{
	std::lock_guard<std::mutex> hold(lock_);
	current_ = nullptr;
}

// The gateway is away, and nothing announces its return. False: stopped meanwhile.
bool Retry::pause()
{
	std::unique_lock<std::mutex> hold(lock_);
	// For a time, not until one: somebody may set the clock.
	auto rest = std::min<std::chrono::nanoseconds>(patience_.wait * failures_,
	                                               patience_.deadline - std::chrono::system_clock::now());
	return !told_.wait_for(hold, rest, [this] { return stopped_; });
}

void Retry::progress()
{
	failures_ = 0;
}

void Retry::stop()
{
	std::lock_guard<std::mutex> hold(lock_);
	stopped_ = true;
	if (current_)
		current_->TryCancel();
	told_.notify_all();
}

int Retry::breaks() const
{
	return breaks_;
}

} // namespace eldergate::client
