"""Whatever a resource looks like, validation tells what is wrong and never fails itself."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from resources.validate.gate import accepts
from resources.validate.validator import Options, validate
from tests.conformance.validate.corpus import corpus

SHAPES: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        Decimal("1.5"),
        10**30,
        "",
        "x",
        " ",
        "#",
        "#x",
        "http://x",
        [],
        {},
        [None],
        ["x"],
        [{}],
        [[1]],
    ),
    *({"x": 1}, {"id": "a"}, {"extension": []}, {"resourceType": "Patient"}, {"reference": 5}, {"code": {}}),
)
KEYS = (
    "entry",
    "item",
    "contained",
    "fullUrl",
    "resource",
    "coding",
    "meta",
    "link",
    "extension",
    "answer",
    "text",
)
ALL = Options(references="exists", best_practice=True, must_support=True)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    steps = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield value, step
        yield from _places(value[step])


@pytest.mark.parametrize("seed", range(8))
def test_any_value_at_any_place_is_told_or_right(seed: int) -> None:
    chance = random.Random(seed)
    valid, _, asks = corpus()
    for original in valid.values():
        for changes in (1, 1, 3):
            resource = copy.deepcopy(original)
            for _ in range(changes):
                holder, key = chance.choice(list(_places(resource)))
                added = isinstance(holder, dict) and chance.random() < 0.2
                holder[chance.choice(KEYS) if added else key] = copy.deepcopy(chance.choice(SHAPES))
            issues = validate(resource, asks, ALL)
            assert accepts(resource) or any(one.severity == "error" for one in issues)
