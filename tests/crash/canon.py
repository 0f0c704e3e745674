"""canon: reads the canonical text, the seals and the tree of gateway/FORMAT.md. Shares no code with the daemon."""
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Fault(Exception):
    """Stored data that does not say what it must."""


def items(text):
    """The (tag, value) pairs of a canonical text."""
    at, last = 0, -1
    while at < len(text):
        if at + 6 > len(text):
            raise Fault("canonical text cut short")
        tag, length = struct.unpack_from(">HI", text, at)
        at += 6
        if at + length > len(text) or tag < last:
            raise Fault("canonical text with a bad length or order")
        yield tag, text[at:at + length]
        at, last = at + length, tag


def table(text):
    """The items as {tag: [values]}."""
    out = {}
    for tag, value in items(text):
        out.setdefault(tag, []).append(value)
    return out


def number(value):
    if len(value) != 8:
        raise Fault("an integer that has not 8 bytes")
    return struct.unpack(">q", value)[0]


def one(t, tag, kind=bytes, default=None):
    """The single value of a tag: kind is bytes, int or str."""
    values = t.get(tag)
    if values is None:
        return default
    if len(values) != 1:
        raise Fault(f"tag {tag} stands more than once")
    if kind is int:
        return number(values[0])
    return values[0].decode() if kind is str else values[0]


class Vault:
    """Keys under the root key; opens what the daemon sealed."""

    def __init__(self, root, wrapped):
        self.keys = {}
        for name, w in wrapped.items():
            self.keys[name] = AESGCM(root).decrypt(w[:12], w[12:], name.encode())
        self.epochs = {int(n[5:]): AESGCM(k) for n, k in self.keys.items() if n.startswith("seal/")}

    def open(self, sealed, aad):
        if len(sealed) < 33 or sealed[0] != 1:
            raise Fault("a sealed body cut short")
        (epoch,) = struct.unpack_from(">I", sealed, 1)
        if epoch not in self.epochs:
            raise Fault(f"a sealed body of unknown epoch {epoch}")
        try:
            return self.epochs[epoch].decrypt(sealed[5:17], sealed[17:], aad)
        except InvalidTag:
            raise Fault("a sealed body that was altered or belongs elsewhere") from None

    def open_part(self, stored, entry_id, kind, name):
        if not stored:
            return None
        plain = self.open(stored[32:], entry_id + struct.pack(">H", kind) + name.encode())
        if hashlib.sha256(plain).digest() != stored[:32]:
            raise Fault(f"the {name} part does not match its commitment")
        return plain[32:]

    def token(self, domain, *values):
        return hmac.new(self.keys["token"], b"\0".join([domain.encode(), *values]), hashlib.sha256).digest()[:16]

    def ref(self, audience, person):
        key = hmac.new(self.keys["ref"], audience.encode(), hashlib.sha256).digest()
        e = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return e.update(person) + e.finalize()

    def checkpoint_key(self):
        private = Ed25519PrivateKey.from_private_bytes(self.keys["checkpoint"])
        return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def leaf_data(header, claim, effect):
    none = bytes(32)
    c_claim, c_effect = (claim or none)[:32], (effect or none)[:32]
    return hashlib.sha256(b"eldergate/leaf/v1\n" + struct.pack(">I", len(header)) + header + c_claim + c_effect).digest()


class Tree:
    """RFC 6962: every root of a growing tree, and every full tile, by plain appending."""

    def __init__(self):
        self.stack = []  # (height, hash) of perfect subtrees, largest first
        self.levels = {}  # tile level -> hashes so far
        self.size = 0

    def append(self, data):
        h = hashlib.sha256(b"\0" + data).digest()
        self.size += 1
        self.note(0, h)
        height = 0
        while self.stack and self.stack[-1][0] == height:
            h = hashlib.sha256(b"\1" + self.stack.pop()[1] + h).digest()
            height += 1
            if height % 8 == 0:
                self.note(height // 8, h)
        self.stack.append((height, h))

    def note(self, level, h):
        self.levels.setdefault(level, []).append(h)

    def root(self):
        if not self.stack:
            return hashlib.sha256(b"").digest()
        root = self.stack[-1][1]
        for _, h in reversed(self.stack[:-1]):
            root = hashlib.sha256(b"\1" + h + root).digest()
        return root

    def tile(self, level, index):
        hashes = self.levels.get(level, [])[index * 256:(index + 1) * 256]
        return b"".join(hashes) if len(hashes) == 256 else None
