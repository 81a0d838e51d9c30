"""What a client's expression may cost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from resources.fhirpath import USER, Limits, extractor
from resources.fhirpath import compile as compile_path
from resources.outcome import FhirError
from tests.unit.resources.fhirpath.factories import patient


def _refused(expression: str, resource: dict[str, Any] | None = None, limits: Limits = USER) -> str:
    started = time.monotonic()
    with pytest.raises(FhirError) as refused:
        compile_path(expression).evaluate(resource or patient(), limits=limits)
    assert time.monotonic() - started < 5
    return refused.value.issues[0].code


_GROW = f".replace('a', '{'a' * 200}')"


@pytest.mark.parametrize(
    "expression",
    [
        "(1|2|3|4|5|6|7|8|9).repeat($this + 1)",
        f"'a'{_GROW * 4}",
        "(1|2|3|4|5|6|7|8).aggregate($total & $total & $total & $total & $total & $total, 'abcdefgh')",
        f"'{'a' * 200}'.matches('(?:(?:a{{1,50}}){{1,50}}){{1,50}}b')",
    ],
)
def test_endless_growing_and_backtracking_expressions_are_stopped(expression: str) -> None:
    assert _refused(expression) == "too-costly"


def test_many_slow_matches_share_the_time_of_the_evaluation() -> None:
    slow = f"'{'a' * 200}' + $this.toString()).matches('(?:(?:a{{1,20}}){{1,20}}){{1,20}}b'))"
    assert (
        _refused(f"(1|2|3|4|5|6|7|8|9|10|11|12).select(({slow}", limits=Limits(seconds=0.3)) == "too-costly"
    )


def test_combining_again_and_again_is_stopped() -> None:
    doubling = "name" + "".join(
        ".combine(%resource.descendants().combine(%resource.descendants()))" for _ in range(40)
    )
    assert _refused(doubling, limits=Limits(steps=1_000)) == "too-costly"


def test_a_small_expression_is_within_the_limits_of_a_client() -> None:
    assert compile_path("name.given.where($this.length() > 3)").evaluate(patient(), limits=USER) == [
        "Peter",
        "James",
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "Patient" + ".extension" * 40,
        "Patient" + ".extension.value" * 12,
        "Patient.name.where(" + "extension.exists(" * 20 + "true" + ")" * 21,
        "Patient.contact.name.given" + " | Patient.contact.name.given" * 90,
    ],
)
def test_deep_and_branching_paths_are_evaluated_without_code_of_their_own(expression: str) -> None:
    resource = patient(contact=[{"name": {"given": ["A"]}}])
    started = time.monotonic()
    found = compile_path(expression).evaluate(resource)
    assert found in ([], ["A"])
    assert dict(extractor([(1, expression), (2, "Patient.id")], "Patient")(resource))[2] == [("p1", "id")]
    assert time.monotonic() - started < 5
