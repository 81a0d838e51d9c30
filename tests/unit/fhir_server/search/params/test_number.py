"""Numbers and their implicit precision. Source: http://hl7.org/fhir/R4/search.html#number"""

from __future__ import annotations

from decimal import Decimal

import pytest

from fhir_server.search.params.number import Asked, asked
from resources.outcome import FhirError


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("100", "99.5", "100.5"),
        ("100.00", "99.995", "100.005"),
        ("1e2", "95", "105"),
        ("1.00e2", "99.5", "100.5"),  # three digits, as 100 has
        ("10e1", "95", "105"),
        ("5.40e-3", "0.005395", "0.005405"),  # R4's example of a quantity
        ("5.4", "5.35", "5.45"),
        ("5.40", "5.395", "5.405"),
        ("-2", "-2.5", "-1.5"),
        ("0", "-0.5", "0.5"),
        ("eq100", "99.5", "100.5"),
        ("ne100", "99.5", "100.5"),
        ("ap100", "90", "110"),
        ("ap-100", "-110", "-90"),
    ],
)
def test_a_number_is_all_that_its_digits_leave_open(text: str, first: str, last: str) -> None:
    found = asked("length", text)
    assert (found.first, found.last) == (Decimal(first), Decimal(last))


def test_a_prefix_is_taken_off() -> None:
    assert asked("length", "ge5.4") == Asked("ge", Decimal("5.4"), Decimal("5.35"), Decimal("5.45"))


@pytest.mark.parametrize(
    "text", ["", "abc", "5,4", "1e", "--1", "0x10", "NaN", "Infinity", "gt", "1e9999", "５", "xx5"]
)
def test_what_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(FhirError) as refused:
        asked("length", text)
    assert refused.value.status == 400
    assert refused.value.issues[0].code == "value"
    assert "'length'" in refused.value.issues[0].text
