"""FHIR JSON to plain dicts and back, every digit of a decimal kept."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import msgspec

from resources.codec.json_problem import MAX_DEPTH, MAX_EXPONENT, json_problem

_HOLDERS = frozenset({dict, list})
_ESCAPED_QUOTE = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0022")
_MINUS_ZERO = re.compile(rb"-0[\s,}\]]")
_SHORT = 5
"""A number text this short cannot pass `MAX_EXPONENT`."""


def _decimal(text: str) -> Decimal:
    """Return the number with its digits; raises ValueError beyond the exponent that later code can bear."""
    value = Decimal(text)
    if len(text) > _SHORT and not -MAX_EXPONENT <= value.adjusted() <= MAX_EXPONENT:
        raise ValueError(text)
    return value


def _integer(text: str) -> int | Decimal:
    return Decimal(text) if text == "-0" else int(text)


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_REFUSED = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


def parse_json(data: bytes) -> dict[str, Any]:
    """Return the JSON object in `data`: integers as int, all other numbers as Decimal, never float.

    Errors: FhirError 400 with line and column for anything that is not one strict UTF-8 JSON object, for a
            duplicate key, a lone surrogate, nesting beyond `MAX_DEPTH` and numbers beyond `MAX_EXPONENT`
    """
    try:
        value = _decode(data)
        again = _encode(value)
    except _REFUSED as error:
        raise json_problem(data, str(error)) from None
    if again != data and _lost_strings(data, again):
        raise json_problem(data, "a key occurs twice")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and too_deep(value):
        raise json_problem(data, "nested too deeply")
    if again != data and _MINUS_ZERO.search(data):
        value = json.loads(data, parse_float=_decimal, parse_int=_integer)
    return value


def dump_json(value: Any, pretty: bool = False) -> bytes:
    """Return `value` as compact JSON, or indented by two spaces; decimals are written with the digits they hold."""
    data = _encode(value)
    return msgspec.json.format(data, indent=2) if pretty else data


def _lost_strings(data: bytes, again: bytes) -> bool:
    """Whether decoding dropped a key: the one way in which `data` can hold more quotes than its re-encoding.

    Every string is written with two quotes both ways, and a quote inside one as `\\"`. Only `\\u0022` in the input
    has no quote where the re-encoding has one, so these are added. A dropped key takes at least its own two quotes
    away, and whatever its value held leaves both sides of the sum together or the right side alone.
    """
    quotes = data.count(b'"')
    if b"\\u0022" in data:
        quotes += len(_ESCAPED_QUOTE.findall(data))
    return quotes != again.count(b'"')


def too_deep(value: Any) -> bool:
    """Whether arrays and objects stand more than `MAX_DEPTH` levels inside each other."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in _HOLDERS
        ]
        if not level:
            return False
    return True
