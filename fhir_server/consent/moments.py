"""Dates of Consents as ranges of microseconds.

Source: http://hl7.org/fhir/R4/datatypes.html#Period, #dateTime
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Any

MICRO = 1_000_000
EARLIEST, LATEST = -(2**63) + 1, 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span(text: str) -> tuple[int, int]:
    """Return the first and last microsecond since 1970 that a date or dateTime can mean, in UTC where it says no zone.

    Errors: ValueError for what is no date
    """
    if "T" in text:
        moment = datetime.fromisoformat(text)
        lo = _micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        return (lo, lo) if "." in text else (lo, lo + MICRO - 1)
    year, *rest = (int(part) for part in text.split("-"))
    months = (rest[0], rest[0]) if rest else (1, 12)
    days = (rest[1], rest[1]) if len(rest) > 1 else (1, monthrange(year, months[1])[1])
    first, last = (datetime(year, month, day, tzinfo=UTC) for month, day in zip(months, days, strict=True))
    return _micros(first), _micros(last) + 86_400 * MICRO - 1


def period(value: Any) -> tuple[int, int]:
    """Return the first and last microsecond of a Period, both inclusive; raises ValueError or TypeError."""
    lo = span(value["start"])[0] if "start" in value else EARLIEST
    hi = span(value["end"])[1] if "end" in value else LATEST
    return lo, hi


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
