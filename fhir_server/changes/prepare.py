"""From a parsed resource to the rows that will stand for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.changes import uploads
from fhir_server.search import custom
from fhir_server.search.extract import index
from fhir_server.search.registry import Epoch
from fhir_server.storage.identities import Identities
from fhir_server.storage.index_rows import CONTAINED, Indexed, Inner
from fhir_server.storage.rows import WITHIN, IndexRows, head, tail, type_number
from fhir_server.storage.store import Store
from fhir_server.storage.write import Write
from resources.codec.json import parse_json
from resources.outcome import FhirError
from resources.validate.base import check

Key = tuple[int, str]


class Prepared(msgspec.Struct):
    """A resource that is right, with what storage needs of it."""

    type: int
    id: str
    tail: bytes
    rows: IndexRows


def parse(body: bytes, type_name: str, resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the resource in a request's body.

    Errors: 400 where the body is missing, malformed or of another type than the URL says
    """
    if resource is None:
        if not body.strip():
            raise FhirError(400, "required", f"The request needs a {type_name} resource as its body")
        resource = parse_json(body)
    found = resource.get("resourceType")
    if found != type_name:
        said = f"a '{found}'" if isinstance(found, str) else "no resourceType"
        raise FhirError(
            400, "invalid", f"The body has {said}, but the URL asks for '{type_name}'", "resourceType"
        )
    return resource


def own_id(resource: dict[str, Any]) -> str | None:
    """Return the id that the resource brings along; raises FhirError 400 for one that is no text."""
    id_ = resource.get("id")
    if not isinstance(id_, str | None):
        raise FhirError(400, "value", "An id is a text", f"{resource['resourceType']}.id")
    return id_


def prepare(resource: dict[str, Any], id_: str) -> Prepared:
    """Return `resource` under the id `id_`, checked against the base definitions and indexed.

    Errors: 422 with every problem found
    """
    resource["id"] = id_
    check(resource)
    uploads.check(resource)
    custom.check(resource)
    return Prepared(type_number(resource["resourceType"]), id_, tail(resource), index(resource))


def renewed(prepared: Prepared) -> Prepared:
    """Return `prepared` with rows of the epoch that is in force: checked and indexed again where it is of an older one.

    Errors: 422 where a SearchParameter clashes with what is there by now
    """
    if prepared.rows.epoch != Epoch.value:
        resource = content(prepared.type, prepared.id, prepared.tail)
        custom.check(resource)
        prepared.rows = index(resource)
    return prepared


def content(type_: int, id_: str, tail: bytes) -> dict[str, Any]:
    """Return the resource that a stored tail is the rest of; its version and instant stand for nothing."""
    return parse_json(head(type_, id_, 1, _NO_TIME) + tail)


_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


async def link(
    store: Store,
    pairs: Sequence[tuple[Write, Prepared]],
    own: Mapping[Key, int],
    conn: AsyncConnection[Any] | None = None,
) -> dict[Key, int]:
    """Give every write its patient, edges and contained resources as row numbers; return all known ones.

    Shape:  `own` are the row numbers that are known already, those of the writes themselves among them;
            `conn` is the transaction that this happens in: `own` has every number that it needs
    """
    wanted = {key for _, prepared in pairs for rows in _all_rows(prepared.rows) for key in _mentioned(rows)}
    known = await store.identities.resolve(wanted.difference(own))
    known.update(own)
    for write, prepared in pairs:
        await _settle_all(store.identities, write, known, conn)
        owners = write.rows.owners
        write.owners = sorted(known[_patient(id_)] for id_ in owners) if owners else None
        if "search" in write.epochs:
            write.neutral = _changes_nothing(write, prepared)
    everything = [rows for _, prepared in pairs for rows in _all_rows(prepared.rows)]
    await store.labels.keep((label for rows in everything for label in rows.labels), conn)
    await store.codings.keep((coding for rows in everything for coding in rows.codings), conn)
    return known


def _changes_nothing(write: Write, prepared: Prepared) -> bool:
    """Whether a SearchParameter goes on to mean what it meant, so that nothing has to be indexed anew."""
    old = write.old.tail if write.old is not None else None
    before = content(write.type, write.id, old) if old is not None else None
    return custom.same(before, content(write.type, write.id, prepared.tail))


def _all_rows(rows: IndexRows) -> list[IndexRows]:
    return [rows, *(inner.rows for inner in rows.contained)]


async def _settle_all(
    identities: Identities, write: Write, known: Mapping[Key, int], conn: AsyncConnection[Any] | None
) -> None:
    contained = write.rows.contained
    if not contained:
        _settle(write, known, {})
    elif write.changes(CONTAINED):
        rids = await identities.allocate(len(contained), conn)
        write.inner = [
            Inner(rid, one.rows, container=write.rid, local=one.local, type=type_number(one.type))
            for rid, one in zip(rids, contained, strict=True)
        ]
        inside = {"": write.rid, **{one.local: one.rid for one in reversed(write.inner) if one.local}}
        for one in (write, *write.inner):
            _settle(one, known, inside)
    else:
        assert write.old is not None, "what is new changes"
        write.pid = write.old.pid


def _settle(one: Indexed, known: Mapping[Key, int], inside: Mapping[str, int]) -> None:
    """Give `one` its edges and patient; `inside` are the row numbers of its container and of what that contains."""
    rows = one.rows
    one.edges = [
        (param, inside[id_] if type_ == WITHIN else known[type_number(type_), id_])
        for param, type_, id_ in rows.edges
    ]
    if rows.patient is None:
        one.pid = None
    elif rows.patient.startswith(WITHIN):
        one.pid = inside[rows.patient.removeprefix(WITHIN)]
    else:
        one.pid = known[_patient(rows.patient)]


def _mentioned(rows: IndexRows) -> list[Key]:
    keys = [(type_number(type_), id_) for _, type_, id_ in rows.edges if type_ != WITHIN]
    if rows.patient is not None and not rows.patient.startswith(WITHIN):
        keys.append(_patient(rows.patient))
    if rows.owners:
        keys += map(_patient, rows.owners)
    return keys


def _patient(id_: str) -> Key:
    return type_number("Patient"), id_
