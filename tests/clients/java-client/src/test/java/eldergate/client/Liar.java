package eldergate.client;

import eldergate.v1.Audit.GetInclusionProofRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.MethodDescriptor;

/** Makes of a gateway one that answers with the good proof of another entry. */
final class Liar implements ClientInterceptor {
	@Override
	public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
		return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
			@Override
			@SuppressWarnings("unchecked")
			public void sendMessage(Q message) {
				var asked = (GetInclusionProofRequest) message;
				super.sendMessage((Q) asked.toBuilder().setSeq(asked.getSeq() - 1).build());
			}
		};
	}
}
