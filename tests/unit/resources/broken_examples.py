"""Small official examples, and ways to break them at random."""

from __future__ import annotations

import random
from copy import deepcopy
from decimal import Decimal
from functools import cache
from typing import Any

from resources.codec.json import parse_json
from tests.shared import r4_examples

EXT = {"url": "http://example.org/e", "valueString": "x"}
JUNK: list[Any] = [
    None, True, False, 0, 1, -1, 2**40, Decimal("1.0"), "", " ", "a", "a b", "2020-02-30", "x\x00", [], {}, [None],
    [[]], ["a"], [{}], {"a": 1}, {"id": "a"}, {"extension": [EXT]}, {"extension": []}, [{"extension": [EXT]}],
    [None, None], {"coding": [{"system": "urn:x", "code": "y"}]}, {"text": "x"}, {"reference": "Patient/1"},
    {"reference": "x/y/z"}, {"resourceType": "Patient"}, {"resourceType": "Nothing"}, {"resourceType": ["Patient"]},
    {"resourceType": "Patient", "contained": [{"resourceType": "Patient"}]}, [EXT],
    {"status": "generated", "div": "<div>x</div>"},
]  # fmt: skip
KEYS = [
    "id", "extension", "modifierExtension", "value", "valueString", "valueBoolean", "_valueString", "text", "url",
    "contained", "resourceType", "meta", "code", "status", "_status", "_id", "_url", "foo", "", "_", "__id",
]  # fmt: skip
SMALL = 6_000


@cache
def examples() -> list[dict[str, Any]]:
    """Return the examples of less than `SMALL` bytes."""
    return [parse_json(data) for data in r4_examples().values() if len(data) < SMALL]


def _holders(value: Any) -> list[Any]:
    """Return every object and array in `value`."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    below = [holder for child in children for holder in _holders(child)]
    return [value, *below] if isinstance(value, (dict, list)) else below


def mutate(resource: dict[str, Any], rng: random.Random) -> None:
    """Break (or not) one place of `resource`."""
    holder = rng.choice(_holders(resource))
    if isinstance(holder, list):
        mutate_array(holder, rng)
        return
    key = rng.choice([*holder, *KEYS[:2]])
    way = rng.randrange(7)
    if way == 0:
        holder.pop(key, None)
    elif way == 1:
        holder[key] = deepcopy(rng.choice(JUNK))
    elif way == 2:
        holder[rng.choice(KEYS)] = deepcopy(rng.choice(JUNK))
    elif way == 3:
        holder["_" + key] = deepcopy(rng.choice(JUNK))
    elif way == 4:
        holder[key] = [holder.get(key)]
    elif way == 5 and isinstance(holder.get(key), list):
        holder["_" + key] = [
            deepcopy(rng.choice([None, {"id": "a"}, {"extension": [EXT]}])) for _ in holder[key]
        ]
    else:
        holder["_" + key] = holder.pop(key, None)


def mutate_array(holder: list[Any], rng: random.Random) -> None:
    """Break (or not) one array."""
    way = rng.randrange(3)
    if way == 0 and holder:
        holder.pop(rng.randrange(len(holder)))
    elif way == 1 and holder:
        holder[rng.randrange(len(holder))] = deepcopy(rng.choice(JUNK))
    else:
        holder.append(deepcopy(rng.choice([*JUNK, *holder])))


def mutated(seed: int, mutations: int) -> dict[str, Any]:
    """Return a small example, broken in as many places as `mutations` says."""
    rng = random.Random(seed)
    resource = deepcopy(rng.choice(examples()))
    for _ in range(mutations):
        mutate(resource, rng)
    return resource
