"""Encrypted streams: files of any length, sealed piece by piece, which can be neither cut, reordered nor joined.

Each piece is AES-256-GCM under the file's own key; its nonce counts the pieces, and what it is bound to says whether
it is the last, so that a file without its end is noticed (the STREAM construction). The head is readable and bound to
every piece.

Source: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance"
        (CRYPTO 2015), section 7: STREAM; NIST SP 800-38D
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.crypto.envelope import SealError

MAGIC = b"HEALTHBUDDY-SEALED-1\n"
PIECE = 1 << 20
HEAD_MOST = 16 << 20
_LENGTH = Struct(">I")
_PREFIX_BYTES = 8


class Sink:
    """Seals what is written to it into a file."""

    def __init__(self, file: BinaryIO, key: bytes, head: bytes) -> None:
        prefix = os.urandom(_PREFIX_BYTES)
        file.write(MAGIC + _LENGTH.pack(len(head)) + head + prefix)
        self._file, self._cipher, self._prefix = file, AESGCM(key), prefix
        self._bound = hashlib.sha256(MAGIC + head + prefix).digest()
        self._waiting, self._count = bytearray(), 0

    def write(self, data: bytes) -> None:
        """Add data."""
        self._waiting += data
        while len(self._waiting) > PIECE:
            self._piece(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]

    def close(self) -> None:
        """Write the end, without which nobody takes the file for whole."""
        self._piece(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _piece(self, plain: bytes, *, last: bool) -> None:
        nonce = self._prefix + _LENGTH.pack(self._count)
        sealed = self._cipher.encrypt(nonce, plain, self._bound + bytes([last]))
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._count += 1


def head(file: BinaryIO) -> bytes:
    """Return the readable head of a sealed file, which is then at its first piece; raises SealError."""
    if file.read(len(MAGIC)) != MAGIC:
        raise SealError("This is no sealed file of Health Buddy")
    (size,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
    if size > HEAD_MOST:
        raise SealError("The file is damaged")
    return _exactly(file, size)


def opened(file: BinaryIO, key: bytes, said: bytes) -> Iterator[bytes]:
    """Yield the pieces of a sealed file behind its head `said`; raises SealError where it was cut or altered."""
    prefix = _exactly(file, _PREFIX_BYTES)
    bound, cipher, count, last = hashlib.sha256(MAGIC + said + prefix).digest(), AESGCM(key), 0, False
    while not last:
        (size,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
        if size > PIECE + 16:
            raise SealError("The file is damaged")
        sealed, nonce = _exactly(file, size), prefix + _LENGTH.pack(count)
        last = size < PIECE + 16 or not _more(file)
        try:
            yield cipher.decrypt(nonce, sealed, bound + bytes([last]))
        except InvalidTag:
            raise SealError("The file was cut or altered, or is under another key") from None
        count += 1
    if file.read(1):
        raise SealError("Something follows the end of the file")


def _more(file: BinaryIO) -> bool:
    """Whether something follows; the file stays where it is."""
    here = file.tell()
    more = bool(file.read(1))
    file.seek(here)
    return more


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise SealError("The file is cut")
    return data
