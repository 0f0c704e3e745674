package eldergate.client;

import com.google.rpc.RetryInfo;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;

/**
 * How often a broken call is tried again.
 *
 * @param attempts failures in a row before it gives up
 * @param pause how long it waits after the first failure; after the second twice as long, after the third thrice
 */
public record Patience(int attempts, Duration pause) {
	/** What suits a gateway that is restarted. */
	public static final Patience USUAL = new Patience(10, Duration.ofMillis(200));

	/** Returns when it is time to try again; throws the failure when that would not help. */
	void after(StatusException failure, int failures) throws StatusException, InterruptedException {
		if (!retryable(failure) || failures >= attempts) {
			throw failure;
		}
		Thread.sleep(pause.toMillis() * failures); // the gateway is away: nothing announces its return
	}

	/**
	 * The gateway says so by a RetryInfo among its details (proto/README.md, Errors). What has no details is not its answer: these
	 * codes are then of a stream that was torn.
	 */
	private static boolean retryable(StatusException failure) {
		var details = StatusProto.fromThrowable(failure).getDetailsList();
		return details.stream().anyMatch(detail -> detail.is(RetryInfo.class)) || switch (failure.getStatus().getCode()) {
			case UNAVAILABLE -> true;
			case INTERNAL, CANCELLED, UNKNOWN -> details.isEmpty();
			default -> false;
		};
	}
}
