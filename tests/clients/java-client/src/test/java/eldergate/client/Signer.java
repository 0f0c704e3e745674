package eldergate.client;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.Signature;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;

/** A log's key that signs whatever it is given. */
final class Signer {
	private final String name;
	private final KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
	private final byte[] id;
	private final byte[] typed;

	Signer(String name) throws GeneralSecurityException {
		this.name = name;
		byte[] x509 = pair.getPublic().getEncoded();
		typed = Arrays.copyOfRange(x509, x509.length - 33, x509.length);
		typed[0] = 1; // Ed25519
		var digest = MessageDigest.getInstance("SHA-256");
		digest.update((name + "\n").getBytes(StandardCharsets.UTF_8));
		id = Arrays.copyOf(digest.digest(typed), 4);
	}

	String key() {
		return name + "+" + HexFormat.of().formatHex(id) + "+" + Base64.getEncoder().encodeToString(typed);
	}

	/** The text as a note. */
	String note(String text) throws GeneralSecurityException {
		var ed25519 = Signature.getInstance("Ed25519");
		ed25519.initSign(pair.getPrivate());
		ed25519.update(text.getBytes(StandardCharsets.UTF_8));
		byte[] made = ed25519.sign();
		byte[] signature = Arrays.copyOf(id, id.length + made.length);
		System.arraycopy(made, 0, signature, id.length, made.length);
		return text + "\n\u2014 " + name + " " + Base64.getEncoder().encodeToString(signature) + "\n";
	}
}
