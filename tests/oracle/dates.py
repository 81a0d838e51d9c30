"""Dates as ranges of microseconds.

Source: http://hl7.org/fhir/R4/search.html#date and #prefix
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oracle.extract import Value
from tests.oracle.text import plain, prefixed

Span = tuple[float | int, float | int]
"""First and last microsecond since 1970 in UTC; infinite where open."""

ALWAYS, NEVER = float("inf"), float("-inf")
_DATE = re.compile(
    r"(?P<y>\d{4})(-(?P<m>\d\d)(-(?P<d>\d\d)"
    r"(T(?P<h>\d\d):(?P<n>\d\d)(:(?P<s>\d\d)(\.(?P<f>\d+))?)?(?P<z>Z|[+-]\d\d:\d\d)?)?)?)?\Z"
)


def span(text: str) -> Span:
    """Return the range that a date means; without an offset it is in UTC, the default zone of the server."""
    found = _DATE.match(text)
    if found is None:
        raise ValueError(text)
    year, month, day = int(found["y"]), int(found["m"] or 1), int(found["d"] or 1)
    start = datetime(year, month, day, int(found["h"] or 0), int(found["n"] or 0), tzinfo=UTC)
    begin = _micros(start) + int(found["s"] or 0) * 1_000_000 - _offset(found["z"])
    if found["f"]:
        digits = found["f"][:6]
        begin += int(digits.ljust(6, "0"))
        return begin, begin + 10 ** (6 - len(digits)) - 1
    return begin, begin + _length(found) - 1


def _length(found: re.Match[str]) -> int:
    day = 86_400_000_000
    if found["s"]:
        return 1_000_000
    if found["h"]:
        return 60_000_000
    if found["d"]:
        return day
    if found["m"]:
        return monthrange(int(found["y"]), int(found["m"]))[1] * day
    return sum(monthrange(int(found["y"]), month)[1] for month in range(1, 13)) * day


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _offset(text: str | None) -> int:
    if text is None or text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return minutes * 60_000_000 * (-1 if text[0] == "-" else 1)


def spans(value: Value) -> Iterator[Span]:
    """Yield the range that a value is, nothing where it is no date."""
    if value.type in ("date", "dateTime", "instant"):
        yield span(value.data)
    elif value.type == "Period":
        yield from _period(value.data)
    elif value.type == "Timing":
        known = [span(event) for event in value.data.get("event", ()) if event]
        known += _period(value.data.get("repeat", {}).get("boundsPeriod", {}))
        if known:
            yield min(first for first, _ in known), max(last for _, last in known)


def _period(data: dict[str, Any]) -> Iterator[Span]:
    if "start" in data or "end" in data:
        begin = span(data["start"])[0] if "start" in data else NEVER
        end = span(data["end"])[1] if "end" in data else ALWAYS
        yield begin, end


def matches(value: Value, text: str) -> bool:
    """Whether a value passes a search value; `ap` reaches a tenth of the distance to now further at both ends."""
    prefix, rest = prefixed(plain(text))
    return any(compare(prefix, span(rest), target) for target in spans(value))


def compare(prefix: str, asked: Span, target: Span) -> bool:
    """Whether the range `target` passes; the table of prefixes, word by word."""
    (first, last), (begin, end) = asked, target
    contained = first <= begin and end <= last
    above, below = end > last, begin < first
    if prefix == "ap":
        now = _micros(datetime.now(UTC))
        reach = abs(now - (first + last) / 2) / 10
        return begin <= last + reach and end >= first - reach
    return {
        "eq": contained,
        "ne": not contained,
        "gt": above,
        "lt": below,
        "ge": above or contained,
        "le": below or contained,
        "sa": begin > last,
        "eb": end < first,
    }[prefix]
