"""Elements taken out of what somebody reads, by rules as data; what is left says so in `meta`.

REDACTED in `meta.security` says that a rule took something out, SUBSETTED in `meta.tag` that what is left must not be
sent back. Version and ETag are those of what is stored.
Rows: redaction.json. Source: http://hl7.org/fhir/R4/security-labels.html; http://hl7.org/fhir/R4/resource.html#Meta
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.consent.labels import labels, labels_of
from fhir_server.storage.rows import head, type_name
from fhir_server.storage.rows import tail as tail_of
from resources.codec.json import parse_json

Json = dict[str, Any]

VALUES = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
REDACTED = {"system": VALUES, "code": "REDACTED"}
SUBSETTED = {"system": VALUES, "code": "SUBSETTED"}
EVERY = "*"
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: what is taken out for `roles`, of `types`, of resources with one of `labels` (none: of all)."""

    roles: tuple[str, ...]
    labels: tuple[str, ...]
    types: tuple[str, ...]
    elements: tuple[str, ...]
    allowed: tuple[str, ...]
    refused: tuple[str, ...]
    reason: str
    source: str

    def of(self, type_name: str) -> bool:
        """Whether it is about a type."""
        return type_name in self.types or EVERY in self.types


class _Rows(msgspec.Struct):
    rule: list[Rule]


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rows of redaction.json."""
    return tuple(
        msgspec.json.decode(Path(__file__).with_name("redaction.json").read_bytes(), type=_Rows).rule
    )


class Redaction:
    """What some rules take out."""

    def __init__(self, taken: Iterable[Rule]) -> None:
        self.rules = tuple(taken)

    def tail(self, type_: int, tail: bytes) -> bytes:
        """Return the stored content of a version without what is taken out."""
        resource = parse_json(head(type_, "0", 1, _NO_TIME) + tail)
        left = self.left(resource)
        if left is resource:
            return tail
        left["resourceType"] = type_name(type_)
        return tail_of(left)

    def left(self, resource: Json) -> Json:
        """Return what is left of a resource, marked; the same object where nothing is taken out."""
        gone = {element for rule in self._of(resource) for element in rule.elements} & resource.keys()
        left = {key: value for key, value in resource.items() if key not in gone}
        inner = self._inner(left)
        if not gone and not inner:
            return resource
        return _marked(left | inner)

    def _inner(self, resource: Json) -> Json:
        """Return the contained resources and entries of which something is taken out."""
        found: Json = {}
        contained = resource.get("contained", ())
        left = [self.left(one) for one in contained]
        if any(one is not old for one, old in zip(left, contained, strict=True)):
            found["contained"] = left
        entries = resource.get("entry", ()) if resource["resourceType"] == "Bundle" else ()
        kept = [
            one | {"resource": self.left(one["resource"])} if "resource" in one else one for one in entries
        ]
        if kept != list(entries):
            found["entry"] = kept
        return found

    def _of(self, resource: Json) -> Iterable[Rule]:
        rows = [rule for rule in self.rules if rule.of(resource["resourceType"])]
        having = set(labels_of(resource)) if any(rule.labels for rule in rows) else set()
        return [rule for rule in rows if not rule.labels or having & _numbers(rule.labels)]

    def hides(self, type_name: str, code: str) -> bool:
        """Whether a search parameter would tell what is taken out."""
        rows = [rule for rule in self.rules if rule.of(type_name)]
        return any(code in rule.refused or (rule.allowed and code not in rule.allowed) for rule in rows)


@cache
def _numbers(codes: tuple[str, ...]) -> frozenset[int]:
    return frozenset(one.number for one in labels().values() if one.code in codes)


def _marked(resource: Json) -> Json:
    meta = dict(resource.get("meta", {}))
    for element, mark in (("security", REDACTED), ("tag", SUBSETTED)):
        there = [one for one in meta.get(element, ()) if one.get("code") != mark["code"]]
        meta[element] = [*there, mark]
    return resource | {"meta": meta}


def redaction(roles: Iterable[str]) -> Redaction | None:
    """Return what is taken out for somebody with `roles`, None where nothing is.

    Shape:  of several roles only what is taken out for each of them
    """
    having = set(roles)
    taken = [rule for rule in rules() if having and having <= set(rule.roles)]
    return Redaction(taken) if taken else None
