"""Dates and times: precision, zones, order, arithmetic."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.fhirpath.temporal import Temporal, from_datetime

_UNITS = ["year", "month", "week", "day", "hour", "minute", "second", "millisecond"]
_LENGTHS = {1: 4, 2: 7, 3: 10}


def _read(text: str) -> Temporal:
    found = Temporal.literal(text)
    assert found is not None
    return found


dates = st.dates(dt.date(1000, 1, 1), dt.date(9000, 12, 31))
precisions = st.sampled_from([1, 2, 3])
zones = st.integers(-12 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
moments = st.datetimes(dt.datetime(1000, 1, 2), dt.datetime(9000, 1, 1), timezones=zones)  # noqa: DTZ001


def _cut(date: dt.date, precision: int) -> str:
    return date.isoformat()[: _LENGTHS[precision]]


@given(dates, precisions)
def test_a_date_is_written_as_it_was_read(date: dt.date, precision: int) -> None:
    assert str(_read(_cut(date, precision))) == _cut(date, precision)


@given(moments)
def test_a_moment_is_written_as_it_was_read(moment: dt.datetime) -> None:
    text = moment.isoformat(timespec="milliseconds")
    assert str(_read(text)) == text


@given(dates, dates, precisions, precisions)
def test_order_is_that_of_the_days_unless_precision_leaves_it_open(
    one: dt.date, other: dt.date, mine: int, theirs: int
) -> None:
    left, right = _read(_cut(one, mine)), _read(_cut(other, theirs))
    shared = _LENGTHS[min(mine, theirs)]
    a, b = one.isoformat()[:shared], other.isoformat()[:shared]
    if a != b:
        assert left.compare(right) == (-1 if a < b else 1)
    else:
        assert left.compare(right) == (0 if mine == theirs else None)
    reverse = right.compare(left)
    assert left.compare(right) == (None if reverse is None else -reverse)


@given(moments, moments)
def test_zoned_moments_compare_as_instants(one: dt.datetime, other: dt.datetime) -> None:
    left, right = from_datetime("DateTime", one), from_datetime("DateTime", other)
    one, other = (m.replace(microsecond=m.microsecond // 1000 * 1000) for m in (one, other))
    assert left.compare(right) == (one > other) - (one < other)


@given(dates, st.integers(-500, 500))
def test_days_move_like_the_calendar(date: dt.date, days: int) -> None:
    moved = _read(date.isoformat()).plus(Decimal(days), "day")
    assert str(moved) == (date + dt.timedelta(days=days)).isoformat()


@given(dates, st.integers(-200, 200))
def test_months_end_at_the_last_day(date: dt.date, months: int) -> None:
    moved = _read(date.isoformat()).plus(Decimal(months), "month")
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    assert moved is not None
    assert moved.parts[:2] == (year, month + 1)
    assert moved.parts[2] == date.day or int(moved.parts[2]) in (28, 29, 30)


@given(moments, st.sampled_from(_UNITS), st.decimals(-100, 100, places=2))
def test_moving_keeps_precision_and_zone(moment: dt.datetime, unit: str, amount: Decimal) -> None:
    start = from_datetime("DateTime", moment)
    moved = start.plus(amount, unit)
    assert moved is not None
    assert (len(moved.parts), moved.offset) == (len(start.parts), start.offset)
    assert Temporal.literal(str(moved)) is not None


@pytest.mark.parametrize(
    ("start", "amount", "unit", "end"),
    [
        ("2019", "24", "month", "2021"),
        ("2019", "-23", "month", "2018"),
        ("2019", "400", "day", "2020"),
        ("2019-03", "45", "day", "2019-04"),
        ("2018-01-31", "1", "month", "2018-02-28"),
        ("2020-02-29", "1", "year", "2021-02-28"),
        ("2018-03-01", "25", "hour", "2018-03-02"),
        ("2018-03-01", "23", "hour", "2018-03-01"),
        ("1973-12-25", "7.7", "day", "1974-01-01"),
        ("2018-03-01T10", "90", "minute", "2018-03-01T11"),
        ("2018-03-01T10:30:00.10", "0.25", "second", "2018-03-01T10:30:00.35"),
        ("T23:30", "45", "minute", "00:15"),
        ("T00:10", "-20", "minute", "23:50"),
    ],
)
def test_an_amount_finer_than_the_precision_counts_whole_units_of_it(
    start: str, amount: str, unit: str, end: str
) -> None:
    assert str(_read(start).plus(Decimal(amount), unit)) == end


@pytest.mark.parametrize(("start", "amount", "unit"), [("9999", "1", "year"), ("0001-01-01", "-1", "day")])
def test_nothing_lies_outside_the_years_1_to_9999(start: str, amount: str, unit: str) -> None:
    assert _read(start).plus(Decimal(amount), unit) is None


def test_a_clock_without_zone_is_open_against_a_zoned_one_within_a_day() -> None:
    zoned = _read("2012-04-15T15:00:00Z")
    assert zoned.compare(_read("2012-04-15T10:00:00")) is None
    assert zoned.compare(_read("2012-04-13T10:00:00")) == 1
    assert zoned.compare(_read("2012-04-18T10:00:00")) == -1


@pytest.mark.parametrize(
    "text",
    ["2015-13", "2015-02-29", "0000", "2015-1", "T24:00", "T12:60", "2015-02T10:00", "2015-02-04T10:00:61"],
)
def test_no_such_day_or_time(text: str) -> None:
    assert Temporal.literal(text) is None
