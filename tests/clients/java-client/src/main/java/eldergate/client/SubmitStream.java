package eldergate.client;

import eldergate.v1.Exchange.Receipt;
import eldergate.v1.Exchange.SubmitRequest;
import eldergate.v1.Exchange.SubmitResponse;
import eldergate.v1.ExchangeServiceGrpc;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.StreamObserver;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * One call of Submit, to its end or until it breaks.
 *
 * <p>A thread of its own sends, as fast as receipts come: so no more is under way than the credit, and gRPC's own flow control
 * need not be asked.
 */
final class SubmitStream implements AutoCloseable, StreamObserver<SubmitResponse> {
	private static final Object END = new Object();

	private final BlockingQueue<Object> answers = new LinkedBlockingQueue<>(); // no more of them than credit, and the end
	private final Context.CancellableContext context = Context.current().withCancellation();
	private final Semaphore credit;
	private final Thread sender;
	private volatile boolean over;
	private volatile boolean allSent;

	/** again: what is sent first; fresh: asked for more until it returns null. */
	SubmitStream(Channel channel, int inFlight, List<SubmitRequest> again, Supplier<SubmitRequest> fresh) {
		credit = new Semaphore(inFlight);
		sender = new Thread(context.wrap(() -> send(channel, again.iterator(), fresh)), "submit");
		sender.setDaemon(true);
		sender.start();
	}

	private void send(Channel channel, Iterator<SubmitRequest> again, Supplier<SubmitRequest> fresh) {
		try {
			var requests = ExchangeServiceGrpc.newStub(channel).submit(this);
			for (;;) {
				credit.acquireUninterruptibly();
				if (over) {
					return;
				}
				SubmitRequest request = again.hasNext() ? again.next() : fresh.get();
				if (request == null) {
					allSent = true;
					requests.onCompleted();
					return;
				}
				requests.onNext(request); // if the call is over, it goes nowhere, and with the next stream again
			}
		} catch (RuntimeException | Error failure) {
			answers.add(failure);
		}
	}

	/** The next receipt; null: the call is over, and well. */
	Receipt next() throws StatusException, InterruptedException {
		Object answer = answers.take();
		if (answer instanceof Receipt receipt) {
			credit.release();
			return receipt;
		}
		if (answer instanceof StatusException failure) {
			throw failure;
		}
		if (answer instanceof Throwable failure) {
			throw new IllegalStateException("the next batch could not be had", failure);
		}
		if (!allSent) { // not the gateway has ended it, but something on the way
			throw Status.UNAVAILABLE.withDescription("the stream ended before all was sent").asException();
		}
		return null;
	}

	/** Returns when the sender is gone: only then may the next stream ask for batches. */
	@Override
	public void close() {
		over = true;
		context.cancel(null);
		credit.release();
		try {
			sender.join();
		} catch (InterruptedException e) {
			Thread.currentThread().interrupt();
		}
	}

	@Override
	public void onNext(SubmitResponse response) {
		answers.add(response.getReceipt());
	}

	@Override
	public void onError(Throwable failure) {
		answers.add(Status.fromThrowable(failure).asException(Status.trailersFromThrowable(failure)));
	}

	@Override
	public void onCompleted() {
		answers.add(END);
	}
}
