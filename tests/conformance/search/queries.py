"""Search values made from the values in the data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.oracle import codes, dates, numbers
from tests.oracle.definitions import Parameter
from tests.oracle.extract import Value
from tests.oracle.text import escape

Pair = tuple[str, str]
KINDS = {"token", "string", "reference", "date", "number", "quantity", "uri"}
LONGEST = 400


def supported(parameter: Parameter) -> bool:
    """Whether queries can be made for a parameter."""
    return (
        parameter.kind in KINDS
        and bool(parameter.expression)
        and parameter.code not in ("_id", "_lastUpdated")
    )


def askable(kind: str, value: Value) -> bool:
    """Whether a value is one that a component of a type can have: a token may read what is a Quantity or a date."""
    if kind == "date":
        return any(True for _ in dates.spans(value))
    if kind in ("number", "quantity"):
        return any(True for _ in numbers.amounts(value))
    if kind == "string":
        return any(True for _ in codes.strings(value))
    return kind != "token" or isinstance(value.data, str | bool) or value.type in (*codes.CODED, "Identifier")


def equal(parameter: Parameter, value: Value) -> list[Pair]:
    """Return criteria that ask for just this value."""
    made = EQUAL[parameter.kind](value)
    return [(parameter.code, text) for text in made if 0 < len(text.strip()) <= LONGEST]


def _token(value: Value) -> list[str]:
    data = value.data
    if value.type in ("Coding", "CodeableConcept"):
        return [
            "|".join((escape(one.get("system", "")), escape(one["code"])))
            for one in codes.codings(value)
            if "code" in one
        ]
    if value.type == "Identifier":
        return [escape(data.get("system", "")) + "|" + escape(data["value"])] if "value" in data else []
    if value.type == "ContactPoint":
        return [escape(data["value"])] if "value" in data else []
    return [str(data).lower() if isinstance(data, bool) else escape(str(data))]


def _string(value: Value) -> list[str]:
    return [escape(one) for one in codes.strings(value)]


def _reference(value: Value) -> list[str]:
    if isinstance(value.data, str):
        return [escape(value.data)]
    text = value.data.get("reference", "")
    return [escape(text)] if text and not text.startswith("#") else []


def _date(value: Value) -> list[str]:
    if isinstance(value.data, str):
        return [value.data]
    ends = [value.data.get(name) for name in ("start", "end")] if value.type == "Period" else []
    return ["ap" + end for end in ends if end]


def _number(value: Value) -> list[str]:
    return [format(value.data, "f")] if isinstance(value.data, int | Decimal) else []


def _quantity(value: Value) -> list[str]:
    data: Any = value.data
    if not isinstance(data, dict) or not isinstance(data.get("value"), int | Decimal) or "comparator" in data:
        return []
    number = format(data["value"], "f")
    made = [number]
    if "unit" in data:
        made.append(f"{number}||{escape(data['unit'])}")
    if data.get("system") and data.get("code"):
        made.append(f"{number}|{data['system']}|{escape(data['code'])}")
    return made


def _uri(value: Value) -> list[str]:
    return [escape(value.data)] if isinstance(value.data, str) else []


EQUAL = {
    "token": _token,
    "string": _string,
    "reference": _reference,
    "date": _date,
    "number": _number,
    "quantity": _quantity,
    "uri": _uri,
}
