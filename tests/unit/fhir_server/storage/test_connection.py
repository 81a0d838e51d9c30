"""Pieces of an answer that have arrived are read without a turn of the event loop, and the others get theirs."""

import socket
from collections.abc import Generator
from typing import Any

import pytest
from psycopg.waiting import Ready, Wait

from fhir_server.storage.connection import AT_ONCE, _reading


def asking(pieces: int) -> Generator[Any, Any, list[int]]:
    """Ask for `pieces` of an answer and return what was said of each."""
    said = []
    for wanted in (Wait.RW, *[Wait.R] * pieces):
        ready = yield wanted
        said.append(ready)
    return said


def run(pieces: int, watched: int) -> tuple[list[Any], list[int]]:
    """Return (what was waited for, what was said) of an answer of `pieces`."""
    gen = _reading(asking(pieces), watched)
    waits = []
    try:
        waits.append(next(gen))
        while True:
            waits.append(gen.send(Ready.W if waits[-1] == Wait.RW else Ready.R))
    except StopIteration as done:
        return waits, done.value


@pytest.fixture
def pair() -> Generator[tuple[socket.socket, socket.socket], None, None]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


def test_only_the_first_piece_of_what_is_there_is_waited_for(pair: Pair) -> None:
    pair[1].send(b"there")
    assert run(5, pair[0].fileno()) == ([Wait.RW, Wait.R], [Ready.W, *[Ready.R] * 5])


def test_every_piece_that_is_not_there_is_waited_for(pair: Pair) -> None:
    waits, _ = run(5, pair[0].fileno())
    assert waits == [Wait.RW, *[Wait.R] * 5]


def test_a_long_answer_leaves_others_their_turn(pair: Pair) -> None:
    pair[1].send(b"there")
    waits, said = run(3 * AT_ONCE, pair[0].fileno())
    assert waits == [Wait.RW, *[Wait.R] * 3]
    assert len(said) == 3 * AT_ONCE + 1
