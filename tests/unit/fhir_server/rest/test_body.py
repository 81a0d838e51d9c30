"""Request bodies: streamed, bounded, unpacked."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.rest.body import DisconnectedError, read_body
from fhir_server.rest.limits import Budget
from resources.outcome import FhirError


def receiver(*chunks: bytes, stays_silent: bool = False, goes_away: bool = False) -> Any:
    """Return an ASGI receive that yields `chunks` as one body."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if goes_away:
        messages.append({"type": "http.disconnect"})
    elif not stays_silent:
        messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    return receive


def read(receive: Any, limit: int = 1000, budget: Budget | None = None, **headers: str) -> bytes:
    """Return what `read_body` makes of `receive`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(read_body(receive, named, limit, 0.05, budget or Budget(10_000)))


def refused(receive: Any, limit: int = 1000, budget: Budget | None = None, **headers: str) -> int:
    """Return the status with which the body is refused."""
    with pytest.raises(FhirError) as caught:
        read(receive, limit, budget, **headers)
    return caught.value.status


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=8))
def test_chunks_are_joined(chunks: list[bytes]) -> None:
    assert read(receiver(*chunks)) == b"".join(chunks)


@given(st.binary(max_size=300), st.integers(1, 40))
def test_gzip_is_unpacked_however_it_is_cut(data: bytes, step: int) -> None:
    packed = gzip.compress(data)
    chunks = [packed[start : start + step] for start in range(0, len(packed), step)]
    assert read(receiver(*chunks), content_encoding="gzip") == data


def test_several_gzip_members_are_one_body() -> None:
    assert read(receiver(gzip.compress(b"ab") + gzip.compress(b"cd")), content_encoding="gzip") == b"abcd"


def test_a_body_over_the_limit_is_413_in_one_piece_or_many() -> None:
    assert refused(receiver(b"x" * 1001)) == 413
    assert refused(receiver(*[b"x" * 300] * 4)) == 413


def test_an_announced_length_over_the_limit_is_413_before_reading() -> None:
    assert refused(receiver(b"", stays_silent=True), content_length="1001") == 413
    assert refused(receiver(b"", stays_silent=True), content_length="9" * 400) == 413


def test_a_gzip_bomb_meets_the_limit() -> None:
    assert refused(receiver(gzip.compress(b"0" * 50_000_000)), content_encoding="gzip") == 413


PACKED = gzip.compress(b"abc")


@pytest.mark.parametrize("data", [b"not gzip", PACKED[:-4], PACKED + b"rest"], ids=["other", "cut", "more"])
def test_broken_gzip_is_400(data: bytes) -> None:
    assert refused(receiver(data), content_encoding="gzip") == 400


def test_an_unknown_encoding_is_415() -> None:
    assert refused(receiver(b"x"), content_encoding="br") == 415


def test_a_body_that_never_ends_is_408() -> None:
    assert refused(receiver(b"x", stays_silent=True)) == 408


def test_a_client_that_goes_away_is_no_error_of_ours() -> None:
    with pytest.raises(DisconnectedError):
        read(receiver(b"x", goes_away=True))


def test_a_failed_body_gives_its_bytes_back() -> None:
    budget = Budget(10_000)
    assert refused(receiver(b"x" * 600, b"x" * 600), budget=budget) == 413
    assert budget.used == 0


def test_bodies_beyond_the_budget_are_503_but_a_lone_one_always_fits() -> None:
    budget = Budget(100)
    assert read(receiver(b"x" * 500), budget=budget)
    assert refused(receiver(b"x"), budget=budget) == 503
