"""Checks that an entry is in an Eldergate log, by a C2SP tlog-proof file.

It shares no code with the gateway: see gateway/FORMAT.md, C2SP's signed-note, tlog-checkpoint and tlog-proof, RFC 6962.
"""
import base64
import binascii
import collections
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HASH_SIZE, ID_SIZE, ED25519 = 32, 4, 1

# What a checkpoint states, and what a proof file proves: the entry's number, and the checkpoint that its path leads to.
Checkpoint = collections.namedtuple("Checkpoint", "size root")
Inclusion = collections.namedtuple("Inclusion", "seq checkpoint")


class NotProven(Exception):
    """What was shown proves nothing: it is malformed, forged, or of another log."""


def _require(good, why):
    if not good:
        raise NotProven(why)


def _bytes(text):
    """Strict base64: also without bits that say nothing."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotProven("not base64") from error
    _require(base64.b64encode(raw).decode() == text, "not base64 as it is written")
    return raw


def _hash(text):
    raw = _bytes(text)
    _require(len(raw) == HASH_SIZE, "not a hash")
    return raw


def _number(text):
    _require(text.isascii() and text.isdigit() and len(text) < 20 and str(int(text)) == text, "not a number")
    return int(text)


def _sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Verifier:
    """Whose signature counts, from the text that `eldergate log key` prints."""

    def __init__(self, vkey):
        parts = vkey.split("+", 2)
        _require(len(parts) == 3 and parts[0], "a verifier key is a name, an id and a key with + between them")
        self.name, typed = parts[0], _bytes(parts[2])
        _require(len(typed) == 1 + HASH_SIZE and typed[0] == ED25519, "the verifier key is not of Ed25519")
        self.id = _sha256(self.name.encode(), b"\n", typed)[:ID_SIZE]
        _require(parts[1] == self.id.hex(), "the verifier key has another id than its own")
        self.key = Ed25519PublicKey.from_public_bytes(typed[1:])


def open_note(note, verifier):
    """The signed text; the verifier's own signature must be there, those of others are left aside."""
    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    _require(gap and signatures.endswith("\n"), "not a signed note")
    # Signed is what is shown: no control characters that a terminal or an editor would take otherwise.
    _require(all(c >= " " or c == "\n" for c in text), "a note has a control character")
    held = False
    for line in signatures[:-1].split("\n"):
        dash, name, encoded = (line.split(" ") + ["", ""])[:3]
        _require(dash == "—" and name and line.count(" ") == 2, "not a signature line")
        signature = _bytes(encoded)
        _require(len(signature) > ID_SIZE, "a malformed signature line")
        if name != verifier.name or signature[:ID_SIZE] != verifier.id:
            continue
        try:
            verifier.key.verify(signature[ID_SIZE:], text.encode())
        except InvalidSignature as error:
            raise NotProven("the signature does not hold") from error
        held = True
    _require(held, f"there is no signature of {verifier.name}")
    return text


def open_checkpoint(note, verifier):
    lines = open_note(note, verifier)[:-1].split("\n")
    _require(len(lines) >= 3 and all(lines), "not a checkpoint")  # lines behind the third are extensions
    _require(lines[0] == verifier.name, "a checkpoint of another log")
    return Checkpoint(_number(lines[1]), _hash(lines[2]))


def _leaf_data(extra):
    """What stands for an entry in the tree, from header length, header, C_claim, C_effect."""
    frame = 4 + 2 * HASH_SIZE
    _require(len(extra) >= frame and int.from_bytes(extra[:4], "big") == len(extra) - frame,
             "the extra data is not an entry's header with its two commitments")
    return _sha256(b"eldergate/leaf/v1\n", extra)


def _climb(index, size, node, path):
    """The root that a path from a leaf leads to: RFC 9162, 2.1.3.2."""
    last = size - 1  # the right edge of the same level
    for sibling in path:
        _require(last > 0, "the path is too long")
        if index & 1 or index == last:
            node = _sha256(b"\x01", sibling, node)
            while index and not index & 1:  # a right edge without a sibling stands for itself in the levels above
                index, last = index >> 1, last >> 1
        else:
            node = _sha256(b"\x01", node, sibling)
        index, last = index >> 1, last >> 1
    _require(last == 0, "the path is too short")
    return node


def check_inclusion(file, verifier):
    """An Inclusion; raises NotProven. file: the text of the proof file."""
    head, gap, note = file.partition("\n\n")
    lines = head.split("\n")
    _require(gap and lines[0] == "c2sp.org/tlog-proof@v1" and len(lines) >= 3, "not a proof file")
    _require(lines[1].startswith("extra ") and lines[2].startswith("index "),
             "a proof of ours has extra data and an index")
    leaf, index = _leaf_data(_bytes(lines[1][len("extra "):])), _number(lines[2][len("index "):])
    path = [_hash(line) for line in lines[3:]]
    checkpoint = open_checkpoint(note, verifier)
    _require(index < checkpoint.size, "the log has no such index")
    _require(_climb(index, checkpoint.size, _sha256(b"\x00", leaf), path) == checkpoint.root,
             "the path leads to another root")
    return Inclusion(index + 1, checkpoint)
