package eldergate.client;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import eldergate.v1.Elder.FieldValue;
import eldergate.v1.Exchange.Outcome;
import eldergate.v1.Exchange.Receipt;
import eldergate.v1.Exchange.RecordResult;
import eldergate.v1.Feed.FeedFilter;
import eldergate.v1.Feed.SubscribeResponse;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;

/** The example client against real gateways: resumes after kills, converges, upserts, begins anew, checks a proof. */
final class ClientTest {
	/** For a gateway that comes back as fast as a busy machine lets it. */
	private static final Patience LONG = new Patience(50, Duration.ofMillis(200));

	private interface Test {
		void with(Gateway gateway, ManagedChannel channel) throws Exception;
	}

	private ClientTest() {
	}

	public static void main(String[] arguments) {
		var tests = new LinkedHashMap<String, Test>();
		tests.put("submit resumes after a kill", ClientTest::submitResumesAfterAKill);
		tests.put("a mistake is not repeated", ClientTest::aMistakeIsNotRepeated);
		tests.put("the gateway says what is worth a retry", ClientTest::theGatewaySaysWhatIsWorthARetry);
		tests.put("an early end is no success", ClientTest::anEarlyEndIsNoSuccess);
		tests.put("a hanging gateway is noticed", ClientTest::aHangingGatewayIsNoticed);
		tests.put("what the caller's own code throws goes through", ClientTest::theCallersFailuresGoThrough);
		tests.put("only its own gateway is trusted", ClientTest::onlyItsOwnGatewayIsTrusted);
		tests.put("a subscriber converges", ClientTest::aSubscriberConverges);
		tests.put("a snapshot is whole", ClientTest::aSnapshotIsWhole);
		tests.put("who leaves is forgotten, and comes back whole", ClientTest::whoLeavesIsForgottenAndComesBackWhole);
		tests.put("another log is begun anew", ClientTest::anotherLogIsBegunAnew);
		tests.put("a proof", ClientTest::aProof);
		tests.put("a malformed checkpoint", ClientTest::aMalformedCheckpoint);
		int failed = 0;
		for (var test : tests.entrySet()) {
			try (var gateway = new Gateway()) {
				ManagedChannel channel = gateway.channel();
				try {
					test.getValue().with(gateway, channel);
				} finally {
					channel.shutdownNow().awaitTermination(Gateway.PATIENCE, TimeUnit.SECONDS);
				}
				System.out.println("PASS: " + test.getKey());
			} catch (Exception | AssertionError failure) {
				failed++;
				System.out.println("FAIL: " + test.getKey());
				failure.printStackTrace(System.out);
			}
		}
		System.out.println("lane-result: " + (tests.size() - failed) + " passed, " + failed + " failed, 0 skipped");
		System.exit(failed == 0 ? 0 : 1);
	}

	private static void check(boolean holds, String what) {
		if (!holds) {
			throw new AssertionError(what);
		}
	}

	/** Sends batches; how many records had each outcome. */
	private static Map<Outcome, Integer> submit(Channel channel, int first, int count, int size) throws Exception {
		var outcomes = new EnumMap<Outcome, Integer>(Outcome.class);
		new Submitter(channel, "registration").run(People.batches(first, count, size), receipt -> {
			for (RecordResult result : receipt.getResultsList()) {
				outcomes.merge(result.getOutcome(), 1, Integer::sum);
			}
		});
		return outcomes;
	}

	private static void submitResumesAfterAKill(Gateway gateway, ManagedChannel channel) throws Exception {
		int count = 60;
		int size = 30;
		var submitter = new Submitter(channel, "registration", 8, LONG);
		var receipts = new HashMap<String, Receipt>();
		var restarted = new ArrayList<CompletableFuture<Void>>();
		submitter.run(People.batches(0, count, size), receipt -> {
			check(!receipt.hasStatus(), "a batch was refused: " + receipt.getStatus());
			check(receipt.getResultsCount() == size, receipt.getResultsCount() + " results");
			check(receipts.put(receipt.getBatchId(), receipt) == null, "two receipts of " + receipt.getBatchId());
			if (receipts.size() == 20) {
				gateway.kill();
				restarted.add(gateway.startLater());
			}
		});
		restarted.get(0).join();
		check(submitter.breaks() > 0, "the stream never broke");
		check(receipts.size() == count, receipts.size() + " batches have a receipt");
		var again = submit(channel, 0, count, size);
		check(again.equals(Map.of(Outcome.OUTCOME_UNCHANGED, count * size)), "sent again, every record is unchanged: " + again);
	}

