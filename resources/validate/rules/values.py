"""Rules of a value by itself: fixed and pattern, least and greatest, longest.

Source: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.fixed_x_ and following
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from resources.fhirpath.equality import compare
from resources.fhirpath.model import kind_of
from resources.fhirpath.quantity import CALENDAR_OF_UCUM, CALENDAR_UNITS, Quantity
from resources.fhirpath.slicing import within
from resources.fhirpath.temporal import Temporal, from_datetime
from resources.fhirpath.values import Node as Item
from resources.fhirpath.values import system
from resources.outcome import FhirError
from resources.profiles.nodes import Node
from resources.validate.rules.invariants import Check
from resources.validate.rules.run import Frame, Run

_SHOWN = 120
_CLOCKED = ("date", "dateTime", "instant")


def value_checks(node: Node, code: str) -> Iterator[Check]:
    """Yield the checks of fixed, pattern, least, greatest and longest for values of type `code`."""
    if node.fixed is not None:
        yield _fixed(node.fixed[1])
    if node.pattern is not None:
        yield _pattern(node.pattern[1])
    if node.least is not None:
        yield _limit(node.least, code, -1, "value-too-small")
    if node.greatest is not None:
        yield _limit(node.greatest, code, 1, "value-too-large")
    if node.longest is not None:
        yield _longest(node.longest)


def shown(value: Any) -> str:
    """Return a value as text, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _fixed(wanted: Any) -> Check:
    text = shown(wanted)

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if value != wanted:
            run.say("fixed-value", path, wanted=text)

    return check


def _pattern(wanted: Any) -> Check:
    text = shown(wanted)

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if not within(wanted, value):
            run.say("pattern-missing", path, wanted=text)

    return check


def _longest(longest: int) -> Check:
    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if type(value) is str and len(value) > longest:
            run.say("value-too-long", path, length=len(value), longest=longest)

    return check


def _limit(limit: tuple[str, Any], code: str, side: int, message: str) -> Check:
    """Return the check that a value is not beyond the limit; where the order is open (precision, units) it is not."""
    kind, (limit_code, limit_value) = kind_of(code), limit
    relative = code in _CLOCKED and limit_code not in _CLOCKED
    fixed = None if relative else system(Item(limit_value, kind_of(limit_code)))
    text = shown(limit_value)

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if value is None:
            return
        wanted = fixed if fixed is not None else _from_now(limit_value, code, side)
        try:
            order = compare(system(Item(value, kind)), wanted) if wanted is not None else None
        except FhirError:
            order = None
        if order == side:
            run.say(message, path, value=shown(value), limit=text)

    return check


def _from_now(duration: Any, code: str, side: int) -> Temporal | None:
    """Return the moment that lies a duration before now (the least) or after it (the greatest)."""
    amount = Quantity(Decimal(str(duration.get("value", 0))), str(duration.get("code", "")))
    unit = CALENDAR_UNITS.get(amount.unit) or CALENDAR_OF_UCUM.get(amount.unit)
    now = from_datetime("Date" if code == "date" else "DateTime", datetime.now(UTC))
    return now.plus(amount.value * side, unit) if unit is not None else None
