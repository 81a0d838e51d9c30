"""What the value of each primitive type must look like in JSON.

Source: http://hl7.org/fhir/R4/datatypes.html#primitive (formats and ranges), json.html#primitive
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

Check = Callable[[Any], Any]
"""Truthy where the value is right; may raise TypeError or AttributeError where it is of a wrong JSON type."""


class Primitive(NamedTuple):
    """A primitive type: its check and what to tell people who fail it."""

    check: Check
    expected: str


MAX_POWER = 400
"""Powers of ten of a decimal; the JSON reader refuses larger ones too."""
_MAX_INT = 10**MAX_POWER
_INT32 = 2**31 - 1

# Half surrogates and characters that no XML 1.0 document can hold: with them a resource could not be XML.
_FORBIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_MAX_STRING = 1024 * 1024
_STRING = re.compile(f"[^{_FORBIDDEN}]{{1,{_MAX_STRING}}}")
_URI = re.compile(f"[^{_FORBIDDEN}\\t\\n\\r ]+")
_CODE = re.compile(f"[^{_FORBIDDEN}\\t\\n\\r ]+(?:[\\t\\n\\r ][^{_FORBIDDEN}\\t\\n\\r ]+)*+")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_YEAR = "(?!0000)[0-9]{4}"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY_OF_MONTH = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DAY = f"(?:{_YEAR}-{_DAY_OF_MONTH}|{_LEAP_YEAR}-02-29)"
_MONTH = f"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE = re.compile(f"{_DAY}|{_MONTH}")
_DATETIME = re.compile(f"{_DAY}(?:T{_CLOCK}{_ZONE})?|{_MONTH}")
_INSTANT = re.compile(f"{_DAY}T{_CLOCK}{_ZONE}")
_TIME = re.compile(_CLOCK)
_SPACE = re.compile(r"[ \t\r\n]+")


class _Known(dict[str, bool]):
    """Remember the values that passed: systems and codes come again and again, and a look-up beats a regex.

    Holds no text about a person: it serves uri, url, canonical and code only.
    """

    limit, longest = 4096, 200

    def __init__(self, check: Check) -> None:
        super().__init__()
        self._check = check

    def __missing__(self, value: str) -> bool:
        passed = bool(self._check(value))
        if passed and len(value) <= self.longest:
            if len(self) >= self.limit:
                self.clear()
            self[value] = True
        return passed


def _string(value: Any) -> Any:
    if value.isprintable():  # the common case, without a regex
        return 0 < len(value) <= _MAX_STRING
    return _STRING.fullmatch(value)


def _boolean(value: Any) -> bool:
    return value is True or value is False


def _integer(value: Any) -> bool:
    return type(value) is int and -_INT32 - 1 <= value <= _INT32


def _unsigned(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _INT32


def _positive(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _INT32


def _decimal(value: Any) -> bool:
    if type(value) is Decimal:
        return value.is_finite() and -MAX_POWER <= value.adjusted() <= MAX_POWER
    return type(value) is int and -_MAX_INT < value < _MAX_INT


def _base64(value: Any) -> bool:
    """Whether `value` is base64 (RFC 4648), white space allowed between the characters."""
    if type(value) is not str or not value:
        return False
    try:
        if binascii.a2b_base64(value, strict_mode=True):
            return True
    except ValueError:
        pass
    squeezed = _SPACE.sub("", value)
    if len(squeezed) == len(value):
        return False
    return _base64(squeezed)


_KNOWN_URI = _Known(_URI.fullmatch).__getitem__
_URI_TEXT = "a URI without spaces"
PRIMITIVES: dict[str, Primitive] = {
    "base64Binary": Primitive(_base64, "base64 text"),
    "boolean": Primitive(_boolean, "true or false"),
    "canonical": Primitive(_KNOWN_URI, _URI_TEXT),
    "code": Primitive(
        _Known(_CODE.fullmatch).__getitem__, "a code: text with no spaces but single ones inside"
    ),
    "date": Primitive(_DATE.fullmatch, "a real date as YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": Primitive(
        _DATETIME.fullmatch,
        "a real date as YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone",
    ),
    "decimal": Primitive(_decimal, f"a JSON number, at most 10 to the power of ±{MAX_POWER}"),
    "id": Primitive(_ID.fullmatch, "an id: 1 to 64 letters, digits, '-' or '.'"),
    "instant": Primitive(_INSTANT.fullmatch, "a real instant as YYYY-MM-DDThh:mm:ss with a time zone"),
    "integer": Primitive(_integer, "a whole JSON number of 32 bits"),
    "markdown": Primitive(_string, "text of 1 to 1,048,576 characters without control characters"),
    "oid": Primitive(_OID.fullmatch, "an OID as urn:oid:1.2.3"),
    "positiveInt": Primitive(_positive, "a whole JSON number from 1 to 2,147,483,647"),
    "string": Primitive(_string, "text of 1 to 1,048,576 characters without control characters"),
    "time": Primitive(_TIME.fullmatch, "a time as hh:mm:ss"),
    "unsignedInt": Primitive(_unsigned, "a whole JSON number from 0 to 2,147,483,647"),
    "uri": Primitive(_KNOWN_URI, _URI_TEXT),
    "url": Primitive(_KNOWN_URI, _URI_TEXT),
    "uuid": Primitive(
        _UUID.fullmatch, "a UUID as urn:uuid:c757873d-ec9a-4326-a141-556f43239520 in lower case"
    ),
}


def holds(check: Check, value: Any) -> bool:
    """Whether `value` passes `check`; a value of a wrong JSON type does not."""
    try:
        return bool(check(value))
    except (TypeError, AttributeError):
        return False
