"""The UCUM functional tests (edition of 18 June 2014): validity, conversion, multiplication."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from lxml import etree

from terminology.ucum import canonical, convert, is_unit
from tests.shared import shared_path

KNOWN_FAILURES = {
    "k=1=049": "`{hb}m2`: by the grammar a unit cannot follow an annotation, as the suite itself says in 1-116a",
    "3-111": "6.3 s/m/mg is 6300 s.m-1.g-1: dividing by a smaller unit gives the larger number (compare 3-110)",
    "3-115": "s/4.m is (s/4).m, from left to right; the suite reads s/(4.m)",
}


def _cases(group: str) -> Iterator[dict[str, str]]:
    root = etree.parse(shared_path("ucum-functional-tests.xml")).getroot()
    for case in root.iterfind(f"{group}/case"):
        yield {str(key): str(value) for key, value in case.attrib.items()}


def _unexpected(failed: set[str]) -> set[str]:
    return failed - KNOWN_FAILURES.keys()


def test_validity() -> None:
    cases = list(_cases("validation"))
    failed = {case["id"] for case in cases if is_unit(case["unit"]) is not (case["valid"] == "true")}
    assert len(cases) == 525
    assert _unexpected(failed) == set()


def test_conversion_to_the_precision_of_the_outcome() -> None:
    cases = list(_cases("conversion"))
    failed = set()
    for case in cases:
        found = convert(Decimal(case["value"]), case["srcUnit"], case["dstUnit"])
        if found is None or not _agrees(found, Decimal(case["outcome"])):
            failed.add(case["id"])
    assert len(cases) == 29
    assert _unexpected(failed) == set()


def _agrees(found: Decimal, outcome: Decimal) -> bool:
    """Whether both are equal within half of the last digit given (or 25 digits)."""
    exponent = outcome.as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(found - outcome) <= max(Decimal(5).scaleb(exponent - 1), abs(outcome) * Decimal("1e-25"))


def test_multiplication() -> None:
    for case in _cases("multiplication"):
        product = canonical(Decimal(case["v1"]) * Decimal(case["v2"]), f"({case['u1']}).({case['u2']})")
        assert product == canonical(Decimal(case["vRes"]), case["uRes"])
