"""The reference page tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

from resources.fhirpath.functions import FUNCTIONS, LAMBDAS
from tests.conformance.test_fhirpath_suite import KNOWN_FAILURES

_PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "fhirpath.md"


def test_every_function_is_listed_and_nothing_else() -> None:
    chapter = _PAGE.read_text().split("## Functions")[1].split("Variables:")[0]
    listed = set(re.findall(r"\b[a-z][A-Za-z]+\b", " ".join(re.findall(r"`([^`]*)`", chapter))))
    there = {name for name in FUNCTIONS.keys() | LAMBDAS.keys() if not name.startswith("convertsTo")}
    assert listed - {"convertsTo"} == there | {"as", "is", "ofType"}


def test_every_known_failure_of_the_suite_is_explained() -> None:
    named = set(re.findall(r"`(\w+\d+)`", _PAGE.read_text().split("## The official suite")[1]))
    assert named == KNOWN_FAILURES.keys()
