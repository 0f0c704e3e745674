package eldergate.client;

import java.security.GeneralSecurityException;

/**
 * A log's statement of how many entries it has, and the root of their tree (C2SP tlog-checkpoint in a signed-note).
 *
 * @param root SHA-256, in base64
 */
public record Checkpoint(String origin, long size, String root) {
	/** The signature's dash of a note. */
	private static final String SIGNED = "\u2014 ";

	/** Reads a note that the key has signed; what others have signed beside it is passed over. */
	public static Checkpoint open(String note, VerifierKey key) throws GeneralSecurityException {
		int split = note.lastIndexOf("\n\n");
		if (split < 0 || !note.endsWith("\n")) {
			throw new GeneralSecurityException("not a signed note");
		}
		String text = note.substring(0, split + 1);
		if (text.chars().anyMatch(c -> c < ' ' && c != '\n')) { // what is signed is what a terminal shows
			throw new GeneralSecurityException("a note has a control character");
		}
		boolean signed = false;
		for (String line : note.substring(split + 2).split("\n")) {
			int space = line.indexOf(' ', SIGNED.length());
			if (!line.startsWith(SIGNED) || space < 0) {
				throw new GeneralSecurityException("not a signature line");
			}
			byte[] signature = Base64Text.decode(line.substring(space + 1));
			if (line.substring(SIGNED.length(), space).equals(key.name()) && key.made(signature)) {
				if (!key.verifies(text, signature)) {
					throw new GeneralSecurityException("the signature is not of this checkpoint");
				}
				signed = true;
			}
		}
		if (!signed) {
			throw new GeneralSecurityException("the checkpoint is not signed by " + key.name());
		}
		String[] lines = text.split("\n"); // further ones are for others
		if (lines.length < 3 || text.contains("\n\n") || !lines[0].equals(key.name())) {
			throw new GeneralSecurityException("not a checkpoint of " + key.name());
		}
		Base64Text.hash(lines[2]);
		return new Checkpoint(lines[0], number(lines[1]), lines[2]);
	}

	/** A number without sign or leading zeros. */
	static long number(String text) throws GeneralSecurityException {
		if (!text.matches("0|[1-9][0-9]{0,17}")) {
			throw new GeneralSecurityException("not a number: " + text);
		}
		return Long.parseLong(text);
	}
}
