"""Dates: every value is the range of microseconds that it can mean, and so is every search value.

Source: http://hl7.org/fhir/R4/search.html#date and #prefix
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from fhir_server.search.context import Context
from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, all_of, any_of, of_types
from fhir_server.search.values import bad_value, prefixed, unescape
from fhir_server.storage.rows import MISSING_DATE, type_number

EARLIEST = -(2**63) + 1
"""An open start; one more than the sentinel of rows without a date."""
LATEST = 2**63 - 1
"""An open end."""

SECOND, DAY = 1_000_000, 86_400_000_000
_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z",
    re.ASCII,
)


def span(text: str) -> tuple[int, int]:
    """Return the first and last microsecond (since 1970, UTC) that a date, dateTime or instant can mean.

    Shape:  2013-01 is all of January; a time without an offset is in the server's zone, the first of two where clocks
            go back; digits of a second beyond the sixth do not count
    Errors: ValueError for what is no date
    """
    found = _FORM.match(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if hour is None:
        return _days(int(year), month, day)
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 60:
        raise ValueError(text)
    whole = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    lo = whole * DAY + (int(hour) * 3600 + int(minute) * 60 + int(second or 0)) * SECOND
    lo -= _offset(offset) if offset else _zone_offset(lo)
    if fraction:
        digits = min(len(fraction), 6)
        lo += int(fraction[:6].ljust(6, "0"))
        return lo, lo + 10 ** (6 - digits) - 1
    return lo, lo + (SECOND if second else 60 * SECOND) - 1


def _days(year: int, month: str | None, day: str | None) -> tuple[int, int]:
    first = date(year, int(month or 1), int(day or 1)).toordinal() - _EPOCH_DAY
    if day:
        last = first + 1
    elif month:
        after = (year, int(month) + 1) if int(month) < 12 else (year + 1, 1)
        last = _first_day(*after)
    else:
        last = _first_day(year + 1, 1)
    lo, hi = first * DAY, last * DAY
    if Context.zone is not None:
        lo, hi = lo - _zone_offset(lo), hi - _zone_offset(hi)
    return lo, hi - 1


def _first_day(year: int, month: int) -> int:
    if year > 9999:
        return date(9999, 12, 31).toordinal() + 1 - _EPOCH_DAY
    return date(year, month, 1).toordinal() - _EPOCH_DAY


def _offset(text: str) -> int:
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError(text)
    amount = (hours * 60 + minutes) * 60 * SECOND
    return -amount if text[0] == "-" else amount


def _zone_offset(local: int) -> int:
    """Return how far the server's zone is ahead of UTC at a local time, in microseconds."""
    if Context.zone is None:
        return 0
    days, rest = divmod(local, DAY)
    day = days + _EPOCH_DAY
    if not 2 <= day < date.max.toordinal():
        return 0
    hours, rest = divmod(rest // SECOND, 3600)
    moment = datetime.fromordinal(day).replace(
        hour=hours, minute=rest // 60, second=rest % 60, tzinfo=Context.zone
    )
    offset = moment.utcoffset()
    return round(offset.total_seconds()) * SECOND if offset is not None else 0


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add the range of one date value to `sink`."""
    found = value_span(value, type_name)
    if found is not None:
        sink.dates.add((param, *found))
        sink.present.add(param)


def index_main(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Make the range of one date value the resource's main date."""
    found = value_span(value, type_name)
    if found is not None:
        sink.d0, sink.d1 = found
        sink.present.add(param)


def value_span(value: Any, type_name: str) -> tuple[int, int] | None:
    """Return the range that a value of a FHIR type stands for, None where it says no date."""
    if type_name in ("dateTime", "date", "instant"):
        return _span_of(value)
    if type_name == "Period":
        return _period(value)
    if type_name == "Timing":
        return _timing(value)
    return None


def _span_of(value: Any) -> tuple[int, int] | None:
    try:
        return span(value)
    except (ValueError, TypeError):
        return None


def _period(value: Any) -> tuple[int, int] | None:
    start = _span_of(value.get("start")) if "start" in value else None
    end = _span_of(value.get("end")) if "end" in value else None
    if start is None and end is None:
        return None
    return start[0] if start else EARLIEST, end[1] if end else LATEST


def _timing(value: Any) -> tuple[int, int] | None:
    """Return the outer limits of a schedule: its events and its period; what repeats in between does not count.

    Shape:  None where it has neither: boundsDuration, boundsRange, lengths and counts say when nothing is
    Source: http://hl7.org/fhir/R4/search.html#date ("only the outer limits matter")
    """
    spans = [_span_of(event) for event in value.get("event", ())]
    bounds = value.get("repeat", {}).get("boundsPeriod")
    if bounds is not None:
        spans.append(_period(bounds))
    known = [found for found in spans if found is not None]
    return (min(lo for lo, _ in known), max(hi for _, hi in known)) if known else None


def test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes.

    Errors: 400 value
    """
    wanted = [asked(param.code, value) for value in values]
    if param.place == "main":
        return _main_test(param, wanted)
    ids = ", ".join(str(part.id) for part in param.parts)

    def rows(sql: Sql) -> str:
        return (
            f"SELECT i.rid FROM idx_date i WHERE i.param IN ({ids}) AND {_any(wanted, sql, 'i.lo', 'i.hi')}"
        )

    return Test(lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)", 60, rows)


def _main_test(param: Param, wanted: Sequence[Asked]) -> Test:
    """Return the test of the main date, which stands in the row itself."""

    def where(sql: Sql, row: str) -> str:
        return f"({row}.d0 <> {MISSING_DATE} AND {_any(wanted, sql, f'{row}.d0', f'{row}.d1')})"

    def bounds(sql: Sql, column: str) -> list[str]:
        return _bounds(sql, param.types, column, wanted)

    def rids(sql: Sql) -> str:
        known = [*bounds(sql, "m.d0"), where(sql, "m")]
        return (
            f"SELECT m.rid FROM resource m WHERE {of_types('m', param.types)} AND m.live AND {all_of(known)}"
        )

    late = all(prefix in _LATE for prefix, _, _ in wanted)
    return Test(where, _COUNTED, rids, newest=late, bounds=bounds)


_LATE = ("ge", "gt", "sa")
_COUNTED = 70
"""Rank of what leads only where it was counted to find few rows."""


def _bounds(sql: Sql, types: Sequence[str], column: str, wanted: Sequence[Asked]) -> list[str]:
    """Return what every match's first moment must meet, so that an index in order of it is read no further.

    A range that is asked for by its end may have begun long before: at the earliest where the first of the ranges
    begins that are longer than a day and reach so far.
    """
    found = []
    starts = [
        {"eq": first, "sa": last, "ge": first, "ap": first, "gt": last}.get(p) for p, first, last in wanted
    ]
    if None not in starts:
        start = min(value for value in starts if value is not None)
        if any(prefix in ("ge", "ap", "gt") for prefix, _, _ in wanted):
            reaching = f"x.live AND x.d1 > x.d0 + {DAY} AND x.d1 >= {sql.big(start)}"
            long = [
                f"(SELECT x.d0 FROM resource x WHERE x.type = {type_number(name)} AND {reaching} ORDER BY x.d0 LIMIT 1)"
                for name in types
            ]
            found.append(f"{column} >= LEAST({', '.join([sql.big(max(start - DAY, EARLIEST)), *long])})")
        else:
            found.append(f"{column} >= {sql.big(start)}")
    ends = [
        {"eq": last, "lt": first, "eb": first, "le": last, "ap": last}.get(p) for p, first, last in wanted
    ]
    if None not in ends:
        found.append(f"{column} <= {sql.big(max(value for value in ends if value is not None))}")
    return found


def updated_test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test of `_lastUpdated`, an instant in the row itself."""
    wanted = [asked(param.code, value) for value in values]

    def where(sql: Sql, row: str) -> str:
        return any_of([_updated(sql, row, *one) for one in wanted])

    def rids(sql: Sql) -> str:
        return f"SELECT m.rid FROM resource m WHERE m.version > 0 AND {where(sql, 'm')}"

    return Test(where, _COUNTED, rids, recent=all(prefix in _LATE for prefix, _, _ in wanted))


Asked = tuple[str, int, int]


def asked(code: str, text: str) -> Asked:
    """Return the prefix of a search value and the range that it means.

    Errors: 400 value; so is a time without an offset that the server's zone has twice or never, as its clocks change
    """
    prefix, rest = prefixed(unescape(text))
    written = rest.replace(" ", "+") if rest[10:11] == "T" else rest
    try:
        lo, hi = span(written)
    except ValueError:
        raise bad_value(
            code, text, "a date such as 2024, 2024-05, 2024-05-31 or 2024-05-31T10:00:00Z"
        ) from None
    if Context.zone is not None and _doubtful(written):
        raise bad_value(code, text, f"the clocks of {Context.zone} change then, so that it needs an offset")
    return (prefix, *(widened(lo, hi) if prefix == "ap" else (lo, hi)))


def _doubtful(text: str) -> bool:
    """Whether a time without an offset comes twice, or not at all, in the server's zone."""
    found = _FORM.match(text)
    if found is None or found[4] is None or found[8] is not None:
        return False
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    local = datetime(year, month, day, hour, minute, tzinfo=Context.zone)
    return local.utcoffset() != local.replace(fold=1).utcoffset()


def widened(lo: int, hi: int) -> tuple[int, int]:
    """Return the range that is approximately `lo` to `hi`: a tenth of the way to now longer at both ends."""
    now = time.time_ns() // 1000
    gap = abs(now - (lo + hi) // 2) // 10
    return max(lo - gap, EARLIEST), min(hi + gap, LATEST)


def _any(wanted: Sequence[Asked], sql: Sql, lo: str, hi: str) -> str:
    return any_of([compare(sql, lo, hi, *one) for one in wanted])


def compare(sql: Sql, lo: str, hi: str, prefix: str, first: int, last: int) -> str:
    """Return the condition on a stored range; `first` and `last` are the search value's own (all inclusive)."""
    if prefix == "gt":
        return f"{hi} > {sql.big(last)}"
    if prefix == "lt":
        return f"{lo} < {sql.big(first)}"
    if prefix == "sa":
        return f"{lo} > {sql.big(last)}"
    if prefix == "eb":
        return f"{hi} < {sql.big(first)}"
    if prefix == "ap":
        return f"({lo} <= {sql.big(last)} AND {hi} >= {sql.big(first)})"
    start, end = sql.big(first), sql.big(last)
    if prefix == "ge":
        return f"({lo} >= {start} OR {hi} > {end})"
    if prefix == "le":
        return f"({hi} <= {end} OR {lo} < {start})"
    within = f"({lo} >= {start} AND {lo} <= {end} AND {hi} <= {end})"
    return f"NOT {within}" if prefix == "ne" else within


def _updated(sql: Sql, row: str, prefix: str, first: int, last: int) -> str:
    def moment(value: int) -> str:
        return f"(timestamptz 'epoch' + {sql.big(_storable(value))} * interval '1 microsecond')"

    column = f"{row}.updated"
    if prefix in ("gt", "sa"):
        return f"{column} > {moment(last)}"
    if prefix in ("lt", "eb"):
        return f"{column} < {moment(first)}"
    if prefix == "ge":
        return f"{column} >= {moment(first)}"
    if prefix == "le":
        return f"{column} <= {moment(last)}"
    within = f"({column} >= {moment(first)} AND {column} <= {moment(last)})"
    return f"NOT {within}" if prefix == "ne" else within


def _storable(value: int) -> int:
    """Return `value` within what a timestamptz can be compared with."""
    return min(max(value, -62_135_596_800_000_000), 253_402_300_799_999_999)
