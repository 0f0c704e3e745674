// submitter: batches of one dataset, submitted until each has its receipt, however often the stream breaks.
//
// What was sent without a receipt is sent again: the gateway answers UNCHANGED for what it already has.
#ifndef ELDERGATE_CLIENT_SUBMITTER_H
#define ELDERGATE_CLIENT_SUBMITTER_H

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "eldergate/v1/exchange.grpc.pb.h"
#include "retry.h"

namespace eldergate::client
{

// Some records under the sender's own name.
struct Batch {
	std::string id;
	std::vector<v1::Record> records;
};

class Submitter
{
      public:
	// The next batch; none: there are no more, also when asked again. Called on a thread of its own,
	// where it must not throw.
	using Next = std::function<std::optional<Batch>()>;
	// A receipt with a status is of a batch that was refused as a whole: if its details have RetryInfo,
	// send it again later. Called on run's thread.
	using Taken = std::function<void(const v1::Receipt &)>;

	// in_flight: how many batches may wait for their receipts.
	Submitter(const std::shared_ptr<grpc::ChannelInterface> &channel, std::string dataset,
	          const Patience &patience = {}, std::size_t in_flight = 8);

	// Ends well when every batch has its receipt. What has none when it ends badly is sent first by the
	// next run.
	grpc::Status run(const Next &next, const Taken &taken);

	// From any thread: run ends with CANCELLED.
	void stop();

	int breaks() const;

      private:
	using Stream = grpc::ClientReaderWriter<v1::SubmitRequest, v1::SubmitResponse>;
	using Request = std::shared_ptr<const v1::SubmitRequest>;
	class Sender;

	grpc::Status stream(grpc::ClientContext &context, const Next &next, const Taken &taken);
	void send(Stream &call, const Next &next);
	bool room(std::unique_lock<std::mutex> &hold);
	Request due(const Next &next);
	std::deque<Request>::iterator sent(const std::string &id);
	bool waits(const std::string &id);
	void strike(const std::string &id);

	const std::unique_ptr<v1::ExchangeService::Stub> stub_;
	const std::string dataset_;
	const std::size_t in_flight_;
	Retry retry_;
	std::mutex lock_; // of what follows
	std::condition_variable moved_;
	std::deque<Request> waiting_; // without a receipt, in the order of their coming
	std::size_t sent_ = 0;        // the first of them, which are on this stream
	bool over_ = false;           // the stream has ended: nothing more is sent on it
	bool all_sent_ = false; // there are no more batches; the sender says so, and is asked when it is gone
};

} // namespace eldergate::client

#endif
