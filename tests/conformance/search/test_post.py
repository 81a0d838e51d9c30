"""One `POST _search` for each resource type, with an answer known from the data.

Source: http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.search.queries import equal, supported
from tests.conformance.search.server import Server, keys
from tests.oracle.definitions import parameters, resource_types
from tests.oracle.search import World

TYPES = sorted({*resource_types(), "Parameters"})


def test_these_are_all_types() -> None:
    assert len(TYPES) == 146


def telling(oracle: World, type_name: str) -> tuple[str, str]:
    """Return a criterion that some, and if possible not all, resources of a type pass."""
    known: Counter[tuple[str, str]] = Counter()
    for parameter in parameters(type_name).values():
        if supported(parameter) and not parameter.code.startswith("_"):
            for key in oracle.keys(type_name):
                known.update(
                    {pair for value in oracle.values(key, parameter) for pair in equal(parameter, value)}
                )
    some = [pair for pair, count in known.most_common() if count < len(oracle.keys(type_name))]
    if some or known:
        return [*some, *known][0]
    return "_id", next(iter(oracle.keys(type_name)), "/none").partition("/")[2]


@pytest.mark.parametrize("type_name", TYPES)
def test_a_form_finds_what_it_asks_for(server: Server, oracle: World, type_name: str) -> None:
    pair = telling(oracle, type_name)
    answer = server.post(f"{type_name}/_search", [pair, ("_count", "1000"), ("_total", "accurate")])
    assert answer.status_code == 200, answer.text[:1000]
    bundle = answer.json()
    expected = oracle.search(type_name, [pair])
    assert bundle["type"] == "searchset"
    assert sorted(keys(bundle)) == sorted(expected), pair
    assert bundle["total"] == len(expected)
    assert expected or type_name == "Parameters"
    assert all(
        entry["fullUrl"].endswith(f"/{type_name}/{entry['resource']['id']}")
        for entry in bundle.get("entry", ())
    )
