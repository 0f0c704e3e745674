package eldergate.client;

import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;

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
		var credentials = TlsChannelCredentials.newBuilder().trustManager(authority).keyManager(certificate, key).build();
		return Grpc.newChannelBuilder(target, credentials).build(); // by whatever transport is on the class path
	}
}
