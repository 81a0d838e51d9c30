"""Indexing: a resource goes in, the rows that search needs come out. Compiled once per resource type."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from fhir_server.search.params import date, number, quantity, reference, string, token, uri
from fhir_server.search.registry import POSTED, Param, registry
from fhir_server.search.sink import Sink
from fhir_server.search.walk import Take, each, walk
from fhir_server.storage.rows import IndexRows
from resources import fhirpath

Indexer = Callable[[int, Any, str, Sink], None]


def index(resource: dict[str, Any]) -> IndexRows:
    """Return the rows by which search finds `resource`.

    Shape:  `resource` is valid;
            `patient` is the id of the Patient it belongs to (a Patient's own), where it has exactly one
    """
    sink = Sink()
    name = resource["resourceType"]
    by_key, whole = _plan(name)
    for key, value in resource.items():
        takes = by_key.get(key)
        if takes is not None:
            for take in takes:
                take(value, sink)
    for take in whole:
        take(resource, sink)
    if name == "Patient":
        sink.patient = resource.get("id")
    return sink.rows()


@cache
def _plan(type_name: str) -> tuple[dict[str, tuple[Take, ...]], tuple[Take, ...]]:
    """Return what to do with each JSON key of a type, and with the resource as a whole."""
    known = registry(type_name)
    by_key: dict[str, list[Take]] = {}
    whole: list[Take] = []
    for param in known.params.values():
        if param.place in ("refused", "column") or not (param.stored or param.narrowed):
            continue
        if param.computed:
            whole.append(_computed(param))
        for path in param.paths:
            carried = len(param.paths) == 1 and path.unfiltered == known.patient_path
            leaf = partial(_indexer(param, carried), param.id)
            if path.steps[0].kind != "get":
                whole.append(walk(path, 0, type_name, leaf))
            for key, name in path.steps[0].keys:
                by_key.setdefault(key, []).append(each(path.steps[0].many, walk(path, 1, name, leaf)))
    return {key: tuple(takes) for key, takes in by_key.items()}, tuple(whole)


def _present(param: int, _value: Any, _type_name: str, sink: Sink) -> None:
    """Note that a parameter has a value, which another one files."""
    sink.present.add(param)


def _indexer(param: Param, carried: bool) -> Indexer:
    if not param.stored:
        return _present
    if param.place == "main":
        return date.index_main
    if param.kind == "token":
        return partial(token.index, post=param.code in POSTED.get(param.type, ()))
    if param.kind == "reference":
        return partial(reference.index, carried=carried)
    if param.covered:
        return partial(string.index, covered=param.covered)
    return _BY_KIND[param.kind]


_BY_KIND: dict[str, Indexer] = {
    "date": date.index,
    "number": number.index,
    "quantity": quantity.index,
    "string": string.index,
    "uri": uri.index,
}


def _computed(param: Param) -> Take:
    expression = fhirpath.compile(param.expression)
    leaf = _indexer(param, carried=False)

    def take(resource: Any, sink: Sink) -> None:
        for found in expression.nodes(resource):
            leaf(param.id, found.value, found.type_name, sink)

    return take
