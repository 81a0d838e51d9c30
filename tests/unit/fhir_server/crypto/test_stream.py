"""Sealed files: whole or nothing.

Source: the STREAM construction; see fhir_server/crypto/stream.py
"""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.crypto import stream
from fhir_server.crypto.envelope import SealError, new_key

KEY = new_key()
SIZES = [0, 1, stream.PIECE - 1, stream.PIECE, stream.PIECE + 1, 2 * stream.PIECE, 2 * stream.PIECE + 5]


def sealed(plain: bytes, said: bytes = b"{}") -> bytes:
    file = io.BytesIO()
    sink = stream.Sink(file, KEY, said)
    for at in range(0, len(plain), 700_001):
        sink.write(plain[at : at + 700_001])
    sink.close()
    return file.getvalue()


def opened(data: bytes, key: bytes = KEY) -> tuple[bytes, bytes]:
    file = io.BytesIO(data)
    said = stream.head(file)
    return said, b"".join(stream.opened(file, key, said))


@pytest.mark.parametrize("size", SIZES)
def test_what_goes_in_comes_out(size: int) -> None:
    plain = bytes(size)
    assert opened(sealed(plain, b'{"a":1}')) == (b'{"a":1}', plain)


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_file_without_its_last_piece_is_refused(size: int) -> None:
    data = sealed(bytes(size))
    for cut in (1, 17, min(len(data) - 30, stream.PIECE + 20)):
        with pytest.raises(SealError):
            opened(data[:-cut])


def test_pieces_cannot_change_places_or_be_followed_by_others() -> None:
    data = sealed(bytes(3 * stream.PIECE))
    start, each = len(stream.MAGIC) + 4 + 2 + 8, stream.PIECE + 20
    first, second = data[start : start + each], data[start + each : start + 2 * each]
    with pytest.raises(SealError):
        opened(data[:start] + second + first + data[start + 2 * each :])
    with pytest.raises(SealError):
        opened(data + b"x")


@settings(max_examples=60)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed_in_the_head_too(at: int, bit: int) -> None:
    data = bytearray(sealed(b"content" * 20, b'{"made":"2026"}'))
    data[at % len(data)] ^= 1 << bit
    with pytest.raises(SealError):
        opened(bytes(data))


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealError):
        opened(sealed(b"x"), new_key())
