"""Numbers: a value is itself, a range its two ends; the search value brings the precision.

Source: http://hl7.org/fhir/R4/search.html#number
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fhir_server.search.sink import Sink
from fhir_server.storage.rows import Numeric

INFINITY = Decimal("Infinity")
MOST_DIGITS = 1_000
"""Numbers with more digits before or after the point are not indexed: no measurement has them."""


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add one number or the ends of one Range to `sink`."""
    if type_name == "Range":
        lo, hi = amount(value.get("low"), -INFINITY), amount(value.get("high"), INFINITY)
        if lo.is_infinite() and hi.is_infinite():
            return
    else:
        lo = hi = amount({"value": value}, INFINITY)
        if lo.is_infinite():
            return
    sink.numbers.add(Numeric(param, lo, hi))
    sink.present.add(param)


def amount(quantity: Any, otherwise: Decimal) -> Decimal:
    """Return the value of a Quantity, `otherwise` where it has none (or one of more digits than columns hold)."""
    value = quantity.get("value") if quantity else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return otherwise
    found = Decimal(value)
    return found if not found or MOST_DIGITS > found.adjusted() and exponent(found) > -MOST_DIGITS else otherwise


def exponent(value: Decimal) -> int:
    """Return the power of ten of the last digit of a finite `value`."""
    found = value.as_tuple().exponent
    return found if isinstance(found, int) else 0
