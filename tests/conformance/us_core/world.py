"""US Core's package: its examples, its CapabilityStatement, and the values that its searches would look for."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from fhir_server.search.registry import registry
from resources import fhirpath
from tests.shared import shared_path

Json = dict[str, Any]
STORED = ("CodeSystem", "ValueSet", "StructureDefinition", "CapabilityStatement", "OperationDefinition")
STATEMENT = "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"
PROFILE = "http://hl7.org/fhir/us/core/StructureDefinition/"
EXPECTATION = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-expectation"
COMBINATION = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-search-parameter-combination"


ROLE: Json = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "meta": {"profile": [PROFILE + "us-core-practitionerrole"]},
    "practitioner": {"reference": "Practitioner/practitioner-1"},
    "organization": {"reference": "Organization/acme-lab"},
    "code": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "207R00000X"}]}],
    "specialty": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "207R00000X"}]}],
    "location": [{"display": "a"}],
    "telecom": [{"system": "phone", "value": "1"}],
}
"""The guide has no example of this type."""


@cache
def _members() -> tuple[tuple[str, bytes], ...]:
    with tarfile.open(shared_path("packages") / "us-core-6.1.0.tgz") as archive:
        found = []
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                found.append((member.name.removeprefix("./"), file.read()))
    return tuple(found)


def conformance() -> list[Json]:
    """Return the guide's own resources, search parameters last."""
    found = [json.loads(data) for name, data in _members() if name.count("/") == 1 and "/." not in name]
    kept = [one for one in found if one.get("resourceType") in STORED]
    return kept + [one for one in found if one.get("resourceType") == "SearchParameter"]


def examples() -> list[Json]:
    """Return the guide's examples that are single resources."""
    found = [json.loads(data) for name, data in _members() if name.startswith("package/example/")]
    return [one for one in found if "id" in one and one.get("resourceType") != "Bundle"] + [ROLE]


def statement() -> Json:
    """Return what a server of the guide has to do."""
    return next(one for one in conformance() if one.get("url") == STATEMENT)


def expectation(element: Json) -> str:
    """Return how strictly something is asked for."""
    found = [one["valueCode"] for one in element.get("extension", ()) if one["url"] == EXPECTATION]
    return found[0] if found else "SHALL"


def required_searches() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (type, parameters) of every search that a server shall answer."""
    for one in statement()["rest"][0]["resource"]:
        for param in one.get("searchParam", ()):
            if expectation(param) == "SHALL":
                yield one["type"], (param["name"],)
        for extension in one.get("extension", ()):
            if extension["url"] == COMBINATION and expectation(extension) == "SHALL":
                names = [part["valueString"] for part in extension["extension"] if part["url"] == "required"]
                yield one["type"], tuple(names)


def value(resource: Json, code: str) -> str | None:
    """Return what a search would look for to find `resource` by a parameter, None where it has nothing of it."""
    param = registry(resource["resourceType"]).params[code]
    if code == "_id":
        return str(resource["id"])
    found = fhirpath.compile(param.expression).evaluate(resource)
    return next((text for one in found if (text := _text(param.kind, one)) is not None), None)


def _text(kind: str, found: Any) -> str | None:
    if kind == "reference":
        return found.get("reference") if isinstance(found, dict) else None
    if kind == "date":
        start = found.get("start", found.get("end")) if isinstance(found, dict) else found
        return str(start)[:10] if start else None
    if kind == "string":
        texts = (
            [found.get("family"), found.get("city"), found.get("text")]
            if isinstance(found, dict)
            else [found]
        )
        return next((text for text in texts if isinstance(text, str)), None)
    return _token(found)


def _token(found: Any) -> str | None:
    if not isinstance(found, dict):
        return str(found).lower() if isinstance(found, bool) else str(found)
    codings: Sequence[Json] = found.get("coding", [found])
    for one in codings:
        code = one.get("code", one.get("value"))
        if code is not None:
            return f"{one['system']}|{code}" if "system" in one else str(code)
    return None
