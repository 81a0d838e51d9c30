"""The sealed form of a version's content, and of the keys it hangs on. Pure: bytes and keys in, bytes out.

A version is sealed with AES-256-GCM under a key of its own; that key is wrapped once for every subject (a patient, or
the tenant, 0) that the version is about. Type, id and version are bound to both, so that sealed bytes which were moved
to another row do not open. Removing a subject's wrap needs no key and leaves the others' as they are.

    1 byte   FORM (plain content begins with ',' or '}', so it is never mistaken for sealed)
    1 byte   data class
    1 byte   flags: 1 the content was deflated before
    3 bytes  length of the clear part (1 and 2 bytes), then the clear part: what the database itself may read
    2 bytes  number of wraps, then each: subject (8), generation of its key (2), nonce (12), wrapped key and tag (48)
    12 bytes nonce, then the content and its tag

Source: NIST SP 800-38D (GCM; 96-bit nonces, 128-bit tags)
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORM = 1
TENANT = 0
"""The subject of content that is about no patient."""

DEFLATED = 1
PAYS_FROM = 2_000
"""Bytes from which on content is deflated first. Below, inflating is half of what opening costs (5 of 11 µs), and the
database would not have compressed such content either."""
FASTEST = 1

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
_WRAPPED = KEY_BYTES + TAG_BYTES
_HEAD = Struct(">BBBBH")
_COUNT = Struct(">H")
_OWNER = Struct(">qH")
_WRAP = Struct(f">qH{NONCE_BYTES}s{_WRAPPED}s")
_HEAD_BYTES, _COUNT_BYTES, _OWNER_BYTES, _WRAP_BYTES = _HEAD.size, _COUNT.size, _OWNER.size, _WRAP.size
_head, _count, _wrap = _HEAD.unpack_from, _COUNT.unpack_from, _WRAP.unpack_from


class SealError(ValueError):
    """Sealed bytes that cannot be opened: altered, cut, moved, or under another key."""


class KeyId(NamedTuple):
    """Names a subject's key: of a data class, for a subject, in a generation."""

    kind: int
    subject: int
    generation: int


class Parts(NamedTuple):
    """Sealed bytes, taken apart."""

    kind: int
    head: bytes
    wraps: tuple[tuple[int, int, bytes, bytes], ...]
    content: bytes

    @property
    def clear(self) -> bytes:
        """What the database itself may read."""
        return self.head[_HEAD_BYTES:]

    @property
    def keys(self) -> list[KeyId]:
        """The keys any one of which opens it."""
        return [KeyId(self.kind, subject, generation) for subject, generation, _, _ in self.wraps]


def is_sealed(stored: bytes) -> bool:
    """Whether stored content is sealed."""
    return stored[:1] == b"\x01"


def bound(type_number: int, id_: str, version: int) -> bytes:
    """Return what a version's sealed content is bound to."""
    return f"{type_number}/{id_}/{version}".encode()


def seal(plain: bytes, name: bytes, keys: Mapping[KeyId, AESGCM], clear: bytes = b"") -> bytes:
    """Return `plain` sealed for the holders of any of `keys`, all of one data class, bound to `name` and `clear`."""
    kind = next(iter(keys)).kind
    body, flags = plain, 0
    if len(plain) >= PAYS_FROM:
        smaller = zlib.compress(plain, FASTEST)
        if len(smaller) < len(plain):
            body, flags = smaller, DEFLATED
    fresh = os.urandom(KEY_BYTES + NONCE_BYTES * (len(keys) + 1))
    key, nonce, at = fresh[:KEY_BYTES], fresh[-NONCE_BYTES:], KEY_BYTES
    head = _HEAD.pack(FORM, kind, flags, len(clear) >> 16, len(clear) & 0xFFFF) + clear
    bar = name + b"|"
    pieces = [head, _COUNT.pack(len(keys))]
    for (_, subject, generation), cipher in keys.items():
        own = fresh[at : at + NONCE_BYTES]
        at += NONCE_BYTES
        owner = _OWNER.pack(subject, generation)
        pieces += (owner, own, cipher.encrypt(own, key, bar + owner))
    pieces += (nonce, AESGCM(key).encrypt(nonce, body, bar + head))
    return b"".join(pieces)


