#include "subscriber.h"

#include <utility>

namespace eldergate::client
{

Subscriber::Subscriber(const std::shared_ptr<grpc::ChannelInterface> &channel, std::string purpose,
                       Store &store, const Patience &patience, v1::FeedFilter filter)
    : stub_(v1::FeedService::NewStub(channel)), purpose_(std::move(purpose)), filter_(std::move(filter)),
      store_(store), retry_(patience)
{
}

void Subscriber::stop()
{
	retry_.stop();
}

int Subscriber::breaks() const
{
	return retry_.breaks();
}

grpc::Status Subscriber::run(const Until &until)
{
	return retry_.run([&](grpc::ClientContext &context) { return stream(context, until); });
}

// One call of Subscribe, until it breaks or is enough.
grpc::Status Subscriber::stream(grpc::ClientContext &context, const Until &until)
{
	v1::SubscribeRequest request;
	request.set_purpose(purpose_);
	*request.mutable_filter() = filter_;
	if (std::optional<v1::Cursor> cursor = store_.cursor())
		*request.mutable_start()->mutable_cursor() = *cursor;
	else
		request.mutable_start()->mutable_snapshot();
	auto call = stub_->Subscribe(&context, request);
	v1::SubscribeResponse answer;
	while (call->Read(&answer)) {
		retry_.progress();
		for (const v1::FeedItem &item : answer.items())
			apply(item);
		if (answer.has_next())
			store_.save(answer.next());
		if (until && until(answer)) {
			context.TryCancel();
			call->Finish();
			return grpc::Status::OK;
		}
	}
	grpc::Status status = call->Finish();
	// The gateway ends no feed by itself.
	return status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the feed ended") : status;
}

void Subscriber::apply_whole(const v1::PersonState &p)
{
	store_.replace(p.person_ref(), p.person_version(), p.life_status(), p.fields(), p.merged_into());
}

void Subscriber::apply(const v1::FeedItem &item)
{
	if (item.has_entered()) { // who came into the filter, in the change's place
		apply_whole(item.entered());
		return;
	}
	switch (item.item_case()) {
	case v1::FeedItem::kSnapshot:
		apply_whole(item.snapshot());
		break;
	case v1::FeedItem::kChange: {
		const v1::ChangeEvent &c = item.change();
		if (c.kind() == v1::CHANGE_KIND_LEFT_SCOPE)
			store_.forget(c.person_ref(), c.person_version());
		else
			store_.put(c.person_ref(), c.person_version(), c.life_status_after(), c.fields(),
			           c.merged_into());
		break;
	}
	case v1::FeedItem::kLogChanged:
		store_.forget_all();
		break;
	default: // how far it is, or what a later gateway tells: nothing to store
		break;
	}
}

} // namespace eldergate::client
