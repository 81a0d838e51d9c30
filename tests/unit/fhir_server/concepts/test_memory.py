"""What is remembered of terminology, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.concepts import memory
from fhir_server.concepts.memory import Memory, asked, remembered


class Counting:
    """Answers a question and counts how often it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.times = 0

    async def __call__(self) -> Any:
        """Return the answer."""
        self.times += 1
        return self.answer


@pytest.fixture
def held() -> Any:
    """Yield an empty memory that questions are answered from."""
    mine = Memory()
    mark = memory._HELD.set(mine)
    yield mine
    memory._HELD.reset(mark)


async def test_outside_of_a_round_nothing_is_remembered() -> None:
    ask = Counting(1)
    assert [await asked(("system", "x"), ask) for _ in range(3)] == [1, 1, 1]
    assert ask.times == 3


async def test_within_a_round_a_question_is_asked_once(held: Memory) -> None:
    ask = Counting(None)
    assert [await asked(("system", "x"), ask) for _ in range(3)] == [None] * 3
    assert ask.times == 1
    assert held.size == 1


async def test_that_nothing_is_implied_is_asked_again(held: Memory) -> None:
    ask = Counting(None)
    await asked(("implied", "x"), ask)
    await asked(("implied", "x"), ask)
    assert ask.times == 2
    assert not held.kept


async def test_only_the_very_value_set_that_is_kept_is_known_again(held: Memory) -> None:
    valueset = {"resourceType": "ValueSet", "compose": {"include": [{"concept": [{"code": "a"}] * 10}]}}
    assert await asked(("valueset", "x"), Counting(valueset)) is valueset
    assert remembered(valueset)
    assert not remembered(dict(valueset))
    assert held.size == 11


async def test_too_much_is_not_kept_and_drives_nothing_out(
    held: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_KEPT", 10)
    large = {"compose": {"include": [{"concept": [{"code": "a"}] * 10}]}}
    await asked(("system", "x"), Counting(1))
    await asked(("valueset", "large"), Counting(large))
    assert list(held.kept) == [("system", "x")]
    assert not remembered(large)


async def test_what_is_too_much_together_begins_anew(held: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_KEPT", 10)
    middling = {"compose": {"include": [{"concept": [{"code": "a"}] * 5}]}}
    other = {"compose": {"exclude": [{"concept": [{"code": "a"}] * 5}]}}
    await asked(("valueset", "one"), Counting(middling))
    await asked(("valueset", "other"), Counting(other))
    assert list(held.kept) == [("valueset", "other")]
    assert (remembered(middling), remembered(other)) == (False, True)
