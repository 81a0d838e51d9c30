"""The specification's 727 example resources: accepted, and equal after JSON and XML."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from resources.codec.json import dump_json, parse_json
from resources.codec.subset import select_elements, summarize
from resources.codec.xml import dump_xml, parse_xml
from resources.validate import accepts, explain
from resources.validate.explain import errors
from tests.shared import r4_examples, shared_path

WRONG = {
    "Questionnaire-qs1.json": "32 of its items have no linkId, which Questionnaire.item.linkId (1..1) demands",
}
"""Examples that break the specification's own definitions, and how."""

COUNT = 727
SYNTHEA_RESOURCES = 14_796


@cache
def _examples() -> dict[str, dict[str, Any]]:
    return {name: parse_json(data) for name, data in r4_examples().items()}


def _numbers(value: Any) -> Iterator[str]:
    """Yield every number as text, digit for digit."""
    if isinstance(value, dict):
        for child in value.values():
            yield from _numbers(child)
    elif isinstance(value, list):
        for child in value:
            yield from _numbers(child)
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        yield str(value)


def _same(one: Any, other: Any) -> bool:
    """Whether two resources are equal and their numbers have the same digits (1.0 == 1.00 in Python)."""
    return bool(one == other) and sorted(_numbers(one)) == sorted(_numbers(other))


def test_all_examples_are_there() -> None:
    assert len(_examples()) == COUNT


def test_every_example_is_accepted_and_explained_alike() -> None:
    refused = {name for name, resource in _examples().items() if not accepts(resource)}
    with_errors = {name for name, resource in _examples().items() if any(errors(explain(resource)))}
    assert refused == with_errors == set(WRONG)


def test_wrong_examples_are_wrong_for_the_reason_given() -> None:
    issues = list(errors(explain(_examples()["Questionnaire-qs1.json"])))
    assert len(issues) == 32
    assert {issue.code for issue in issues} == {"required"}
    assert all(issue.expression[0].endswith(".linkId") for issue in issues)


def test_json_round_trip_is_equal_digit_for_digit() -> None:
    changed = [name for name, r in _examples().items() if not _same(r, parse_json(dump_json(r)))]
    assert changed == []


def test_json_to_xml_to_json_is_equal_digit_for_digit() -> None:
    changed = [name for name, r in _examples().items() if not _same(r, parse_xml(dump_xml(r)))]
    assert changed == []


def test_indented_json_and_xml_are_equal_too() -> None:
    small = {name: r for name, r in _examples().items() if len(dump_json(r)) < 20_000}
    assert len(small) > 600
    assert [n for n, r in small.items() if not _same(r, parse_json(dump_json(r, pretty=True)))] == []
    assert [n for n, r in small.items() if not _same(r, parse_xml(dump_xml(r, pretty=True)))] == []


def test_summaries_and_selections_stay_valid() -> None:
    for name, resource in _examples().items():
        if name not in WRONG:
            assert accepts(summarize(resource, "true")), name
            assert accepts(summarize(resource, "text")), name
            assert accepts(summarize(resource, "data")), name
            assert accepts(select_elements(resource, [])), name


def test_every_synthea_bundle_is_accepted() -> None:
    count = 0
    for path in sorted(shared_path("synthea").glob("*.json.gz")):
        bundle = parse_json(gzip.decompress(path.read_bytes()))
        count += len(bundle["entry"])
        assert accepts(bundle), explain(bundle)[:5]
    assert count == SYNTHEA_RESOURCES
