package eldergate.client;

import java.security.GeneralSecurityException;
import java.util.Base64;

/** Base64 in one spelling only: otherwise a proof could be changed and still hold. */
final class Base64Text {
	private Base64Text() {
	}

	static byte[] decode(String text) throws GeneralSecurityException {
		try {
			byte[] bytes = Base64.getDecoder().decode(text);
			if (Base64.getEncoder().encodeToString(bytes).equals(text)) {
				return bytes;
			}
		} catch (IllegalArgumentException e) {
			// told below
		}
		throw new GeneralSecurityException("not base64: " + text);
	}

	/** A SHA-256 hash. */
	static byte[] hash(String text) throws GeneralSecurityException {
		byte[] bytes = decode(text);
		if (bytes.length != 32) {
			throw new GeneralSecurityException("not a hash: " + text);
		}
		return bytes;
	}
}
