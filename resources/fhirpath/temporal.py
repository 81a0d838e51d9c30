"""Dates, date-times and times with their precision.

Source: http://hl7.org/fhirpath/N1/#date, #datetime, #time, #datetime-comparison, #datetime-arithmetic
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

Part = int | Decimal
Kind = Literal["Date", "DateTime", "Time"]

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?")
_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)?$")
_MAX_ZONE_SPREAD = timedelta(hours=26)
"""Two clocks with an unknown zone can differ by −12 to +14 hours."""

_MONTHS_PER_YEAR, _DAYS_PER_YEAR, _DAYS_PER_MONTH = 12, 365, 30
_FURTHEST = Decimal(10) ** 15
"""More of any unit than lies between the years 1 and 9999."""
_LEAST = (1, 1, 1, 0, 0, 0)
_SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_FINEST = {"year": 1, "month": 2, "week": 3, "day": 3, "hour": 4, "minute": 5, "second": 6, "millisecond": 6}


@dataclass(frozen=True, slots=True)
class Temporal:
    """A point in time as precise as its `parts`.

    Shape:  `parts` are year, month, day, hour, minute, second (a Decimal with the fraction) as far as known,
            from hour on for a Time; `offset` in minutes, None where no zone is given
    """

    kind: Kind
    parts: tuple[Part, ...]
    offset: int | None = None
    utc: bool = False

    @staticmethod
    def literal(text: str) -> Temporal | None:
        """Return the value of a literal without its '@'; None where it is no real date or time."""
        if text[0] == "T":
            return Temporal.parse("Time", text[1:])
        return Temporal.parse("DateTime" if "T" in text else "Date", text)

    @staticmethod
    def parse(kind: Kind, text: str) -> Temporal | None:
        """Return the value written as `text`, None where it is none of that kind."""
        if kind == "Time":
            parts = _time_parts(text)
            return None if parts is None else Temporal("Time", parts)
        date, separator, time = text.partition("T")
        parts = _date_parts(date)
        if parts is None or (kind == "Date" and separator):
            return None
        if not time:
            return Temporal(kind, parts)
        zone = _ZONE.search(time)
        clock = _time_parts(time[: zone.start()]) if zone else None
        if zone is None or clock is None or len(parts) < 3:
            return None
        return Temporal(kind, parts + clock, _offset(zone.group()), zone.group() == "Z")

    def __str__(self) -> str:
        if self.kind == "Time":
            return _clock(self.parts)
        text = "-".join([f"{self.parts[0]:04d}", *(f"{part:02d}" for part in self.parts[1:3])])
        if len(self.parts) <= 3:
            return text
        return f"{text}T{_clock(self.parts[3:])}{self.zone()}"

    def zone(self) -> str:
        """Return the zone as written, empty where none is given."""
        if self.offset is None:
            return ""
        if self.utc:
            return "Z"
        return f"{'-' if self.offset < 0 else '+'}{abs(self.offset) // 60:02d}:{abs(self.offset) % 60:02d}"

    def comparable(self, other: Temporal) -> bool:
        """Whether both are times of day or both are dates."""
        return (self.kind == "Time") == (other.kind == "Time")

    def compare(self, other: Temporal) -> int | None:
        """Return −1, 0 or 1; None where precision or zone leave it open."""
        mine, theirs = self.parts, other.parts
        if self.offset != other.offset and len(mine) > 3 and len(theirs) > 3:
            if self.offset is None or other.offset is None:
                return self._compare_across_zones(other)
            mine, theirs = self._utc_parts(), other._utc_parts()
        for left, right in zip(mine, theirs, strict=False):
            if left != right:
                return -1 if left < right else 1
        return 0 if len(mine) == len(theirs) else None

    def _compare_across_zones(self, other: Temporal) -> int | None:
        difference = self._clock() - other._clock()
        if abs(difference) <= _MAX_ZONE_SPREAD:
            return None
        return -1 if difference < timedelta() else 1

    def _clock(self) -> datetime:
        """Return the local clock down to the whole second, missing parts at their least."""
        known = [int(part) for part in self.parts]
        year, month, day, hour, minute, second = (*known, *_LEAST[len(known) :])
        return datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001

    def _utc_parts(self) -> tuple[Part, ...]:
        try:
            moved = self._clock() - timedelta(minutes=self.offset or 0)
        except OverflowError:
            return self.parts
        whole = (moved.year, moved.month, moved.day, moved.hour, moved.minute)
        return (*whole, *self.parts[5:]) if len(self.parts) >= 5 else whole[: len(self.parts)]

    def plus(self, amount: Decimal, unit: str) -> Temporal | None:
        """Return this moved by `amount` of a calendar unit; None outside the years 1 to 9999.

        Shape:  a unit finer than the precision is first turned into whole units of that precision
        Errors: ValueError where a Time is moved by days or more
        """
        if abs(amount) > _FURTHEST:
            return None
        if unit == "millisecond":
            amount, unit = amount / 1000, "second"
        if unit != "second":
            amount = Decimal(int(amount))
        try:
            if self.kind == "Time":
                return self._plus_time(amount, unit)
            if unit in ("year", "month"):
                return self._plus_months(amount, unit)
            return self._plus_seconds(amount * _SECONDS[unit], _FINEST[unit])
        except OverflowError:
            return None

    def _plus_time(self, amount: Decimal, unit: str) -> Temporal:
        if unit not in ("hour", "minute", "second"):
            raise ValueError(unit)
        scale = (3_600, 60, 1)
        total = sum((Decimal(p) * s for p, s in zip(self.parts, scale, strict=False)), Decimal())
        moved = _mod(total + amount * _SECONDS[unit], Decimal(86_400))
        hour, minute = int(moved // 3_600), int(moved // 60 % 60)
        return Temporal("Time", (hour, minute, moved - hour * 3_600 - minute * 60)[: len(self.parts)])

    def _plus_months(self, amount: Decimal, unit: str) -> Temporal:
        months = int(amount) * (_MONTHS_PER_YEAR if unit == "year" else 1)
        if len(self.parts) == 1:
            return self._with_date(int(self.parts[0]) + _towards_zero(Decimal(months), _MONTHS_PER_YEAR))
        year, month = divmod(int(self.parts[0]) * 12 + int(self.parts[1]) - 1 + months, 12)
        return self._with_date(year, month + 1, *(int(p) for p in self.parts[2:3]))

    def _plus_seconds(self, seconds: Decimal, finest: int) -> Temporal:
        days = _towards_zero(seconds, 86_400)
        if len(self.parts) == 1:
            return self._with_date(int(self.parts[0]) + _towards_zero(Decimal(days), _DAYS_PER_YEAR))
        if len(self.parts) == 2:
            return self._plus_months(Decimal(_towards_zero(Decimal(days), _DAYS_PER_MONTH)), "month")
        step = (86_400, 3_600, 60)[len(self.parts) - 3] if len(self.parts) < 6 else 0
        if step and len(self.parts) < finest:
            seconds = Decimal(_towards_zero(seconds, step) * step)
        second = Decimal(self.parts[5]) if len(self.parts) > 5 else Decimal()
        total = second + seconds
        whole = int(total.to_integral_value("ROUND_FLOOR"))
        moved = self._clock().replace(second=0) + timedelta(seconds=whole)
        parts = (moved.year, moved.month, moved.day, moved.hour, moved.minute, moved.second + (total - whole))
        return Temporal(self.kind, parts[: len(self.parts)], self.offset, self.utc)

    def _with_date(self, year: int, month: int | None = None, day: int | None = None) -> Temporal:
        if not 1 <= year <= 9999:
            raise OverflowError(year)
        date: list[Part] = [year]
        if month is not None:
            date.append(month)
            if day is not None:
                date.append(min(day, days_in_month(year, month)))
        return Temporal(self.kind, (*date, *self.parts[len(date) :]), self.offset, self.utc)


def days_in_month(year: int, month: int) -> int:
    """Return the number of days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def from_datetime(kind: Kind, moment: datetime) -> Temporal:
    """Return the Date, DateTime (to the millisecond, with its zone) or Time of a moment."""
    date: tuple[Part, ...] = (moment.year, moment.month, moment.day)
    clock: tuple[Part, ...] = (
        moment.hour,
        moment.minute,
        Decimal(moment.second * 1000 + moment.microsecond // 1000).scaleb(-3),
    )
    if kind == "Date":
        return Temporal(kind, date)
    if kind == "Time":
        return Temporal(kind, clock)
    offset = moment.utcoffset()
    return Temporal(kind, date + clock, None if offset is None else int(offset.total_seconds() // 60))


def _date_parts(text: str) -> tuple[Part, ...] | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    parts = tuple(int(part) for part in match.groups() if part is not None)
    if parts[0] < 1 or (len(parts) > 1 and not 1 <= parts[1] <= 12):
        return None
    if len(parts) > 2 and not 1 <= parts[2] <= days_in_month(parts[0], parts[1]):
        return None
    return parts


def _time_parts(text: str) -> tuple[Part, ...] | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = match.groups()
    parts: list[Part] = [int(hour)]
    if minute is not None:
        parts.append(int(minute))
    if second is not None:
        parts.append(Decimal(second))
    if parts[0] > 23 or any(part >= 60 for part in parts[1:2]) or any(part > 60 for part in parts[2:]):
        return None
    return tuple(parts)


def _offset(zone: str) -> int | None:
    if not zone:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    return -minutes if zone[0] == "-" else minutes


def _clock(parts: tuple[Part, ...]) -> str:
    texts = [f"{int(part):02d}" for part in parts[:2]]
    if len(parts) > 2:
        second = f"{parts[2]:f}"
        texts.append(second if second.find(".") == 2 or (len(second) == 2) else "0" + second)
    return ":".join(texts)


def _towards_zero(value: Decimal, divisor: int) -> int:
    return int(value / divisor)


def _mod(value: Decimal, modulus: Decimal) -> Decimal:
    rest = value % modulus
    return rest + modulus if rest < 0 else rest
