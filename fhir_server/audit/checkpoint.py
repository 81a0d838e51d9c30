"""Checkpoints: the heads of all chains that have grown, under one signed root that follows the one before.

The root is a Merkle tree's. Source: RFC 6962, section 2.1
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FIRST = bytes(32)
"""What the first checkpoint follows."""


class Head(msgspec.Struct, array_like=True, frozen=True):
    """How far a chain is: its last entry's number and hash, and what its first entry hangs on."""

    chain: int
    genesis: bytes
    n: int
    hash: bytes


class Checkpoint(msgspec.Struct, frozen=True):
    """A checkpoint; `key` is the public key's text, `at` microseconds since 1970 UTC."""

    n: int
    at: int
    heads: bytes
    root: bytes
    previous: bytes
    key: str
    signature: bytes

    def chains(self) -> list[Head]:
        """Return the heads; raises msgspec.DecodeError where they are none."""
        return _HEADS.decode(self.heads)


_HEADS = msgspec.msgpack.Decoder(list[Head])


def root(heads: Sequence[Head]) -> bytes:
    """Return the root over `heads` (not empty), in their order."""
    level = [sha256(b"\x00" + msgspec.msgpack.encode(head)).digest() for head in heads]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [sha256(b"\x01" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def signed(key: Ed25519PrivateKey, n: int, at: int, heads: Sequence[Head], previous: bytes) -> Checkpoint:
    """Return the checkpoint over `heads` that follows the one with the root `previous`."""
    top = root(heads)
    signature = key.sign(_message(n, at, top, previous))
    packed = msgspec.msgpack.encode(list(heads))
    return Checkpoint(n, at, packed, top, previous, public_text(key.public_key()), signature)


def is_signed(one: Checkpoint, trusted: Sequence[str]) -> bool:
    """Whether a checkpoint carries the signature of one of the `trusted` keys."""
    if one.key not in trusted:
        return False
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(one.key))
        public.verify(one.signature, _message(one.n, one.at, one.root, one.previous))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_text(key: Ed25519PublicKey) -> str:
    """Return a public key as text: base64 of its 32 bytes."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def new_key() -> bytes:
    """Return the bytes of a new signing key, as its file holds them."""
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw())


def key_of(text: bytes) -> Ed25519PrivateKey:
    """Return the signing key that a file's bytes (or an environment's) say; raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip(), validate=True))


def _message(n: int, at: int, top: bytes, previous: bytes) -> bytes:
    return msgspec.msgpack.encode(("healthbuddy audit checkpoint", n, at, top, previous))