	private static void aMistakeIsNotRepeated(Gateway gateway, ManagedChannel channel) throws Exception {
		var refused = new ArrayList<Receipt>();
		new Submitter(channel, "none").run(People.batches(0, 1, 1), refused::add);
		check(refused.size() == 1 && refused.get(0).hasStatus(), "a batch of an unknown dataset is refused by its receipt: " + refused);
		var subscriber = new Subscriber(channel, "none", new MemoryStore());
		try {
			subscriber.run(response -> false);
		} catch (StatusException denied) {
			check(denied.getStatus().getCode() == Status.Code.PERMISSION_DENIED, denied.toString());
			check(subscriber.breaks() == 1, "tried " + subscriber.breaks() + " times");
			return;
		}
		throw new AssertionError("a purpose that is not granted ends it at once");
	}

	/** Is a call made again that failed so? details: what the gateway has told, if it was the gateway. */
	private static boolean retried(Status.Code code, Message... details) throws InterruptedException {
		var told = com.google.rpc.Status.newBuilder().setCode(code.value());
		for (Message detail : details) {
			told.addDetails(Any.pack(detail));
		}
		var failure = details.length == 0 ? code.toStatus().asException() : StatusProto.toStatusException(told.build());
		try {
			new Patience(2, Duration.ZERO).after(failure, 1);
			return true;
		} catch (StatusException thrown) {
			return false;
		}
	}

	private static void theGatewaySaysWhatIsWorthARetry(Gateway gateway, ManagedChannel channel) throws Exception {
		Message reason = ErrorInfo.getDefaultInstance();
		Message later = RetryInfo.getDefaultInstance();
		for (var code : List.of(Status.Code.UNAVAILABLE, Status.Code.ABORTED, Status.Code.RESOURCE_EXHAUSTED,
			Status.Code.DEADLINE_EXCEEDED)) {
			check(retried(code, reason, later), code + " with a RetryInfo");
		}
		for (var code : List.of(Status.Code.INTERNAL, Status.Code.UNKNOWN, Status.Code.CANCELLED)) {
			check(retried(code), code + " of a torn stream");
			check(!retried(code, reason), code + " of the gateway, without a RetryInfo");
		}
		check(retried(Status.Code.UNAVAILABLE), "a gateway that is away");
		for (var code : List.of(Status.Code.RESOURCE_EXHAUSTED, Status.Code.DEADLINE_EXCEEDED)) {
			check(!retried(code), code + " of one's own");
		}
	}

	private static void anEarlyEndIsNoSuccess(Gateway gateway, ManagedChannel channel) throws Exception {
		int count = 100; // each time the sender may be about to send, or not
		var receipts = new HashSet<String>();
		new Submitter(ClientInterceptors.intercept(channel, new Hasty()), "registration", 1, new Patience(10, Duration.ZERO))
			.run(People.batches(0, count, 1), receipt -> receipts.add(receipt.getBatchId()));
		check(receipts.size() == count, receipts.size() + " batches have a receipt");
	}

	private static void aHangingGatewayIsNoticed(Gateway gateway, ManagedChannel channel) throws Exception {
		ManagedChannel quick = gateway.channel(Duration.ofSeconds(10), Duration.ofSeconds(1));
		var clock = Executors.newSingleThreadScheduledExecutor();
		try (var limit = Context.current().withDeadlineAfter(Gateway.PATIENCE, TimeUnit.SECONDS, clock)) {
			limit.call(() -> {
				new Subscriber(quick, "test", new MemoryStore(), new Patience(1, Duration.ZERO)).run(response -> {
					gateway.halt();
					return false;
				});
				return null;
			});
		} catch (StatusException failure) {
			check(failure.getStatus().getCode() == Status.Code.UNAVAILABLE, failure.toString());
		} finally {
			quick.shutdownNow();
			clock.shutdownNow();
		}
		try {
			new Auditor(channel, VerifierKey.parse(new Signer("log").key()), Duration.ofSeconds(1)).prove(1);
			throw new AssertionError("a gateway that hangs has an answer");
		} catch (StatusRuntimeException failure) {
			check(failure.getStatus().getCode() == Status.Code.DEADLINE_EXCEEDED, failure.toString());
		}
	}

