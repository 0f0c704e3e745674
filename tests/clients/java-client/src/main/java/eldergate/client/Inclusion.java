package eldergate.client;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;

/**
 * What a proof file proves: that an entry is in the log (C2SP tlog-proof, RFC 9162, gateway/FORMAT.md).
 *
 * @param seq the entry's number
 * @param checkpoint the log that it is in
 */
public record Inclusion(long seq, Checkpoint checkpoint) {
	private static final int HASH = 32;
	private static final byte[] LEAF_DATA = "eldergate/leaf/v1\n".getBytes(StandardCharsets.US_ASCII);
	private static final byte[] LEAF = {0};
	private static final byte[] NODE = {1};

	/** Checks a proof file with the log's key; throws if it does not hold. */
	public static Inclusion check(String file, VerifierKey key) throws GeneralSecurityException {
		int split = file.indexOf("\n\n");
		String[] lines = file.substring(0, Math.max(split, 0)).split("\n");
		if (lines.length < 3 || !lines[0].equals("c2sp.org/tlog-proof@v1")) {
			throw new GeneralSecurityException("not a proof file");
		}
		byte[] leafData = leafData(Base64Text.decode(after("extra ", lines[1])));
		long index = Checkpoint.number(after("index ", lines[2]));
		var checkpoint = Checkpoint.open(file.substring(split + 2), key);
		if (index >= checkpoint.size()) {
			throw new GeneralSecurityException("a log of " + checkpoint.size() + " entries has no index " + index);
		}
		byte[] root = root(sha256(LEAF, leafData), index, checkpoint.size(), Arrays.copyOfRange(lines, 3, lines.length));
		if (!Base64.getEncoder().encodeToString(root).equals(checkpoint.root())) {
			throw new GeneralSecurityException("the path does not lead to the checkpoint");
		}
		return new Inclusion(index + 1, checkpoint);
	}

	private static String after(String name, String line) throws GeneralSecurityException {
		if (!line.startsWith(name)) {
			throw new GeneralSecurityException("a proof of ours has here: " + name);
		}
		return line.substring(name.length());
	}

	/** What stands for an entry in the tree; extra: the header's length, the header, the commitments to the two sealed parts. */
	private static byte[] leafData(byte[] extra) throws GeneralSecurityException {
		int around = Integer.BYTES + 2 * HASH;
		if (extra.length < around || ByteBuffer.wrap(extra).getInt() != extra.length - around) {
			throw new GeneralSecurityException("the extra data is not an entry's header with its two commitments");
		}
		return sha256(LEAF_DATA, extra);
	}

	/** Where the path leads from a leaf, as RFC 9162, 2.1.3.2 walks it. */
	private static byte[] root(byte[] leaf, long index, long size, String[] path) throws GeneralSecurityException {
		byte[] root = leaf;
		long at = index;
		long last = size - 1;
		for (String line : path) {
			byte[] sibling = Base64Text.hash(line);
			if (last == 0) {
				throw new GeneralSecurityException("the path is too long");
			}
			if (at % 2 == 1 || at == last) {
				root = sha256(NODE, sibling, root);
				while (at % 2 == 0 && at != 0) { // up to where it has a left sibling
					at /= 2;
					last /= 2;
				}
			} else {
				root = sha256(NODE, root, sibling);
			}
			at /= 2;
			last /= 2;
		}
		if (last != 0) {
			throw new GeneralSecurityException("the path is too short");
		}
		return root;
	}

	private static byte[] sha256(byte[]... parts) throws GeneralSecurityException {
		var digest = MessageDigest.getInstance("SHA-256");
		for (byte[] part : parts) {
			digest.update(part);
		}
		return digest.digest();
	}
}
