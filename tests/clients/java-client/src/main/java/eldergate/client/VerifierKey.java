package eldergate.client;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * The key that a log's checkpoints are verified with, and its name (C2SP signed-note).
 *
 * <p>An administrator hands it out, by a way that the gateway has no part in: {@code eldergate log key} prints it.
 */
public final class VerifierKey {
	/** Ed25519 in a note's keys. */
	private static final byte ALGORITHM = 1;
	private static final int KEY_LENGTH = 32;
	/** What stands before the 32 bytes of an Ed25519 key in X.509 (RFC 8410). */
	private static final byte[] X509 = HexFormat.of().parseHex("302a300506032b6570032100");

	private final String name;
	private final byte[] id;
	private final PublicKey key;

	private VerifierKey(String name, byte[] id, PublicKey key) {
		this.name = name;
		this.id = id;
		this.key = key;
	}

	/** text: NAME+ID+KEY, the ID eight digits in hex, the key in base64. */
	public static VerifierKey parse(String text) throws GeneralSecurityException {
		String[] parts = text.split("\\+", 3); // base64 may have a plus of its own
		if (parts.length != 3 || !isName(parts[0]) || !parts[1].matches("[0-9a-f]{8}")) {
			throw new GeneralSecurityException("not a verifier key");
		}
		byte[] id = HexFormat.of().parseHex(parts[1]);
		byte[] typed = Base64Text.decode(parts[2]);
		if (typed.length != 1 + KEY_LENGTH || typed[0] != ALGORITHM) {
			throw new GeneralSecurityException("not an Ed25519 verifier key");
		}
		var digest = MessageDigest.getInstance("SHA-256");
		digest.update((parts[0] + "\n").getBytes(StandardCharsets.UTF_8));
		if (!Arrays.equals(id, Arrays.copyOf(digest.digest(typed), id.length))) {
			throw new GeneralSecurityException("the verifier key is not of its id");
		}
		var x509 = new ByteArrayOutputStream();
		x509.writeBytes(X509);
		x509.write(typed, 1, KEY_LENGTH);
		PublicKey key = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(x509.toByteArray()));
		return new VerifierKey(parts[0], id, key);
	}

	private static boolean isName(String text) {
		return !text.isEmpty() && text.chars().noneMatch(c -> Character.isWhitespace(c) || Character.isSpaceChar(c));
	}

	String name() {
		return name;
	}

	/** Does a signature line's content name this key? */
	boolean made(byte[] signature) {
		return signature.length > id.length && Arrays.equals(id, Arrays.copyOf(signature, id.length));
	}

	/** Is it of this text? signature: the id, then what Ed25519 made. */
	boolean verifies(String text, byte[] signature) throws GeneralSecurityException {
		var ed25519 = Signature.getInstance("Ed25519");
		ed25519.initVerify(key);
		ed25519.update(text.getBytes(StandardCharsets.UTF_8));
		return ed25519.verify(signature, id.length, signature.length - id.length);
	}
}
