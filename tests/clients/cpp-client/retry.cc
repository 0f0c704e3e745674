#include "retry.h"

#include <algorithm>

namespace eldergate::client
{

namespace
{

// Is the same worth trying again? The gateway answers other codes of a call that would fail again.
bool retryable(grpc::StatusCode code)
{
	switch (code) {
	case grpc::StatusCode::UNAVAILABLE:
	case grpc::StatusCode::ABORTED:
	case grpc::StatusCode::INTERNAL:
	case grpc::StatusCode::CANCELLED:
	case grpc::StatusCode::UNKNOWN:
		return true;
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
		if (!retryable(status.error_code()) || failures_ >= patience_.attempts || !pause())
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
	auto until =
	        std::min(std::chrono::system_clock::now() + patience_.wait * failures_, patience_.deadline);
	return !told_.wait_until(hold, until, [this] { return stopped_; });
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
