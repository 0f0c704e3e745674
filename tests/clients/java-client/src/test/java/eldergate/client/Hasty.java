package eldergate.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;

/** Ends each call well, after one message, whatever its caller has still to say. */
final class Hasty implements ClientInterceptor {
	@Override
	public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
		return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
			@Override
			public void start(Listener<A> listener, Metadata headers) {
				super.start(new SimpleForwardingClientCallListener<>(listener) {
					private boolean ended;

					@Override
					public void onMessage(A message) {
						if (!ended) {
							super.onMessage(message);
							end(Status.OK, new Metadata());
						}
					}

					@Override
					public void onClose(Status status, Metadata trailers) {
						if (!ended) {
							end(status, trailers);
						}
					}

					private void end(Status status, Metadata trailers) {
						ended = true;
						super.onClose(status, trailers);
					}
				}, headers);
			}
		};
	}
}
