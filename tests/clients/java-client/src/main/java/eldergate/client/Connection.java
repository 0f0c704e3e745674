package eldergate.client;

import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** How a program of an agency or a platform reaches the gateway: by mutual TLS. */
public final class Connection {
	private Connection() {
	}

	/**
	 * Makes a channel, which connects at its first call, and again when it broke; shut it down at the end. Threads may share it.
	 * The files are what {@code eldergate agency add} hands out, in PEM.
	 *
	 * @param target HOST:PORT; HOST is a name, or the address, in the gateway's certificate
	 */
	public static ManagedChannel open(String target, File authority, File certificate, File key) throws IOException {
		return open(target, authority, certificate, key, Duration.ofSeconds(20), Duration.ofSeconds(10));
	}

	/**
	 * The same with other times until a connection is dead. A feed is never silent for more than a few seconds.
	 *
	 * @param silence then the gateway is asked whether it is there; gRPC takes less than 10 seconds for 10
	 * @param answer how long it has to say so
	 */
	public static ManagedChannel open(String target, File authority, File certificate, File key, Duration silence, Duration answer)
			throws IOException {
		var credentials = TlsChannelCredentials.newBuilder().trustManager(authority).keyManager(certificate, key).build();
		return Grpc.newChannelBuilder(target, credentials) // by whatever transport is on the class path
			.keepAliveTime(silence.toMillis(), TimeUnit.MILLISECONDS)
			.keepAliveTimeout(answer.toMillis(), TimeUnit.MILLISECONDS)
			.keepAliveWithoutCalls(true)
			.build();
	}
}