def parts(sealed: bytes) -> Parts:
    """Return the parts of sealed bytes; raises SealError where they are none."""
    try:
        form, kind, _, high, low = _head(sealed)
        at = _HEAD_BYTES + (high << 16 | low)
        (count,) = _count(sealed, at)
        start = at + _COUNT_BYTES
        wraps = tuple(_wrap(sealed, start + n * _WRAP_BYTES) for n in range(count))
    except Exception as error:
        raise SealError("Sealed content is cut") from error
    if form != FORM:
        raise SealError(f"Content is sealed in form {form}, which is not known here")
    return Parts(kind, sealed[:at], wraps, sealed[start + count * _WRAP_BYTES :])


def unseal(found: Parts, name: bytes, key_of: Callable[[KeyId], AESGCM | None]) -> bytes:
    """Return the content of taken-apart sealed bytes, by the first of its keys that `key_of` knows.

    Errors: SealError where nobody holds a key, or the bytes are not what was sealed under `name`
    """
    sealed = joined(found, found.wraps)
    content = opened(sealed, name, lambda one: key_of(KeyId(*one)))
    if content is None:
        raise SealError("No key opens this content")
    return content


def opened(
    sealed: bytes, name: bytes, key_of: Callable[[tuple[int, int, int]], AESGCM | None]
) -> bytes | None:
    """Return the content of sealed bytes in one go, None where `key_of` has none of their keys.

    Errors: SealError where they are not what was sealed under `name`
    """
    try:
        form, kind, flags, high, low = _head(sealed)
        if form != FORM:
            raise SealError(f"Content is sealed in form {form}, which is not known here")
        at = _HEAD_BYTES + (high << 16 | low)
        (count,) = _count(sealed, at)
        place = at + _COUNT_BYTES
        end = place + count * _WRAP_BYTES
        while place < end:
            subject, generation, nonce, wrapped = _wrap(sealed, place)
            cipher = key_of((kind, subject, generation))
            if cipher is not None:
                bar, start = name + b"|", end + NONCE_BYTES
                key = AESGCM(cipher.decrypt(nonce, wrapped, bar + sealed[place : place + _OWNER_BYTES]))
                body = key.decrypt(sealed[end:start], sealed[start:], bar + sealed[:at])
                return zlib.decompress(body) if flags & DEFLATED else body
            place += _WRAP_BYTES
    except (InvalidTag, ValueError, struct.error) as error:
        raise SealError("Sealed content was altered, or belongs elsewhere") from error
    return None


def without(sealed: bytes, subject: int) -> bytes:
    """Return sealed bytes without the wraps for `subject`; needs no key."""
    found = parts(sealed)
    return joined(found, [wrap for wrap in found.wraps if wrap[0] != subject])


def joined(found: Parts, wraps: Sequence[tuple[int, int, bytes, bytes]]) -> bytes:
    """Return sealed bytes made of `found` with other wraps."""
    packed = (_WRAP.pack(*one) for one in wraps)
    return b"".join((found.head, _COUNT.pack(len(wraps)), *packed, found.content))


def wrap(key: bytes, under: AESGCM, name: bytes) -> bytes:
    """Return a key wrapped under another one, bound to `name`."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + under.encrypt(nonce, key, name)


def unwrap(wrapped: bytes, under: AESGCM, name: bytes) -> bytes:
    """Return the key in a wrap; raises SealError."""
    try:
        return under.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], name)
    except (InvalidTag, ValueError) as error:
        raise SealError("A wrapped key was altered, or is under another key") from error


def new_key() -> bytes:
    """Return a fresh key for AES-256."""
    return AESGCM.generate_key(256)


def owners_of(found: Parts) -> Sequence[int]:
    """Return the subjects that hold a wrap."""
    return [subject for subject, _, _, _ in found.wraps]
