"""Indexing: a resource goes in, the rows that search needs come out. Compiled once per resource type."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fhir_server.access.belongs import owners
from fhir_server.consent.labels import labels_of
from fhir_server.search import mentions
from fhir_server.search.context import Context
from fhir_server.search.descent import Take, each, walk
from fhir_server.search.param import Param, TypeSearch
from fhir_server.search.params import (
    composite_rows,
    date,
    near,
    number,
    quantity,
    reference,
    string,
    text,
    token,
    uri,
)
from fhir_server.search.params.implied import unlisted_systems
from fhir_server.search.paths import Path
from fhir_server.search.registry import POSTED, Epoch, registry
from fhir_server.search.sink import NOTHING, Sink
from fhir_server.storage.rows import WITHIN, ContainedRows, IndexRows
from resources import fhirpath
from resources.outcome import FhirError

_log = logging.getLogger("fhir_server.search")

Indexer = Callable[[int, Any, str, Sink], None]


def index(resource: dict[str, Any]) -> IndexRows:
    """Return the rows by which search finds `resource`.

    Shape:  `resource` is valid;
            `patient` is the id of the Patient it belongs to (a Patient's own), where it has exactly one;
            the same for a resource as it was sent and as it was stored
    """
    resource = _as_stored(resource)
    rows = _all_rows(resource)
    rows.epoch = Epoch.value
    known = owners(resource, _local)
    if known and known != {rows.patient}:
        rows.owners = sorted(known)
    rows.security = labels_of(resource)
    return rows


def _local(text: str) -> tuple[str, str] | None:
    return reference.local(text, Context.bases)


def _all_rows(resource: dict[str, Any]) -> IndexRows:
    """Return the rows of a resource and of what it contains."""
    contained = resource.get("contained")
    if not contained:
        return _rows(resource, NOTHING)
    types = {one["id"]: one["resourceType"] for one in reversed(contained) if "id" in one}
    rows = _rows(resource, types)
    types = {**types, "": resource["resourceType"]}
    rows.contained = [
        ContainedRows(one.get("id", ""), one["resourceType"], _rows(one, types, contained=True))
        for one in contained
    ]
    return rows


def _as_stored(resource: dict[str, Any]) -> dict[str, Any]:
    """Return `resource` with `meta` where storage puts it, and without what storage itself says there."""
    if "meta" not in resource:
        return resource
    meta = {key: value for key, value in resource["meta"].items() if key not in ("versionId", "lastUpdated")}
    rest = {key: value for key, value in resource.items() if key not in ("resourceType", "id", "meta")}
    first: dict[str, Any] = {key: resource[key] for key in ("resourceType", "id") if key in resource}
    return {**first, "meta": meta, **rest} if meta else {**first, **rest}


def _rows(resource: dict[str, Any], inside: Mapping[str, str], *, contained: bool = False) -> IndexRows:
    """Return the rows of one resource, without those of what it contains (the types of which are `inside`)."""
    sink = Sink(inside)
    name = resource["resourceType"]
    by_key, whole = _plan(registry(name))
    for key, value in resource.items():
        takes = by_key.get(key)
        if takes is not None:
            for take in takes:
                take(value, sink)
    for take in whole:
        take(resource, sink)
    if name == "Patient" and "id" in resource:
        sink.patient = WITHIN + resource["id"] if contained else resource["id"]
    text.index(resource, sink, contained=contained)
    if not contained:
        mentions.index(resource, sink)
    return sink.rows()


Plan = tuple[dict[str, tuple[Take, ...]], tuple[Take, ...]]
_plans: dict[str, tuple[TypeSearch, Plan]] = {}


def _plan(known: TypeSearch) -> Plan:
    """Return what to do with each JSON key of a type, and with the resource as a whole; made once for a registry."""
    kept = _plans.get(known.name)
    if kept is None or kept[0] is not known:
        kept = _plans[known.name] = (known, _make_plan(known))
    return kept[1]


def _make_plan(known: TypeSearch) -> Plan:
    by_key: dict[str, list[Take]] = {}
    whole: list[Take] = []
    for param in known.params.values():
        if param.place in ("refused", "column", "text") or not (param.stored or param.narrowed):
            continue
        if param.computed:
            whole.append(_computed(param, CUSTOM if param.custom else fhirpath.DEFAULT))
        for path in param.paths:
            carried = len(param.paths) == 1 and path.unfiltered == known.patient_path
            leaf = partial(_indexer(param, carried, path), param.id)
            if path.steps[0].kind != "get":
                whole.append(walk(path, 0, known.name, leaf))
            for key, name in path.steps[0].keys:
                by_key.setdefault(key, []).append(each(path.steps[0].many, walk(path, 1, name, leaf)))
    whole += _pairings(known)
    return {key: tuple(takes) for key, takes in by_key.items()}, tuple(whole)


def _pairings(known: TypeSearch) -> list[Take]:
    """Return what indexes the composites of a type; those that share a pairing do so once."""
    found = {one.id: (param, one) for param in known.params.values() for one in param.pairings}
    return [
        _forgiving(param, composite_rows.take(param, one))
        if param.custom
        else composite_rows.take(param, one)
        for param, one in found.values()
    ]


def _present(param: int, _value: Any, _type_name: str, sink: Sink) -> None:
    """Note that a parameter has a value, which another one files."""
    sink.present.add(param)


def _indexer(param: Param, carried: bool, path: Path | None = None) -> Indexer:
    if not param.stored:
        return _present
    if param.place == "main":
        return date.index_main
    if param.kind == "token" and unlisted_systems(param):
        return token.index_open
    if param.kind == "token":
        return partial(token.index, post=param.code in POSTED.get(param.type, ()))
    if param.kind == "reference":
        return partial(reference.index, carried=carried)
    if param.covered:
        return partial(string.index, covered=param.covered)
    if param.kind == "string" and path and path.element and path.element.path == "HumanName.family":
        return string.index_family
    return _BY_KIND[param.kind]


_BY_KIND: dict[str, Indexer] = {
    "date": date.index,
    "number": number.index,
    "quantity": quantity.index,
    "string": string.index,
    "uri": uri.index,
    "special": near.index,
}


CUSTOM = fhirpath.Limits(steps=20_000, seconds=0.25, text=20_000)
"""What a stored parameter may cost on one resource: milliseconds. The seconds are for a single step that hangs."""


def _computed(param: Param, limits: fhirpath.Limits) -> Take:
    expression = fhirpath.compile(param.expression, lenient=param.custom)
    leaf = _indexer(param, carried=False)

    def take(resource: Any, sink: Sink) -> None:
        for found in expression.nodes(resource, limits=limits):
            leaf(param.id, found.value, found.type_name, sink)

    return _forgiving(param, take) if param.custom else take


def _forgiving(param: Param, take: Take) -> Take:
    """Return `take` for a stored parameter: a resource that its expression cannot read has no value, and is written."""

    def attempt(resource: Any, sink: Sink) -> None:
        try:
            take(resource, sink)
        except FhirError as problem:
            _log.warning(
                "a search parameter cannot be evaluated on a resource",
                extra={"parameter": param.url, "type": param.type, "why": problem.issues[0].code},
            )

    return attempt
