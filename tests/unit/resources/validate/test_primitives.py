"""The format and range of every primitive type, from both sides of each border."""

from __future__ import annotations

import calendar
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.definitions import definitions
from resources.validate.primitives import PRIMITIVES, holds

RIGHT: dict[str, list[Any]] = {
    "base64Binary": ["AA==", "QUJD", "QU JD\n", "QUJD" * 1000],
    "boolean": [True, False],
    "canonical": ["http://example.org/x|1.0#a", "#a"],
    "code": ["a", "a b", "8480-6", "{score}"],
    "date": ["2020", "2020-02", "2020-02-29", "2000-02-29", "0001-01-01", "9999-12-31"],
    "dateTime": [
        "2020",
        "2020-12",
        "2020-12-31",
        "2020-12-31T23:59:60Z",
        "2020-01-01T00:00:00.123456789-14:00",
    ],
    "decimal": [1, -1, Decimal("1.00"), Decimal("1E+400"), Decimal("-0.0"), 10**399],
    "id": ["a", "A-1.b", "x" * 64],
    "instant": ["2020-12-31T23:59:59.999Z", "2020-02-29T00:00:00+05:30"],
    "integer": [0, -(2**31), 2**31 - 1],
    "markdown": ["a\n\n* b\t\r\n"],
    "oid": ["urn:oid:1.2.3", "urn:oid:2.0.10"],
    "positiveInt": [1, 2**31 - 1],
    "string": ["a", " a ", "x" * 1024 * 1024, "é\u2028😀", "a\tb\nc"],
    "time": ["00:00:00", "23:59:59.5"],
    "unsignedInt": [0, 2**31 - 1],
    "uri": ["urn:x", "http://example.org/a?b=c#d", "a"],
    "url": ["http://example.org"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
}

WRONG: dict[str, list[Any]] = {
    "base64Binary": ["", " ", "A", "QUI", "QU=D", "QUJD!", "é", 1, None],
    "boolean": ["true", 1, 0, None],
    "canonical": ["", "a b"],
    "code": ["", " a", "a ", "a  b", "a\x00", 1],
    "date": [
        "2019-02-29",
        "1900-02-29",
        "2020-04-31",
        "2020-13",
        "2020-1",
        "0000",
        "20200101",
        "2020-01-01T00:00:00Z",
    ],
    "dateTime": [
        "2020-12-31T23:59Z",
        "2020-12-31T23:59:59",
        "2020-12-31T24:00:00Z",
        "2020-12-31T00:00:00+14:30",
    ],
    "decimal": [
        "1.0",
        True,
        Decimal("1E+401"),
        Decimal("1E-401"),
        Decimal("NaN"),
        Decimal("Infinity"),
        10**400,
        1.0,
    ],
    "id": ["", "a b", "x" * 65, "a_b", "é", "a\n"],
    "instant": ["2020", "2020-12-31", "2021-02-29T00:00:00Z", "2020-12-31T23:59:59"],
    "integer": [2**31, -(2**31) - 1, Decimal("1.0"), True, "1"],
    "markdown": ["", "\x0b"],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02"],
    "positiveInt": [0, -1, 2**31, Decimal(1)],
    "string": ["", "\x00", "a\x1fb", "x" * (1024 * 1024 + 1), "\ud800", "\uffff", 1, ["a"], {"a": 1}],
    "time": ["24:00:00", "12:00", "12:00:00Z"],
    "unsignedInt": [-1, 2**31],
    "uri": ["", "a b", "a\n", "\x00"],
    "url": [" "],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"],
}


def test_every_primitive_of_the_definitions_is_known() -> None:
    kinds = {name for name, t in definitions().package.types.items() if t.kind == "primitive"}
    assert set(PRIMITIVES) == kinds - {"xhtml"} == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, vs in RIGHT.items() for v in vs], ids=lambda v: repr(v)[:30]
)
def test_right_values_pass(name: str, value: Any) -> None:
    assert holds(PRIMITIVES[name].check, value)
    assert holds(PRIMITIVES[name].check, value)  # again, now that it may be remembered


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, vs in WRONG.items() for v in vs], ids=lambda v: repr(v)[:30]
)
def test_wrong_values_do_not_pass(name: str, value: Any) -> None:
    assert not holds(PRIMITIVES[name].check, value)
    assert not holds(PRIMITIVES[name].check, value)


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
def test_dates_pass_exactly_where_the_calendar_has_them(year: int, month: int, day: int) -> None:
    real = year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    text = f"{year:04}-{month:02}-{day:02}"
    assert holds(PRIMITIVES["date"].check, text) is real
    assert holds(PRIMITIVES["dateTime"].check, text) is real
    assert holds(PRIMITIVES["instant"].check, f"{text}T12:00:00Z") is real


@settings(deadline=None)
@given(
    st.sampled_from(sorted(PRIMITIVES)),
    st.text() | st.integers() | st.none() | st.lists(st.integers(), max_size=1),
)
def test_no_value_makes_a_check_fail_otherwise(name: str, value: Any) -> None:
    assert holds(PRIMITIVES[name].check, value) in (True, False)


def test_remembered_values_stay_bounded() -> None:
    check = PRIMITIVES["uri"].check
    for number in range(10_000):
        assert check(f"urn:x:{number}")
    known = getattr(check, "__self__")  # noqa: B009 - the bound method of the memory
    assert len(known) <= known.limit