	/** Nor are they taken for a break: even one that looks so. */
	private static void theCallersFailuresGoThrough(Gateway gateway, ManagedChannel channel) throws Exception {
		var failure = new StatusRuntimeException(Status.UNAVAILABLE);
		var submitter = new Submitter(channel, "registration");
		var all = People.batches(0, 20, 1);
		try {
			submitter.run(all, receipt -> {
				throw failure;
			});
			throw new AssertionError("nothing was thrown");
		} catch (StatusRuntimeException thrown) {
			check(thrown == failure && submitter.breaks() == 0, "after " + submitter.breaks() + " breaks: " + thrown);
		}
		var receipts = new HashSet<String>();
		submitter.run(all, receipt -> receipts.add(receipt.getBatchId()));
		check(receipts.size() == 20, "then " + receipts.size() + " batches have a receipt");
		var batches = People.batches(0, 1, 1);
		try {
			new Submitter(channel, "registration").run(new Iterator<>() {
				@Override
				public boolean hasNext() {
					return true;
				}

				@Override
				public Submitter.Batch next() {
					if (!batches.hasNext()) {
						throw failure;
					}
					return batches.next();
				}
			}, receipt -> { });
			throw new AssertionError("nothing was thrown");
		} catch (IllegalStateException thrown) {
			check(thrown.getCause() == failure, thrown.toString());
		}
	}

	private static void onlyItsOwnGatewayIsTrusted(Gateway gateway, ManagedChannel channel) throws Exception {
		ManagedChannel strange = gateway.strange();
		try {
			new Submitter(strange, "registration", 8, new Patience(1, Duration.ZERO)).run(People.batches(0, 1, 1), receipt -> { });
			throw new AssertionError("somebody without a certificate is let in");
		} catch (StatusException failure) {
			check(failure.getStatus().getCode() == Status.Code.UNAVAILABLE, failure.toString());
		} finally {
			strange.shutdownNow();
		}
		submit(channel, 0, 1, 1); // the gateway is there: it was the certificate
		try (var other = new Gateway()) {
			ManagedChannel wrong = other.channel(gateway);
			try {
				new Submitter(wrong, "registration", 8, new Patience(1, Duration.ZERO)).run(People.batches(0, 1, 1), receipt -> { });
				throw new AssertionError("a gateway with another authority's certificate got a batch");
			} catch (StatusException failure) {
				check(failure.getStatus().getCode() == Status.Code.UNAVAILABLE, failure.toString());
				Throwable cause = failure.getStatus().getCause();
				while (cause != null && !(cause instanceof SSLException)) {
					cause = cause.getCause();
				}
				check(cause != null, "not for its certificate: " + failure.getStatus());
			} finally {
				wrong.shutdownNow();
			}
		}
	}

	private static boolean live(SubscribeResponse response) {
		return response.getItemsList().stream().anyMatch(item -> item.getProgress().getLive());
	}

