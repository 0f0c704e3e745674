#include "submitter.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace eldergate::client
{

// The thread that sends while run's own receives. It is gone before the next stream asks for batches, and
// before an exception of the caller's leaves run.
class Submitter::Sender
{
      public:
	Sender(Submitter &owner, grpc::ClientContext &context, Stream &call, const Next &next)
	    : owner_(owner), context_(context), thread_([&owner, &call, &next] { owner.send(call, next); })
	{
	}
	Sender(const Sender &) = delete;
	Sender &operator=(const Sender &) = delete;
	~Sender()
	{
		if (thread_.joinable()) {
			context_.TryCancel();
			join();
		}
	}

	void join()
	{
		{
			std::lock_guard<std::mutex> hold(owner_.lock_);
			owner_.over_ = true;
			owner_.moved_.notify_all();
		}
		thread_.join();
	}

      private:
	Submitter &owner_;
	grpc::ClientContext &context_;
	std::thread thread_;
};

Submitter::Submitter(const std::shared_ptr<grpc::ChannelInterface> &channel, std::string dataset,
                     const Patience &patience, std::size_t in_flight)
    : stub_(v1::ExchangeService::NewStub(channel)), dataset_(std::move(dataset)), in_flight_(in_flight),
      retry_(patience)
{
}

void Submitter::stop()
{
	retry_.stop();
}

int Submitter::breaks() const
{
	return retry_.breaks();
}

grpc::Status Submitter::run(const Next &next, const Taken &taken)
{
	return retry_.run([&](grpc::ClientContext &context) { return stream(context, next, taken); });
}

// One call of Submit, to its end or until it breaks.
grpc::Status Submitter::stream(grpc::ClientContext &context, const Next &next, const Taken &taken)
{
	sent_ = 0;
	over_ = all_sent_ = false;
	auto call = stub_->Submit(&context);
	Sender sender(*this, context, *call, next);
	v1::SubmitResponse answer;
	while (call->Read(&answer)) {
		retry_.progress();
		const v1::Receipt &receipt = answer.receipt();
		if (waits(receipt.batch_id())) {
			taken(receipt);
			strike(receipt.batch_id());
		}
	}
	sender.join();
	grpc::Status status = call->Finish();
	// Not the gateway has ended it then, but something on the way.
	if (status.ok() && !(all_sent_ && waiting_.empty()))
		return {grpc::StatusCode::UNAVAILABLE, "the stream ended before every receipt"};
	return status;
}

// Puts what has no receipt yet on the stream, then new batches, as fast as receipts come.
void Submitter::send(Stream &call, const Next &next)
{
	for (;;) {
		Request request = due(next);
		if (!request) {
			call.WritesDone();
			return;
		}
		if (!call.Write(*request))
			return; // Finish tells why
	}
}

// Waits until one more batch may be sent; false: none on this stream.
bool Submitter::room(std::unique_lock<std::mutex> &hold)
{
	moved_.wait(hold, [this] { return over_ || sent_ < in_flight_; });
	return !over_;
}

// The next to be sent, once there is room for it. A receipt may come while it is still being written, so it
// is shared.
Submitter::Request Submitter::due(const Next &next)
{
	std::unique_lock<std::mutex> hold(lock_);
	if (!room(hold))
		return nullptr;
	if (sent_ < waiting_.size())
		return waiting_[sent_++];
	hold.unlock();
	std::optional<Batch> batch = next();
	if (!batch) {
		all_sent_ = true;
		return nullptr;
	}
	auto request = std::make_shared<v1::SubmitRequest>();
	request->set_batch_id(batch->id);
	request->set_dataset(dataset_);
	for (v1::Record &record : batch->records)
		*request->add_records() = std::move(record);
	hold.lock();
	waiting_.push_back(request);
	sent_ = waiting_.size();
	return request;
}

// The batch of that name among those on this stream; `lock_` is held.
std::deque<Submitter::Request>::iterator Submitter::sent(const std::string &id)
{
	auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(sent_);
	auto found =
	        std::find_if(waiting_.begin(), end, [&](const Request &r) { return r->batch_id() == id; });
	return found == end ? waiting_.end() : found;
}

bool Submitter::waits(const std::string &id)
{
	std::lock_guard<std::mutex> hold(lock_);
	return sent(id) != waiting_.end();
}

void Submitter::strike(const std::string &id)
{
	std::lock_guard<std::mutex> hold(lock_);
	waiting_.erase(sent(id));
	sent_--;
	moved_.notify_all();
}

} // namespace eldergate::client
