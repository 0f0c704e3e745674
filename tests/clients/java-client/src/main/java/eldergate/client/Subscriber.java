package eldergate.client;

import eldergate.v1.Event.ChangeKind;
import eldergate.v1.Feed.FeedFilter;
import eldergate.v1.Feed.FeedItem;
import eldergate.v1.Feed.FeedStart;
import eldergate.v1.Feed.SnapshotStart;
import eldergate.v1.Feed.SubscribeRequest;
import eldergate.v1.Feed.SubscribeResponse;
import eldergate.v1.FeedServiceGrpc;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.function.Predicate;

/** Upserts on (person, version) into its store, and goes on from the store's cursor after a break. One thread at a time. */
public final class Subscriber {
	private final Channel channel;
	private final String purpose;
	private final Store store;
	private final Patience patience;
	private final FeedFilter filter;
	private int breaks;
	private int failures;

	/** With the usual patience. */
	public Subscriber(Channel channel, String purpose, Store store) {
		this(channel, purpose, store, Patience.USUAL);
	}

	/** Of everybody. */
	public Subscriber(Channel channel, String purpose, Store store, Patience patience) {
		this(channel, purpose, store, patience, FeedFilter.getDefaultInstance());
	}

	/** purpose: one of the subscriber's grant; filter: whom to follow, always the same for one store. */
	public Subscriber(Channel channel, String purpose, Store store, Patience patience, FeedFilter filter) {
		this.channel = channel;
		this.purpose = purpose;
		this.store = store;
		this.patience = patience;
		this.filter = filter;
	}

	/** How often the stream broke. */
	public int breaks() {
		return breaks;
	}

	/**
	 * Follows the feed until the thread is interrupted, or until says so of a response.
	 *
	 * @throws StatusException trying again did not help, or would not
	 */
	public void run(Predicate<SubscribeResponse> until) throws StatusException, InterruptedException {
		failures = 0;
		for (;;) {
			try {
				stream(until);
				return;
			} catch (StatusException failure) {
				breaks++;
				patience.after(failure, ++failures);
			}
		}
	}

	/** One call of Subscribe, until it breaks or is to end. */
	private void stream(Predicate<SubscribeResponse> until) throws StatusException {
		Context.CancellableContext context = Context.current().withCancellation();
		Context outer = context.attach();
		try {
			var responses = FeedServiceGrpc.newBlockingStub(channel).subscribe(request());
			while (more(responses)) {
				SubscribeResponse response = responses.next();
				failures = 0;
				response.getItemsList().forEach(this::apply);
				if (response.hasNext()) {
					store.save(response.getNext());
				}
				if (until.test(response)) {
					return;
				}
			}
			throw Status.UNAVAILABLE.withDescription("the gateway ended the feed").asException(); // feeds have no end of their own
		} finally {
			context.detach(outer);
			context.cancel(null);
		}
	}

	private SubscribeRequest request() {
		var start = FeedStart.newBuilder();
		if (store.cursor() == null) {
			start.setSnapshot(SnapshotStart.getDefaultInstance());
		} else {
			start.setCursor(store.cursor());
		}
		return SubscribeRequest.newBuilder().setStart(start).setFilter(filter).setPurpose(purpose).build();
	}

	/** Waits for a response. A failure here is the call's; one of the store is the caller's, and goes through. */
	private static boolean more(Iterator<SubscribeResponse> responses) throws StatusException {
		try {
			return responses.hasNext();
		} catch (StatusRuntimeException failure) {
			throw failure.getStatus().asException(failure.getTrailers());
		}
	}

	private void apply(FeedItem item) {
		if (item.hasSnapshot() || item.hasEntered()) { // who came into the filter comes whole, in the change's place
			var p = item.hasSnapshot() ? item.getSnapshot() : item.getEntered();
			store.replace(p.getPersonRef(), p.getPersonVersion(), p.getLifeStatus(), p.getFieldsList(), p.getMergedInto());
		} else if (item.hasChange()) {
			var c = item.getChange();
			if (c.getKind() == ChangeKind.CHANGE_KIND_LEFT_SCOPE) {
				store.forget(c.getPersonRef(), c.getPersonVersion());
			} else {
				store.put(c.getPersonRef(), c.getPersonVersion(), c.getLifeStatusAfter(), c.getFieldsList(), c.getMergedInto());
			}
		} else if (item.hasLogChanged()) {
			store.forgetAll();
		}
	}
}
