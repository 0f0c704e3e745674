package eldergate.client;

import eldergate.v1.Elder.Record;
import eldergate.v1.Exchange.Receipt;
import eldergate.v1.Exchange.SubmitRequest;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;

/**
 * Submits batches of one dataset until each has its receipt, however often the stream breaks.
 *
 * <p>What was sent without a receipt is sent again: the gateway answers UNCHANGED for what it already has. Not for several
 * threads at once.
 */
public final class Submitter {
	/** Some records under the sender's own name, which holds no personal data. */
	public record Batch(String id, List<Record> records) {
	}

	private final Channel channel;
	private final String dataset;
	private final int inFlight;
	private final Patience patience;
	private int breaks;
	/** Sent, or about to be, without a receipt, in the order of their coming. The thread that sends adds to it: by its lock. */
	private final List<SubmitRequest> waiting = new ArrayList<>();

	/** At most 8 batches are without a receipt at once, and the usual patience. */
	public Submitter(Channel channel, String dataset) {
		this(channel, dataset, 8, Patience.USUAL);
	}

	/** inFlight: how many batches may be without a receipt at once; so many are held in memory. */
	public Submitter(Channel channel, String dataset, int inFlight, Patience patience) {
		this.channel = channel;
		this.dataset = dataset;
		this.inFlight = inFlight;
		this.patience = patience;
	}

	/** How often the stream broke. */
	public int breaks() {
		return breaks;
	}

	/**
	 * Takes batches until there are no more, and gives each receipt to the caller. A receipt with a status is of a batch that
	 * was refused as a whole: if its details have RetryInfo, send it again later. What the caller's own code throws goes
	 * through, and the next run sends first what has no receipt then.
	 *
	 * @param batches asked by a thread of its own, so that receipts come while it waits for the next batch
	 * @param receipts called by the caller's thread
	 * @throws StatusException trying again did not help, or would not
	 */
	public void run(Iterator<Batch> batches, Consumer<Receipt> receipts) throws StatusException, InterruptedException {
		for (int failures = 0;;) {
			try (var stream = new SubmitStream(channel, inFlight, waiting(), () -> next(batches))) {
				for (Receipt receipt; (receipt = stream.next()) != null;) {
					failures = 0;
					if (waits(receipt.getBatchId())) {
						receipts.accept(receipt); // if it throws, the next run gets the receipt again
						strike(receipt.getBatchId());
					}
				}
				if (waiting().isEmpty()) {
					return;
				}
				throw Status.UNAVAILABLE.withDescription("the stream ended without every receipt").asException();
			} catch (StatusException failure) {
				breaks++;
				patience.after(failure, ++failures);
			}
		}
	}

	private List<SubmitRequest> waiting() {
		synchronized (waiting) {
			return List.copyOf(waiting);
		}
	}

	/** The next batch that was never sent; null if there are no more. */
	private SubmitRequest next(Iterator<Batch> batches) {
		if (!batches.hasNext()) {
			return null;
		}
		Batch batch = batches.next();
		var request = SubmitRequest.newBuilder().setBatchId(batch.id()).setDataset(dataset).addAllRecords(batch.records()).build();
		synchronized (waiting) {
			waiting.add(request);
		}
		return request;
	}

	/** Has the batch no receipt yet? */
	private boolean waits(String id) {
		return waiting().stream().anyMatch(request -> request.getBatchId().equals(id));
	}

	private void strike(String id) {
		synchronized (waiting) {
			waiting.removeIf(request -> request.getBatchId().equals(id));
		}
	}
}
