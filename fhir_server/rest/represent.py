"""The body of an answer: the interaction's JSON bytes as they are, or cut down, pretty or in XML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fhir_server.exchange import Result
from fhir_server.rest.negotiate import Answer
from fhir_server.subset import cut
from resources.codec.json import dump_json, parse_json
from resources.codec.xml import dump_xml
from resources.outcome import Issue, operation_outcome


def represent(result: Result, answer: Answer) -> bytes | None:
    """Return the body of `result` in the form of `answer`, None where there is none.

    Shape:  the stored bytes go out unchanged where JSON without `_pretty`, `_summary` or `_elements` is asked for
    """
    body = result.body
    if body is None or not (answer.xml or answer.pretty or answer.subset.cuts):
        return body
    resource = parse_json(body)
    if answer.subset.cuts:
        resource = cut(resource, result.kind, answer.subset)
    return write(resource, answer)


def outcome(issues: Iterable[Issue], answer: Answer) -> bytes:
    """Return the OperationOutcome of `issues` in the form of `answer`."""
    return write(operation_outcome(issues), answer)


def write(resource: dict[str, Any], answer: Answer) -> bytes:
    """Return `resource` in the form of `answer`, whole."""
    return dump_xml(resource, answer.pretty) if answer.xml else dump_json(resource, answer.pretty)
