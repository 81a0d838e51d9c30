"""Resources that these tests validate, and how they ask."""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]
PROFILE = "http://profiles.test/StructureDefinition/named-patient"


def patient(**elements: Any) -> Json:
    """Return a Patient without any problem."""
    return {"resourceType": "Patient", "active": True, "name": [{"family": "Rivera"}], **elements}


def observation(**elements: Any) -> Json:
    """Return an Observation without any problem."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "pulse"},
        "valueQuantity": {"value": 61, "unit": "/min"},
        **elements,
    }


def profile(required: str = "birthDate", url: str = PROFILE, **elements: Any) -> Json:
    """Return a profile of Patient that asks for one element, with the least snapshot that says so."""
    root = "http://hl7.org/fhir/StructureDefinition/Patient"
    changed = {"id": f"Patient.{required}", "path": f"Patient.{required}", "min": 1}
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": "NamedPatient",
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": root,
        "derivation": "constraint",
        "differential": {"element": [changed]},
        **elements,
    }


def call(resource: Json | None = None, **parameters: str | list[str]) -> Json:
    """Return the Parameters of a call."""
    given: list[Json] = [{"name": "resource", "resource": resource}] if resource is not None else []
    for name, value in parameters.items():
        kind = "valueCode" if name == "mode" else "valueUri"
        given += [{"name": name, kind: one} for one in ([value] if isinstance(value, str) else value)]
    return {"resourceType": "Parameters", "parameter": given}


async def issues(client: httpx.AsyncClient, url: str, body: Any = None, **options: Any) -> list[Json]:
    """Return the issues of an answer that must be 200 and an OperationOutcome."""
    given = {"json": body} if isinstance(body, dict) else {"content": body} if body is not None else {}
    answer = await client.post(url, **{**given, **options})
    assert answer.status_code == 200, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    found: list[Json] = outcome["issue"]
    return found


def errors(found: list[Json]) -> list[tuple[str, list[str]]]:
    """Return (message id, expression) of the errors."""
    return [
        (message_id(one), one.get("expression", [])) for one in found if one["severity"] in ("error", "fatal")
    ]


def message_id(issue: Json) -> str:
    """Return the message id of an issue."""
    return str(_extension(issue, "operationoutcome-message-id", "valueString"))


def place(issue: Json) -> tuple[int, int]:
    """Return line and column of an issue."""
    line = _extension(issue, "operationoutcome-issue-line", "valueInteger")
    return line, _extension(issue, "operationoutcome-issue-col", "valueInteger")


def _extension(issue: Json, name: str, value: str) -> Any:
    found = [one[value] for one in issue.get("extension", ()) if one["url"].endswith("/" + name)]
    return found[0] if found else None
