"""Sealed content: opens for whom it was sealed, as what it was sealed, and for nobody else.

Source: NIST SP 800-38D; fhir_server/crypto/envelope.py for the layout
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.crypto import envelope
from fhir_server.crypto.envelope import KeyId, SealError

NAME = envelope.bound(3, "a", 1)
ANN, BEN = KeyId(2, 11, 1), KeyId(2, 12, 1)
KEYS = {ANN: AESGCM(envelope.new_key()), BEN: AESGCM(envelope.new_key())}


def holder(*ids: KeyId) -> Callable[[tuple[int, int, int]], AESGCM | None]:
    """Return who knows some of the keys."""
    return lambda one: KEYS[KeyId(*one)] if one in ids else None


def opened(sealed: bytes, *holders: KeyId, name: bytes = NAME) -> bytes:
    """Return the content as the holders of these keys get it."""
    held = {one: KEYS[one] for one in holders}
    return envelope.unseal(envelope.parts(sealed), name, held.get)


@given(plain=st.binary(max_size=3000), clear=st.binary(max_size=300))
def test_each_owner_alone_opens_what_was_sealed(plain: bytes, clear: bytes) -> None:
    sealed = envelope.seal(plain, NAME, KEYS, clear)
    assert opened(sealed, ANN) == plain
    assert opened(sealed, BEN) == plain
    assert envelope.parts(sealed).clear == clear


@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_changed_bit_anywhere_is_noticed(at: int, bit: int) -> None:
    sealed = bytearray(envelope.seal(b"},'x'" * 100, NAME, {ANN: KEYS[ANN]}, b'},"c":1}'))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(SealError):
        opened(bytes(sealed), ANN)


@pytest.mark.parametrize("other", [(4, "a", 1), (3, "b", 1), (3, "a", 2)])
def test_content_moved_to_another_row_does_not_open(other: tuple[int, str, int]) -> None:
    sealed = envelope.seal(b"}}", NAME, KEYS)
    with pytest.raises(SealError):
        opened(sealed, ANN, name=envelope.bound(*other))


def test_a_removed_wrap_ends_one_owner_and_leaves_the_other() -> None:
    sealed = envelope.without(envelope.seal(b"}}", NAME, KEYS, b"clear"), ANN.subject)
    with pytest.raises(SealError, match="No key"):
        opened(sealed, ANN)
    assert opened(sealed, BEN) == b"}}"
    assert envelope.owners_of(envelope.parts(sealed)) == [BEN.subject]


def test_the_same_content_is_never_sealed_to_the_same_bytes() -> None:
    assert len({envelope.seal(b"}}", NAME, KEYS) for _ in range(20)}) == 20


def test_cut_bytes_are_told_and_no_crash() -> None:
    sealed = envelope.seal(b"}}", NAME, KEYS)
    for length in range(1, len(sealed)):
        with pytest.raises(SealError):
            opened(sealed[:length], ANN)


def test_plain_content_is_not_taken_for_sealed() -> None:
    assert (
        not envelope.is_sealed(b"}}")
        and not envelope.is_sealed(b',"tag":[]}}')
        and not envelope.is_sealed(b"")
    )
    assert envelope.is_sealed(envelope.seal(b"}}", NAME, KEYS))


def test_long_repetitive_content_is_stored_smaller() -> None:
    assert len(envelope.seal(b'"code":"8867-4",' * 200, NAME, KEYS)) < 600


def test_a_wrapped_key_opens_under_its_own_name_only() -> None:
    under, key = AESGCM(envelope.new_key()), envelope.new_key()
    wrapped = envelope.wrap(key, under, b"one")
    assert envelope.unwrap(wrapped, under, b"one") == key
    with pytest.raises(SealError):
        envelope.unwrap(wrapped, under, b"two")


@given(plain=st.binary(max_size=5000), clear=st.binary(max_size=300))
def test_opening_in_one_go_gives_the_same(plain: bytes, clear: bytes) -> None:
    sealed = envelope.seal(plain, NAME, KEYS, clear)
    assert envelope.opened(sealed, NAME, holder(BEN)) == plain
    assert envelope.opened(sealed, NAME, holder()) is None


@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_opening_in_one_go_notices_changed_bits_and_cuts(at: int, bit: int) -> None:
    sealed = envelope.seal(b"},'x'" * 100, NAME, {ANN: KEYS[ANN]}, b'},"c":1}')
    altered = bytearray(sealed)
    altered[at % len(sealed)] ^= 1 << bit
    for wrong in (bytes(altered), sealed[: at % len(sealed)]):
        try:
            assert envelope.opened(wrong, NAME, holder(ANN)) is None  # another key's name
        except SealError:
            continue
