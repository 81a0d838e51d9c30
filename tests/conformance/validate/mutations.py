"""Ways to break a valid resource at one place, each with what must be said of it and where.

Only what R4 and its definitions say is used to choose a place; the message id and the expression are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.conformance.validate.places import Json, Place, changed, places, put

SYSTEMS = "http://terminology.hl7.org/CodeSystem/"
SCRIPT = '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></div>'
BLANK = '<div xmlns="http://www.w3.org/1999/xhtml"> <p/></div>'


class Mutation(NamedTuple):
    """A broken resource: the kind of break, and the message that must be there at `expression`.

    Shape:  `options` of the validation under which it is seen
    """

    kind: str
    resource: Json
    message: str
    expression: str
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)


class Break(NamedTuple):
    """One way to break a place: the change, the message, and where it is said; `up`: of the array, not of its item."""

    change: Callable[[Any, Any], None]
    message: str
    where: str
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    up: bool = False


Breaker = Callable[[Place], Iterator[Break]]
BREAKERS: dict[str, Breaker] = {}


def breaker(kind: str) -> Callable[[Breaker], Breaker]:
    """Register a way to break a place."""

    def register(function: Breaker) -> Breaker:
        BREAKERS[kind] = function
        return function

    return register


def mutations(resource: Json, breakers: dict[str, Breaker]) -> Iterator[Mutation]:
    """Yield `resource` broken in every way that one of its places allows, the same element once for each way."""
    seen: set[tuple[str, str]] = set()
    for place in places(resource):
        for kind, break_it in breakers.items():
            name = (kind, f"{place.holder.name}.{place.element.name}.{place.type}")
            if name in seen:
                continue
            for one in break_it(place):
                seen.add(name)
                broken = changed(resource, place.steps[:-1] if one.up else place.steps, one.change)
                yield Mutation(kind, broken, one.message, one.where, one.options)


def _take(holder: Any, key: Any) -> None:
    del holder[key]


def inside(**values: Any) -> Callable[[Any, Any], None]:
    """Return the change that sets (or with None takes away) elements of the value."""

    def change(holder: Any, key: Any) -> None:
        for name, value in values.items():
            if value is None:
                holder[key].pop(name, None)
            else:
                holder[key][name] = value

    return change


# ------------------------------------------------------------------------------------------------ structure


@breaker("unknown element")
def _unknown(place: Place) -> Iterator[Break]:
    if type(place.value) is dict:
        yield Break(inside(bogus="x"), "element-unknown", f"{place.path}.bogus")


@breaker("required element missing")
def _missing(place: Place) -> Iterator[Break]:
    element = place.element
    beside = "_" + str(place.steps[-1]) in place.around
    if element.min and not element.many and not element.choice and len(place.around) > 1 and not beside:
        yield Break(_take, "cardinality-min", f"{place.above}.{element.name}")


@breaker("array for a single value")
def _array(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and not place.element.many and place.type != "Resource":
        yield Break(put([place.value]), "object-expected", place.path)


@breaker("text for an object")
def _text(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and place.type != "Resource":
        yield Break(put("text"), "object-expected", place.path)


@breaker("empty object")
def _empty(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and place.type != "Resource":
        yield Break(put({}), "object-empty", place.path)


@breaker("only an id")
def _only_id(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and place.type not in ("Resource", "Extension"):
        yield Break(put({"id": "x"}), "object-only-id", place.path)


@breaker("two choices")
def _choices(place: Place) -> Iterator[Break]:
    if place.element.choice:
        other = next(code for code in place.element.types if code != place.type)
        key = place.element.name + other[0].upper() + other[1:]
        values = {"Boolean": True, "Quantity": {"value": 1}, "CodeableConcept": {"text": "x"}}

        def change(holder: Any, _: Any) -> None:
            holder[key] = values.get(other[0].upper() + other[1:], "x")

        yield Break(change, "choice-multiple", place.path)


_WRONG: dict[str, Any] = {
    "boolean": "true",
    "integer": "1",
    "positiveInt": 0,
    "unsignedInt": -1,
    "decimal": "1.0",
    "date": "2024-02-30",
    "dateTime": "2024-13-01",
    "instant": "2024-01-01T10:00:00",
    "time": "25:00:00",
    "uri": "a b",
    "url": "a b",
    "canonical": "a b",
    "id": "a_b",
    "base64Binary": "a",
    "oid": "urn:oid:9.1",
    "uuid": "urn:uuid:1",
    "string": "",
    "markdown": "",
}


@breaker("wrong format")
def _format(place: Place) -> Iterator[Break]:
    bound = place.element.path == "Reference.reference" or place.element.path == "Extension.url"
    if place.type in _WRONG and not bound:
        yield Break(put(_WRONG[place.type]), "value-format", place.path)


@breaker("text of white space")
def _blank(place: Place) -> Iterator[Break]:
    if place.type in ("string", "markdown") and place.holder.name not in ("Coding", "Reference", "Quantity"):
        yield Break(put("  "), "value-blank", place.path)


# ---------------------------------------------------------------------------------------------------- arrays


def _first(holder: Any, key: Any) -> None:
    holder[key] = holder[key][0]


@breaker("value for an array")
def _no_array(place: Place) -> Iterator[Break]:
    if place.element.many and place.type != "Resource":
        where = place.path.rpartition("[")[0]
        yield Break(_first, "array-expected", where, up=True)
        yield Break(put([]), "array-empty", where, up=True)


@breaker("null in an array")
def _null(place: Place) -> Iterator[Break]:
    if place.element.many and type(place.value) is dict and place.type != "Resource":
        yield Break(put(None), "null-alone", place.path)


@breaker("extensions beside an array")
def _beside(place: Place) -> Iterator[Break]:
    name = "_" + place.element.name
    if not place.element.many or place.type != "string" or name in place.around:
        return
    count, where = len(place.around[place.element.name]), place.path.rpartition("[")[0]

    def longer(holder: Any, _: Any) -> None:
        holder[name] = [{"id": "a"}] * (count + 1)

    yield Break(longer, "array-lengths", where, up=True)

    def nulls(holder: Any, key: Any) -> None:
        holder[name] = [{"id": "a"}] * count + [None]
        holder[key] = [*holder[key], None]

    yield Break(nulls, "array-null", f"{where}[{count}]", up=True)


@breaker("extensions beside a value")
def _companion(place: Place) -> Iterator[Break]:
    name = "_" + str(place.steps[-1])
    if place.element.many or name in place.around or place.type in ("Resource", "xhtml", "Extension"):
        return
    if place.element.name in ("id", "url", "reference") or place.element.xml != "element":
        return
    if type(place.value) is dict:
        yield Break(_set(name, {"id": "a"}), "companion-forbidden", place.path)
        return
    yield Break(_set(name, "text"), "companion-shape", place.path)

    def alone(holder: Any, key: Any) -> None:
        holder[name] = {"id": "a"}
        del holder[key]

    yield Break(alone, "companion-without-value", place.path)


def _set(name: str, value: Any) -> Callable[[Any, Any], None]:
    """Return the change that puts something beside the value."""

    def change(holder: Any, _: Any) -> None:
        holder[name] = value

    return change
