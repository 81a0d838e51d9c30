"""Rows of composites: for each instance of an element that has all components, their values side by side.

Where a component has several values that a row cannot hold together (two spellings of a unit), every combination has a
row of its own.

Source: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any

from fhir_server.search.descent import Take, walk
from fhir_server.search.hashing import token as hashed
from fhir_server.search.param import Component, Pairing, Param
from fhir_server.search.params import date, number, quantity, reference, string, token, uri
from fhir_server.search.sink import Sink
from fhir_server.storage.rows import Composite
from resources import fhirpath
from resources.outcome import FhirError

REFERRED = "r"
"""The form in which a reference to a resource of this server is hashed: type and id."""

MOST_ROWS = 1_000
"""The most combinations of values within one element; more are refused."""

_INDEX: dict[str, Callable[[int, Any, str, Sink], None]] = {
    "date": date.index,
    "number": number.index,
    "quantity": quantity.index,
    "reference": reference.index,
    "string": string.index,
    "token": token.index,
    "uri": uri.index,
}

Read = Callable[[Any, Any, str, Sink], None]
"""Takes an element, the resource and the element's type, and puts a component's values into a sink."""


def take(param: Param, pairing: Pairing) -> Take:
    """Return what indexes one pairing of `param`; it must run after all other parameters."""
    if pairing.tests:
        return _presence(pairing)
    readers = [_reader(component) for component in pairing.components]
    needed = {component.param.id for component in pairing.components}
    elements = _elements(param, pairing)

    def rows(resource: Any, sink: Sink) -> None:
        for element, type_name in elements(resource, sink):
            found = Sink(sink.inside)
            for read in readers:
                read(element, resource, type_name, found)
            if needed <= found.present:
                sink.present.add(pairing.id)
                sink.composites.extend(_rows(pairing, found))

    return rows


def _presence(pairing: Pairing) -> Take:
    """Return what notes that a resource has every component: no rows, since other parameters' tests suffice."""
    needed = {one.id for one in pairing.tests}

    def note(resource: Any, sink: Sink) -> None:
        if needed <= sink.present and all(any(key in resource for key in guard) for guard in pairing.guards):
            sink.present.add(pairing.id)

    return note


Instances = list[tuple[Any, str]]
"""Elements, each with its type."""


def _elements(param: Param, pairing: Pairing) -> Callable[[Any, Sink], Instances]:
    """Return what lists the instances of the pairing's element."""
    if pairing.expression:
        expression = fhirpath.compile(pairing.expression, lenient=True)
        return lambda resource, _sink: [
            (found.value, found.type_name) for found in expression.nodes(resource) if found.value is not None
        ]
    if pairing.path is None:
        return lambda resource, _sink: [(resource, param.type)]
    descend = walk(pairing.path, 0, param.type, _collect)

    def listed(resource: Any, sink: Sink) -> Instances:
        collected = _Collected(sink)
        descend(resource, collected)
        return collected.instances

    return listed


class _Collected(Sink):
    """A sink for the instances of an element."""

    __slots__ = ("instances",)

    def __init__(self, outer: Sink) -> None:
        super().__init__(outer.inside)
        self.instances: Instances = []


def _collect(value: Any, type_name: str, sink: Sink) -> None:
    if isinstance(sink, _Collected):
        sink.instances.append((value, type_name))


def _reader(component: Component) -> Read:
    param = component.param
    leaf = partial(_INDEX[param.kind], param.id)
    if param.computed:
        return _evaluated(param, leaf)
    takes = [walk(path, 0, "", leaf) for path in param.paths]

    def read(element: Any, resource: Any, _type_name: str, sink: Sink) -> None:
        for one in takes:
            one(resource if component.root else element, sink)

    return read


def _evaluated(param: Param, leaf: Callable[[Any, str, Sink], None]) -> Read:
    expression = fhirpath.compile(param.expression, lenient=True)

    def read(element: Any, resource: Any, type_name: str, sink: Sink) -> None:
        known = {"resource": resource, "rootResource": resource}
        for found in expression.nodes(element, variables=known, type_name=type_name):
            if found.value is not None:
                leaf(found.value, found.type_name, sink)

    return read


def columns(components: Sequence[Component]) -> list[str]:
    """Return what is added to the names of a row's number columns for each component: '2' for a second number.

    A quantity has the first columns, which alone know units.
    """
    first = "quantity" if any(one.param.kind == "quantity" for one in components) else "number"
    found = []
    taken = False
    for one in components:
        second = one.param.kind == "number" and (first != "number" or taken)
        taken = taken or one.param.kind == first
        found.append("2" if second else "")
    return found


def _rows(pairing: Pairing, found: Sink) -> Iterator[Composite]:
    keys = sorted({*found.tokens, *(hashed(edge[0], REFERRED, *edge[1:]) for edge in found.edges)})
    places = columns(pairing.components)
    choices = [
        _values(component, place, found) for component, place in zip(pairing.components, places, strict=True)
    ]
    if prod(map(len, choices)) > MOST_ROWS:
        text = f"More than {MOST_ROWS} combinations of values stand together in one element of the resource"
        raise FhirError(422, "too-costly", text)
    for chosen in product(*choices):
        values = {name: value for part in chosen for name, value in part.items()}
        yield Composite(pairing.id, keys, **values)


def _values(component: Component, place: str, found: Sink) -> list[dict[str, Any]]:
    """Return the columns that each value of a component fills; hashed ones fill none."""
    param = component.param.id
    kind = component.param.kind
    if kind == "string":
        return [{"norm": norm, "exact": exact} for at, norm, exact in sorted(found.strings) if at == param]
    if kind == "date":
        return [{"dlo": lo, "dhi": hi} for at, lo, hi in sorted(found.dates) if at == param]
    numbers = sorted((one for one in found.numbers if one.param == param), key=repr)
    if kind == "number":
        return [{"lo" + place: one.lo, "hi" + place: one.hi} for one in numbers]
    names = ("lo", "hi", "unit", "clo", "chi", "code")
    return [{name: getattr(one, name) for name in names} for one in numbers] if kind == "quantity" else [{}]
