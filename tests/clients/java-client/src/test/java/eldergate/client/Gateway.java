package eldergate.client;

import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** A daemon in a folder of its own, with mutual TLS; EG_BIN names the folder of the programs. */
final class Gateway implements AutoCloseable {
	/** Seconds for anything that must happen; only a broken gateway takes them all. */
	static final int PATIENCE = 60;
	private static final Pattern PORT = Pattern.compile("\"tls_port\":(\\d+)");

	private final Path place;
	private final Thread end = new Thread(this::kill);
	private Process process;
	private int port; // 0: any that is free

	/** Starts it, with an identity that may do everything. */
	Gateway() throws IOException {
		place = Files.createTempDirectory("eldergate-java-");
		Runtime.getRuntime().addShutdownHook(end);
		Files.createFile(place.resolve("eldergate.yaml"));
		program("server", "certificate", "localhost,127.0.0.1", "--data", data().toString());
		var add = new ArrayList<>(List.of("agency", "add", "tester", "--data", data().toString(), "--config-dir", place.toString(),
			"--dataset", "registration:registration", "--rhythm", "1d", "--basis", "generated people only",
			"--read", "test=registration.name,registration.address_region"));
		for (String role : List.of("agency", "subscriber", "operator", "auditor", "admin")) {
			add.addAll(List.of("--role", role));
		}
		program(add.toArray(String[]::new));
		start();
	}

	/** Returns when the daemon says that it is ready. A gateway that was killed comes back on its port. */
	void start() throws IOException {
		var command = new ArrayList<>(List.of(binary("eldergated"), "--config", place.resolve("eldergate.yaml").toString()));
		for (String setting : List.of("data=" + data(), "listen.metrics=", "listen.tls=127.0.0.1:" + port,
			"tls.certificate=" + data().resolve("server/server.pem"), "tls.key=" + data().resolve("server/server.key"),
			"tls.client_ca=" + authority(), "feed.progress=200ms", "writer.checkpoint=20ms")) {
			command.addAll(List.of("--set", setting));
		}
		process = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
		var ready = new CompletableFuture<Integer>();
		BufferedReader log = process.errorReader();
		var reader = new Thread(() -> read(log, ready), "gateway's log");
		reader.setDaemon(true);
		reader.start();
		port = ready.orTimeout(PATIENCE, TimeUnit.SECONDS).join();
	}

	/** To its end: a daemon whose log nobody reads would stop. */
	private static void read(BufferedReader log, CompletableFuture<Integer> ready) {
		var last = new StringBuilder();
		try (log) {
			for (String line; (line = log.readLine()) != null;) {
				var found = PORT.matcher(line);
				if (line.contains("\"daemon.ready\"") && found.find()) {
					ready.complete(Integer.parseInt(found.group(1)));
				}
				last.append(line).append('\n');
			}
		} catch (IOException e) {
			last.append(e);
		}
		ready.completeExceptionally(new IllegalStateException("the daemon ended before it was ready:\n" + last));
	}

	/** kill -9, and gone. */
	void kill() {
		if (process != null) {
			process.destroyForcibly().onExit().join();
		}
	}

	/** Its connections stay, and nothing answers on them, until it is killed. */
	void halt() {
		try {
			new ProcessBuilder("sh", "-c", "kill -STOP " + process.pid()).start().onExit().join();
		} catch (IOException e) {
			throw new UncheckedIOException(e);
		}
	}

	/** Starts it beside the caller, who asks a gateway that is away meanwhile. */
	CompletableFuture<Void> startLater() {
		return CompletableFuture.runAsync(() -> {
			try {
				start();
			} catch (IOException e) {
				throw new UncheckedIOException(e);
			}
		});
	}

	/** To it, as its tester. */
	ManagedChannel channel() throws IOException {
		return channel(this);
	}

	/** By which a connection is dead after these times. */
	ManagedChannel channel(Duration silence, Duration answer) throws IOException {
		return Connection.open(target(), authority(), agency("pem"), agency("key"), silence, answer);
	}

	/** As somebody who has no certificate. */
	ManagedChannel strange() throws IOException {
		return Grpc.newChannelBuilder(target(), TlsChannelCredentials.newBuilder().trustManager(authority()).build()).build();
	}

	/** To where it listens, by what another gateway has handed out. */
	ManagedChannel channel(Gateway other) throws IOException {
		return Connection.open(target(), other.authority(), other.agency("pem"), other.agency("key"));
	}

	/** The log's verifier key, as an administrator hands it to auditors. It is read while the daemon is not there. */
	VerifierKey key() throws Exception {
		kill();
		String text = program("log", "key", "--data", data().toString()).strip();
		start();
		return VerifierKey.parse(text);
	}

	private String target() {
		return "127.0.0.1:" + port;
	}

	private File agency(String kind) {
		return data().resolve("agencies/tester." + kind).toFile();
	}

	private Path data() {
		return place.resolve("data");
	}

	private File authority() {
		return data().resolve("ca/ca.pem").toFile();
	}

	private static String binary(String name) {
		return Path.of(System.getenv("EG_BIN"), name).toString();
	}

	/** The command line's answer. */
	private static String program(String... arguments) throws IOException {
		var command = new ArrayList<>(List.of(binary("eldergate")));
		command.addAll(List.of(arguments));
		Process run = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
		var answer = new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
		if (run.onExit().join().exitValue() != 0) {
			throw new IOException("eldergate " + String.join(" ", arguments) + " failed");
		}
		return answer;
	}

	@Override
	public void close() throws IOException {
		kill();
		Runtime.getRuntime().removeShutdownHook(end);
		try (var files = Files.walk(place)) {
			files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
		}
	}
}
