package eldergate.client;

import eldergate.v1.Audit.GetInclusionProofRequest;
import eldergate.v1.AuditServiceGrpc;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Fetches proofs that entries are in the log, and checks them: nothing of what the gateway says is taken on trust. */
public final class Auditor {
	/**
	 * A proof that was checked.
	 *
	 * @param file a C2SP tlog-proof file: keep it, it stands by itself
	 * @param inclusion what it proves
	 */
	public record Proof(String file, Inclusion inclusion) {
	}

	private final Channel channel;
	private final VerifierKey key;
	private final Duration limit;

	/** Asks for 10 seconds at most. */
	public Auditor(Channel channel, VerifierKey key) {
		this(channel, key, Duration.ofSeconds(10));
	}

	/** limit: how long the gateway has to answer. */
	public Auditor(Channel channel, VerifierKey key, Duration limit) {
		this.channel = channel;
		this.key = key;
		this.limit = limit;
	}

	/**
	 * The proof of an entry.
	 *
	 * @throws StatusRuntimeException FAILED_PRECONDITION: no checkpoint covers the entry yet, try again after the next one
	 * @throws GeneralSecurityException the proof does not hold
	 */
	public Proof prove(long seq) throws GeneralSecurityException {
		var request = GetInclusionProofRequest.newBuilder().setSeq(seq).build();
		var stub = AuditServiceGrpc.newBlockingStub(channel).withDeadlineAfter(limit.toMillis(), TimeUnit.MILLISECONDS);
		String file = stub.getInclusionProof(request).getProofFile();
		var inclusion = Inclusion.check(file, key);
		if (inclusion.seq() != seq) {
			throw new GeneralSecurityException("the proof is about entry " + inclusion.seq() + ", not " + seq);
		}
		return new Proof(file, inclusion);
	}
}
