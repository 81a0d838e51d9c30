"""Dates are ranges. Source: http://hl7.org/fhir/R4/search.html#date"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.context import configure
from fhir_server.search.params.date import DAY, EARLIEST, LATEST, SECOND, asked, span, value_span, widened
from resources.outcome import FhirError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(*parts: int) -> int:
    """Return the microseconds from 1970 to a moment in UTC."""
    return (datetime(*parts, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # type: ignore[misc, arg-type]


@pytest.fixture
def vienna() -> Iterator[None]:
    """Put the server into a zone of its own."""
    configure(zone="Europe/Vienna")
    yield
    configure(zone="UTC")


@pytest.mark.parametrize(
    ("text", "lo", "after"),
    [
        ("2013", (2013, 1, 1), (2014, 1, 1)),
        ("2013-12", (2013, 12, 1), (2014, 1, 1)),
        ("2012-02", (2012, 2, 1), (2012, 3, 1)),
        ("2013-01-14", (2013, 1, 14), (2013, 1, 15)),
        ("2013-01-14T10:00", (2013, 1, 14, 10), (2013, 1, 14, 10, 1)),
        ("2013-01-14T10:00Z", (2013, 1, 14, 10), (2013, 1, 14, 10, 1)),
        ("2013-01-14T10:00:05Z", (2013, 1, 14, 10, 0, 5), (2013, 1, 14, 10, 0, 6)),
        ("2013-01-14T10:00:05+02:00", (2013, 1, 14, 8, 0, 5), (2013, 1, 14, 8, 0, 6)),
        ("2013-01-14T23:30:00-05:30", (2013, 1, 15, 5), (2013, 1, 15, 5, 0, 1)),
        ("1969-12-31T23:59:59Z", (1969, 12, 31, 23, 59, 59), (1970, 1, 1)),
    ],
)
def test_a_date_is_all_that_its_precision_leaves_open(
    text: str, lo: tuple[int, ...], after: tuple[int, ...]
) -> None:
    assert span(text) == (micros(*lo), micros(*after) - 1)


def test_fractions_of_a_second_are_as_precise_as_written() -> None:
    start = micros(2020, 1, 1)
    assert span("2020-01-01T00:00:00.5Z") == (start + 500_000, start + 599_999)
    assert span("2020-01-01T00:00:00.123Z") == (start + 123_000, start + 123_999)
    assert span("2020-01-01T00:00:00.123456789Z") == (start + 123_456, start + 123_456)


def test_the_last_year_of_the_calendar_has_an_end() -> None:
    lo, hi = span("9999")
    assert hi - lo == 365 * DAY - 1


def test_a_leap_second_is_the_second_after() -> None:
    assert span("2016-12-31T23:59:60Z")[0] == micros(2017, 1, 1)


NO_DATES = [
    "20",
    "2013-13",
    "2013-02-30",
    "2013-1-1",
    "2013-01-14T",
    "2013-01-14T25:00",
    "2013-01-14T10",
    "x2013",
    "2013-01-14T10:00+15:00",
    "２０１３",
    "2013-01-14T10:61:00Z",
    "2013-01-14T10:00:61Z",
    "0000",
]


@pytest.mark.parametrize("text", ["", *NO_DATES])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(.|\n)*$"):
        span(text)


@pytest.mark.usefixtures("vienna")
def test_dates_without_offset_are_in_the_servers_zone() -> None:
    assert span("2024-07-01")[0] == micros(2024, 6, 30, 22)
    assert span("2024-01-01T12:00:00")[0] == micros(2024, 1, 1, 11)
    assert span("2024-01-01T12:00:00Z")[0] == micros(2024, 1, 1, 12)


@pytest.mark.usefixtures("vienna")
def test_a_day_on_which_the_clock_changes_has_23_hours() -> None:
    lo, hi = span("2024-03-31")
    assert hi - lo + 1 == 23 * 3600 * SECOND


@pytest.mark.usefixtures("vienna")
@pytest.mark.parametrize(
    ("text", "hours"),
    [("2024-10-27", 25), ("2024-03", 31 * 24 - 1), ("2024-10", 31 * 24 + 1), ("2024", 366 * 24)],
)
def test_a_span_across_a_change_of_clocks_is_as_long_as_it_is(text: str, hours: int) -> None:
    lo, hi = span(text)
    assert hi - lo + 1 == hours * 3600 * SECOND


@pytest.mark.usefixtures("vienna")
@pytest.mark.parametrize("text", ["2024-10-27T02:30", "ge2024-03-31T02:30:00", "2024-10-27T02:00:00"])
def test_a_time_that_comes_twice_or_never_needs_an_offset(text: str) -> None:
    with pytest.raises(FhirError) as refused:
        asked("date", text)
    assert (refused.value.status, "offset" in refused.value.issues[0].text) == (400, True)
    assert asked("date", text + "+01:00")


@pytest.mark.usefixtures("vienna")
@pytest.mark.parametrize(
    "text", ["2024-10-27T01:59", "2024-10-27T03:00", "2024-03-31T01:59:59", "2024-10-27"]
)
def test_times_beside_a_change_of_clocks_are_clear(text: str) -> None:
    assert asked("date", text)[1:] == span(text)


SCHEDULES = [
    ({"event": ["2020-05", "2020-01-01"]}, ("2020-01-01", "2020-05")),
    ({"repeat": {"boundsPeriod": {"start": "2020", "end": "2021"}}}, ("2020", "2021")),
    (
        {"event": ["2019-05"], "repeat": {"boundsPeriod": {"start": "2020", "end": "2021"}}},
        ("2019-05", "2021"),
    ),
    ({"repeat": {"boundsPeriod": {"start": "2020"}}}, ("2020", "")),
    ({"repeat": {"boundsDuration": {"value": 5, "unit": "d"}}}, None),
    ({"repeat": {"boundsRange": {"low": {"value": 5}}, "count": 3}}, None),
    ({"event": ["2020"], "repeat": {"boundsDuration": {"value": 5}}}, ("2020", "2020")),
    ({"code": {"text": "BID"}}, None),
    ({}, None),
]


@pytest.mark.parametrize(("schedule", "limits"), SCHEDULES)
def test_of_a_schedule_the_outer_limits_count(
    schedule: dict[str, Any], limits: tuple[str, str] | None
) -> None:
    expected = (span(limits[0])[0], span(limits[1])[1] if limits[1] else LATEST) if limits else None
    assert value_span(schedule, "Timing") == expected


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_where_the_calendar_puts_it(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = aware.isoformat(timespec="microseconds")
    expected = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1) - minutes * 60 * SECOND  # noqa: DTZ001
    assert span(text) == (expected, expected)


@given(st.dates())
def test_days_months_and_years_contain_one_another(day: object) -> None:
    text = str(day)
    inner, month, year = span(text), span(text[:7]), span(text[:4])
    assert year[0] <= month[0] <= inner[0] <= inner[1] <= month[1] <= year[1]


@given(st.dates())
def test_days_follow_one_another_without_gap(day: object) -> None:
    text = str(day)
    if text < "9999-12-31":
        after = str(datetime.fromisoformat(text) + timedelta(days=1))[:10]
        assert span(text)[1] + 1 == span(after)[0]


def test_open_periods_reach_to_the_ends_of_time() -> None:
    assert value_span({"start": "2020"}, "Period") == (micros(2020, 1, 1), LATEST)
    assert value_span({"end": "2020"}, "Period") == (EARLIEST, micros(2021, 1, 1) - 1)
    assert value_span({}, "Period") is None


def test_a_timing_counts_with_its_outer_limits() -> None:
    timing = {"event": ["2020-02-01", "2020-01-01"], "repeat": {"boundsPeriod": {"end": "2020-03"}}}
    assert value_span(timing, "Timing") == (EARLIEST, micros(2020, 4, 1) - 1)
    assert value_span({"event": ["2020-02-01", "2020-01-01"]}, "Timing") == (
        micros(2020, 1, 1),
        micros(2020, 2, 2) - 1,
    )
    assert value_span({"repeat": {"frequency": 1}}, "Timing") is None


def test_approximately_reaches_a_tenth_of_the_way_to_now() -> None:
    now = (datetime.now(UTC) - EPOCH) // timedelta(microseconds=1)
    moment = now - 1000 * DAY
    lo, hi = widened(moment, moment)
    assert abs((moment - lo) - 100 * DAY) < DAY
    assert abs((hi - moment) - 100 * DAY) < DAY