	private static void aSubscriberConverges(Gateway gateway, ManagedChannel channel) throws Exception {
		int size = 25;
		submit(channel, 0, 10, size);
		var store = new MemoryStore();
		new Subscriber(channel, "test", store).run(ClientTest::live);
		check(store.cursor() != null && store.people().size() == 10 * size, store.people().size() + " people after the snapshot");
		submit(channel, 10 * size, 10, size);
		var subscriber = new Subscriber(channel, "test", store, LONG);
		var restarted = new ArrayList<CompletableFuture<Void>>();
		subscriber.run(response -> {
			if (restarted.isEmpty()) {
				gateway.kill();
				restarted.add(gateway.startLater());
			}
			return subscriber.breaks() > 0 && live(response);
		});
		restarted.get(0).join();
		var fresh = new MemoryStore();
		new Subscriber(channel, "test", fresh).run(ClientTest::live);
		check(fresh.people().size() == 20 * size, fresh.people().size() + " people in a snapshot");
		check(store.people().equals(fresh.people()), store.people().size() + " people by resuming are not those of a snapshot");
		check(store.applied() == 20 * size && store.repeated() == 0, store.applied() + " applied, " + store.repeated() + " repeated");
		check(!fresh.people().containsKey(""), "a person without a reference");
		var before = Map.copyOf(store.people());
		store.save(null); // the copy was kept and its cursor lost: the snapshot says what is known
		new Subscriber(channel, "test", store).run(ClientTest::live);
		check(store.people().equals(before) && store.applied() == 20 * size && store.repeated() >= 20 * size,
			store.applied() + " applied, " + store.repeated() + " repeated");
	}

	/** Who lost the cursor may hold what was withdrawn meanwhile: no change tells it any more. */
	private static void aSnapshotIsWhole(Gateway gateway, ManagedChannel channel) throws Exception {
		submit(channel, 0, 1, 5);
		var store = new MemoryStore();
		new Subscriber(channel, "test", store).run(ClientTest::live);
		var fresh = Map.copyOf(store.people());
		store.people().replaceAll((person, known) -> {
			var fields = new HashMap<>(known.fields());
			fields.put("registration.withdrawn", FieldValue.newBuilder().setText("meanwhile").build());
			return new MemoryStore.Person(known.version() - 1, known.life(), fields, known.mergedInto());
		});
		store.save(null);
		new Subscriber(channel, "test", store).run(ClientTest::live);
		check(store.people().equals(fresh), "what is not in the snapshot stays: " + store.people());
	}

	private static void whoLeavesIsForgottenAndComesBackWhole(Gateway gateway, ManagedChannel channel) throws Exception {
		submit(channel, 0, 1, 2);
		var store = new MemoryStore();
		var filter = FeedFilter.newBuilder().addRegionPrefixes("3303").build();
		var subscriber = new Subscriber(channel, "test", store, Patience.USUAL, filter);
		subscriber.run(ClientTest::live);
		check(store.people().size() == 2, store.people().size() + " people in the snapshot");
		new Submitter(channel, "registration").run(People.moved(2, "530102"), receipt -> { });
		subscriber.run(ClientTest::live);
		check(store.people().size() == 1, "who moved away is still known: " + store.people());
		var before = Map.copyOf(store.people());
		before.forEach((person, known) -> store.forget(person, known.version()));
		check(store.people().equals(before), "who came back is forgotten by what was before");
		new Submitter(channel, "registration").run(People.moved(3, "330304"), receipt -> { });
		subscriber.run(ClientTest::live);
		var fresh = new MemoryStore();
		new Subscriber(channel, "test", fresh, Patience.USUAL, filter).run(ClientTest::live);
		check(fresh.people().size() == 2 && store.people().equals(fresh.people()), "who came back is not as in a snapshot");
	}

	/** As after the restore of a backup: the cursor, and what is known, are of a log that is no more. */
	private static void anotherLogIsBegunAnew(Gateway gateway, ManagedChannel channel) throws Exception {
		submit(channel, 0, 2, 10);
		var store = new MemoryStore();
		new Subscriber(channel, "test", store).run(ClientTest::live);
		check(store.people().size() == 20, store.people().size() + " people in the snapshot");
		try (var other = new Gateway()) {
			ManagedChannel elsewhere = other.channel();
			try {
				submit(elsewhere, 20, 1, 10);
				new Subscriber(elsewhere, "test", store).run(ClientTest::live);
				var fresh = new MemoryStore();
				new Subscriber(elsewhere, "test", fresh).run(ClientTest::live);
				check(fresh.people().size() == 10, fresh.people().size() + " people in the other log");
				check(store.people().equals(fresh.people()), store.people().size() + " people are kept");
				check(store.cursor().getLogId().equals(fresh.cursor().getLogId()), "the cursor is of the old log");
			} finally {
				elsewhere.shutdownNow();
			}
		}
	}

