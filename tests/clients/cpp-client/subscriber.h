// subscriber: a copy of what a platform may see, kept up by upserts on (person, version).
#ifndef ELDERGATE_CLIENT_SUBSCRIBER_H
#define ELDERGATE_CLIENT_SUBSCRIBER_H

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "eldergate/v1/feed.grpc.pb.h"
#include "retry.h"

namespace eldergate::client
{

// Where the copy is kept. One transaction for a window and its cursor makes it exact; repeating a window does
// no harm either way.
class Store
{
      public:
	using Fields = google::protobuf::RepeatedPtrField<v1::FieldEntry>;

	virtual ~Store() = default;
	// None: nothing was stored yet.
	virtual std::optional<v1::Cursor> cursor() const = 0;
	// A change of a person: fields with a value have it now, those without have none, others stay.
	// Here and below, a version that is not newer than what is known of the person changes nothing.
	virtual void put(const std::string &person, std::int64_t version, v1::LifeStatus life,
	                 const Fields &fields, const std::string &merged_into) = 0;
	// All there is of a person, from a snapshot: what else is known of the person holds no more.
	virtual void replace(const std::string &person, std::int64_t version, v1::LifeStatus life,
	                     const Fields &fields, const std::string &merged_into) = 0;
	// A person passes the filter no more.
	virtual void forget(const std::string &person, std::int64_t version) = 0;
	// The log is another one (it was restored from a backup): versions may come again, so all people are
	// forgotten. A snapshot follows.
	virtual void forget_all() = 0;
	// Everything up to here was told.
	virtual void save(const v1::Cursor &next) = 0;
};

class Subscriber
{
      public:
	using Until = std::function<bool(const v1::SubscribeResponse &)>;

	// store outlives it, and is called on run's thread only. filter: whom to follow, always the same
	// for one store.
	Subscriber(const std::shared_ptr<grpc::ChannelInterface> &channel, std::string purpose, Store &store,
	           const Patience &patience = {}, v1::FeedFilter filter = {});

	// Follows the feed from the store's cursor until `until` says so of a response, which ends it well;
	// without one, until stop.
	grpc::Status run(const Until &until = nullptr);

	// From any thread: run ends with CANCELLED.
	void stop();

	int breaks() const;

      private:
	grpc::Status stream(grpc::ClientContext &context, const Until &until);
	void apply(const v1::FeedItem &item);
	void apply_whole(const v1::PersonState &p);

	const std::unique_ptr<v1::FeedService::Stub> stub_;
	const std::string purpose_;
	const v1::FeedFilter filter_;
	Store &store_;
	Retry retry_;
};

} // namespace eldergate::client

#endif
