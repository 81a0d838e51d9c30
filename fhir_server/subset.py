"""`_summary` and `_elements`: what they ask for, and resources cut down to it; for an HTTP answer or a Bundle's entry.

Source: http://hl7.org/fhir/R4/search.html#summary, http://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from fhir_server.exchange import Pairs, only
from resources.codec.subset import select_elements, summarize
from resources.outcome import FhirError

Json = dict[str, Any]

_SUMMARIES = ("true", "text", "data", "count", "false")
_MODES: dict[str, Literal["true", "text", "data"]] = {"true": "true", "text": "text", "data": "data"}
_NOT_SUBSET = frozenset({"OperationOutcome", "CapabilityStatement", "TerminologyCapabilities", "Parameters"})


class Subset(msgspec.Struct, frozen=True):
    """Which parts of a resource are wanted; `elements` win over `summary`."""

    summary: str = "false"
    elements: tuple[str, ...] = ()

    @property
    def cuts(self) -> bool:
        """Whether parts of resources are left out."""
        return bool(self.elements) or self.summary in _MODES


WHOLE = Subset()


def subset_of(query: Pairs) -> Subset:
    """Return what a query asks for; raises FhirError 400 value where it is malformed."""
    summary = only(query, "_summary") or "false"
    if summary not in _SUMMARIES:
        raise FhirError(400, "value", f"_summary must be one of {', '.join(_SUMMARIES)}")
    return Subset(summary, _elements(query))


def _elements(query: Pairs) -> tuple[str, ...]:
    names = tuple(
        name.strip()
        for key, value in query
        if key == "_elements"
        for name in value.split(",")
        if name.strip()
    )
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9.]{0,127}", name):
            raise FhirError(400, "value", f"_elements names elements, not '{name[:40]}'")
    return names


def cut(resource: Json, kind: str, subset: Subset) -> Json:
    """Return `resource` with the wanted parts; a Result of kind 'bundle' stays whole but for its entries' resources."""
    if kind != "bundle":
        return _cut(resource, subset)
    if "entry" not in resource:
        return resource
    return {**resource, "entry": [_cut_entry(entry, subset) for entry in resource["entry"]]}


def _cut_entry(entry: Json, subset: Subset) -> Json:
    if "resource" not in entry:
        return entry
    included = entry.get("search", {}).get("mode") == "include"
    if included and subset.elements:
        return entry
    return {**entry, "resource": _cut(entry["resource"], subset)}


def _cut(resource: Json, subset: Subset) -> Json:
    if resource.get("resourceType") in _NOT_SUBSET:
        return resource
    if subset.elements:
        return select_elements(resource, _names(resource["resourceType"], subset.elements))
    mode = _MODES.get(subset.summary)
    return summarize(resource, mode) if mode else resource


def _names(type_name: str, elements: Iterable[str]) -> list[str]:
    """Return the element names that are meant for `type_name` ('Patient.name' or plain 'name')."""
    found = []
    for element in elements:
        head, dot, rest = element.partition(".")
        if not dot:
            found.append(head)
        elif head == type_name:
            found.append(rest.partition(".")[0])
    return found