	/** Waits until the entry is in a checkpoint. */
	private static Auditor.Proof proof(Auditor auditor, long seq) throws Exception {
		for (long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(Gateway.PATIENCE);;) {
			try {
				return auditor.prove(seq);
			} catch (StatusRuntimeException e) {
				if (e.getStatus().getCode() != Status.Code.FAILED_PRECONDITION || System.nanoTime() > until) {
					throw e;
				}
				Thread.sleep(5);
			}
		}
	}

	private static void refused(String file, VerifierKey key, String what) {
		try {
			Inclusion.check(file, key);
		} catch (GeneralSecurityException e) {
			return;
		}
		throw new AssertionError(what);
	}

	/** However well it is signed. */
	private static void aMalformedCheckpoint(Gateway gateway, ManagedChannel channel) throws Exception {
		var signer = new Signer("log");
		VerifierKey key = VerifierKey.parse(signer.key());
		String text = "log\n5\n" + Base64.getEncoder().encodeToString(new byte[32]) + "\n";
		for (String good : List.of(text, text + "of another\n")) {
			check(Checkpoint.open(signer.note(good), key).size() == 5, "a good one");
		}
		for (String bad : List.of(text + "\nof another\n", text + "\u001b[2K\n", text + "of\tanother\n", "\n" + text)) {
			try {
				Checkpoint.open(signer.note(bad), key);
			} catch (GeneralSecurityException e) {
				continue;
			}
			throw new AssertionError("a checkpoint may be " + bad);
		}
		for (String name : List.of("a log", "log\t", "log\u2003")) {
			try {
				VerifierKey.parse(new Signer(name).key());
			} catch (GeneralSecurityException e) {
				continue;
			}
			throw new AssertionError("a log may be named " + name);
		}
	}

	private static void aProof(Gateway gateway, ManagedChannel channel) throws Exception {
		var entries = new ArrayList<Long>();
		new Submitter(channel, "registration").run(People.batches(0, 8, 5), receipt ->
			receipt.getResultsList().forEach(result -> entries.add(result.getSeq())));
		VerifierKey key = gateway.key();
		var auditor = new Auditor(channel, key);
		for (long seq : entries) { // left and right, near the edge and far from it
			var proof = proof(auditor, seq);
			check(proof.inclusion().seq() == seq && proof.inclusion().checkpoint().size() >= seq, proof.toString());
		}
		long newest = proof(auditor, entries.get(0)).inclusion().checkpoint().size(); // at the tree's edge, where paths are short
		for (long seq : List.of(entries.get(0), newest)) {
			String file = proof(auditor, seq).file();
			for (long index = 0; index < 4L * entries.size(); index++) { // nor of any other, inside of the log or beyond it
				if (index != seq - 1) {
					refused(file.replace("\nindex " + (seq - 1) + "\n", "\nindex " + index + "\n"), key,
						"the proof of entry " + seq + " holds at index " + index);
				}
			}
		}
		long seq = entries.get(entries.size() / 2);
		String file = proof(auditor, seq).file();
		for (int at = 0; at < file.length(); at++) { // whatever is changed, it is no proof of this entry any more
			for (int bit = 1; bit < 128; bit *= 2) {
				var forged = new StringBuilder(file);
				forged.setCharAt(at, (char) (file.charAt(at) ^ bit));
				refused(forged.toString(), key, "character " + at + " of the proof may be another");
			}
			refused(file.substring(0, at), key, "the proof may end after " + at + " characters");
		}
		refused(file + "\n", key, "the proof may have a further line");
		try (var other = new Gateway()) {
			refused(file, other.key(), "the proof holds with another log's key");
		}
		try {
			new Auditor(ClientInterceptors.intercept(channel, new Liar()), key).prove(seq);
			throw new AssertionError("a proof of another entry is taken for this one's");
		} catch (GeneralSecurityException e) {
			check(e.getMessage().startsWith("the proof is about entry " + (seq - 1)), e.toString());
		}
		try {
			auditor.prove(1L << 40);
		} catch (StatusRuntimeException e) {
			check(e.getStatus().getCode() == Status.Code.NOT_FOUND, e.toString());
			return;
		}
		throw new AssertionError("there is a proof of an entry that is not there");
	}
}
