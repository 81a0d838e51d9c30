"""The body of an answer: the interaction's JSON bytes as they are, or cut down, pretty or in XML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from fhir_server.exchange import Result
from fhir_server.rest.negotiate import Answer
from resources.codec.json import dump_json, parse_json
from resources.codec.subset import select_elements, summarize
from resources.codec.xml import dump_xml
from resources.outcome import Issue, operation_outcome

_MODES: dict[str, Literal["true", "text", "data"]] = {"true": "true", "text": "text", "data": "data"}
_NOT_SUBSET = frozenset({"OperationOutcome", "CapabilityStatement", "TerminologyCapabilities", "Parameters"})


def represent(result: Result, answer: Answer) -> bytes | None:
    """Return the body of `result` in the form of `answer`, None where there is none.

    Shape:  the stored bytes go out unchanged where JSON without `_pretty`, `_summary` or `_elements` is asked for
    """
    body = result.body
    if body is None or not (answer.xml or answer.pretty or answer.subset):
        return body
    resource = parse_json(body)
    if answer.subset:
        resource = _subset_bundle(resource, answer) if result.kind == "bundle" else _subset(resource, answer)
    return write(resource, answer)


def outcome(issues: Iterable[Issue], answer: Answer) -> bytes:
    """Return the OperationOutcome of `issues` in the form of `answer`."""
    return write(operation_outcome(issues), answer)


def write(resource: dict[str, Any], answer: Answer) -> bytes:
    """Return `resource` in the form of `answer`, whole."""
    return dump_xml(resource, answer.pretty) if answer.xml else dump_json(resource, answer.pretty)


def _subset_bundle(bundle: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Cut the resource of every entry; the Bundle itself and OperationOutcome entries stay whole."""
    if "entry" not in bundle:
        return bundle
    return {**bundle, "entry": [_subset_entry(entry, answer) for entry in bundle["entry"]]}


def _subset_entry(entry: dict[str, Any], answer: Answer) -> dict[str, Any]:
    if "resource" not in entry:
        return entry
    included = entry.get("search", {}).get("mode") == "include"
    if included and answer.elements:
        return entry
    return {**entry, "resource": _subset(entry["resource"], answer)}


def _subset(resource: dict[str, Any], answer: Answer) -> dict[str, Any]:
    if resource.get("resourceType") in _NOT_SUBSET:
        return resource
    if answer.elements:
        return select_elements(resource, _names(resource["resourceType"], answer.elements))
    mode = _MODES.get(answer.summary)
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
