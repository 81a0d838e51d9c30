"""Text searches against a reading of them from the words alone. Source: http://hl7.org/fhir/R4/search.html#content"""

from __future__ import annotations

import random

import pytest

from fhir_server.search.text_query import All, Any, Node, Not, Term, parse
from tests.integration.search.conftest import Asker

VOCABULARY = ["ab", "abc", "b", "ca", "cab"]
_random = random.Random(20)
TEXTS = [[_random.choice(VOCABULARY) for _ in range(_random.randint(0, 6))] for _ in range(40)]


def _basic(number: int, words: list[str]) -> dict[str, object]:
    made: dict[str, object] = {
        "resourceType": "Basic",
        "id": f"n{number}",
        "code": {"coding": [{"code": "x"}]},
    }
    return {**made, "code": {"text": " ".join(words)}} if words else made


WORLD = [_basic(number, words) for number, words in enumerate(TEXTS)]


def _query(depth: int) -> str:
    """Return a random query."""
    word = _random.choice(VOCABULARY)
    if depth == 0:
        return _random.choice(
            [word, word[:1] + "*", f'"{word} {_random.choice(VOCABULARY)}"', f'"b {word[:2]}*"']
        )
    one, other = _query(depth - 1), _query(depth - 1)
    return _random.choice(
        [
            f"({one}) {other}",
            f"{one} AND {other}",
            f"({one} or {other})",
            f"not ({one})",
            f"{one} NOT {other}",
        ]
    )


def _fits(have: str, word: str, part: bool) -> bool:
    return have.startswith(word) if part else have == word


def _holds(node: Node, words: list[str]) -> bool:
    match node:
        case Term(found):
            places = range(len(words) - len(found) + 1)
            return any(
                all(_fits(words[at + i], word, part) for i, (word, part) in enumerate(found)) for at in places
            )
        case Not(part):
            return not _holds(part, words)
        case All(parts):
            return all(_holds(part, words) for part in parts)
        case Any(parts):
            return any(_holds(part, words) for part in parts)


@pytest.mark.parametrize("query", [_query(depth) for depth in (0, 1, 2, 3) for _ in range(25)])
async def test_what_is_found_is_what_the_words_say(world: Asker, query: str) -> None:
    expected = {f"n{number}" for number, words in enumerate(TEXTS) if _holds(parse("_content", query), words)}
    assert set(await world.ids(f"Basic?_content={query}&_count=100")) == expected
