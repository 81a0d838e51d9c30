"""Every official parameter, of every type it is for, indexes what its expression finds: each FHIR type of each path.

The values on R4's own examples are found by the FHIRPath engine, which another conformance test holds to `fhirpathpy`.

Source: http://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.extract import index
from fhir_server.search.param import Param
from fhir_server.search.paths import Path
from fhir_server.search.registry import registry
from fhir_server.storage.rows import MISSING_DATE, IndexRows
from resources import fhirpath
from resources.codec.json import parse_json
from resources.definitions import definitions
from tests.shared import r4_examples

Json = dict[str, Any]
QUANTITY = {"value": Decimal(5), "system": "http://unitsofmeasure.org", "code": "g", "unit": "g"}
SAMPLES: dict[str, Any] = {
    **dict.fromkeys(("string", "markdown", "code", "id"), "x"),
    **dict.fromkeys(("uri", "url", "canonical", "oid", "uuid"), "http://example.org/x"),
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt", "decimal"), 5),
    **dict.fromkeys(("Quantity", "Age", "Count", "Duration", "Distance"), QUANTITY),
    "Address": {"city": "Graz"},
    "CodeableConcept": {"coding": [{"system": "urn:s", "code": "c"}]},
    "Coding": {"system": "urn:s", "code": "c"},
    "ContactPoint": {"system": "phone", "value": "1"},
    "HumanName": {"family": "X"},
    "Identifier": {"system": "urn:s", "value": "1"},
    "Location.position": {"latitude": Decimal(1), "longitude": Decimal(2)},
    "Money": {"value": Decimal(5), "currency": "EUR"},
    "Period": {"start": "2020"},
    "Range": {"low": QUANTITY},
    "SampledData": {"origin": QUANTITY, "period": Decimal(1), "dimensions": 1, "data": "0 1"},
    "Timing": {"event": ["2020"]},
    "boolean": True,
    "date": "2020-01-01",
    "dateTime": "2020-01-01",
    "instant": "2020-01-01T00:00:00Z",
}
NOT_INDEXED = {
    ("date", "string"): "a text is no date",
    ("reference", "Attachment"): "an attachment is no reference",
    ("date", "Age"): "an age is no date",
    ("date", "Range"): "a range of ages is no date",
}
"""Types that R4's expressions find and that no parameter of the type can be asked for."""

SILENT = {
    ("Consent", "source-reference"): "attachments",
    ("CarePlan", "activity-date"): "texts, and schedules without events and bounds",
    ("ServiceRequest", "occurrence"): "schedules without events and bounds",
    ("Immunization", "date"): "texts",
    ("Bundle", "composition"): "resources without an id",
    ("Bundle", "message"): "resources without an id",
}
"""Parameters that have values in the examples that index nothing: what these are."""


def parameters() -> Iterator[Param]:
    """Yield every official parameter that reads elements, of every type."""
    for name in definitions().resource_types:
        yield from (
            p for p in registry(name).params.values() if p.expression and p.place not in ("column", "text")
        )


def test_every_parameter_with_an_expression_has_a_place() -> None:
    found = list(parameters())
    assert [f"{p.type}.{p.code}: {p.reason}" for p in found if p.place == "refused"] == []
    assert len({p.url for p in found}) > 1_370
    assert sum(bool(p.pairings) for p in found) == sum(p.kind == "composite" for p in found) > 60


def build(path: Path, key: str, value: Any) -> Any:
    """Return the smallest element in which `path` finds `value` under the last key."""
    made: Any = value
    last = True
    for position in range(len(path.steps) - 1, -1, -1):
        step = path.steps[position]
        if step.kind == "get":
            name = key if last else step.keys[0][0]
            indexed = position + 1 < len(path.steps) and path.steps[position + 1].kind == "at"
            made = {name: [made] if step.many or indexed else made}
            last = False
        elif step.kind == "where":
            made = {**made, step.name: step.value}
        elif step.kind == "extension":
            inside = {key: made} if last else made
            made = {"extension": [{"url": step.value, **inside}]}
            last = False
    return made


def last_keys(param: Param, path: Path) -> tuple[tuple[str, str], ...]:
    """Return the JSON keys at the end of a path with their types; of an extension, one that fits the parameter."""
    last = path.steps[-1]
    if last.kind == "extension":
        return (EXTENSIONS[param.kind],)
    return [step for step in path.steps if step.kind == "get"][-1].keys


EXTENSIONS = {
    "token": ("valueCode", "code"),
    "string": ("valueString", "string"),
    "date": ("valueDateTime", "dateTime"),
    "quantity": ("valueQuantity", "Quantity"),
    "reference": ("valueReference", "Reference"),
}


def said(rows: IndexRows) -> bool:
    """Whether there is a row by which the resource can be found."""
    dated = rows.d0 != MISSING_DATE
    lists = (rows.tokens, rows.posts, rows.strings, rows.dates, rows.numbers, rows.edges, rows.positions)
    return dated or any(lists) or rows.patient is not None


@pytest.mark.parametrize("type_name", definitions().resource_types)
def test_every_type_of_value_is_indexed(type_name: str) -> None:
    for param in registry(type_name).params.values():
        if param.place in ("refused", "column", "text", "composite"):
            continue
        for path in param.paths:
            for key, name in last_keys(param, path):
                if (param.kind, name) in NOT_INDEXED:
                    continue
                value = reference(path) if name in ("Reference", "Resource") else SAMPLES[name]
                rows = index({"resourceType": type_name, **build(path, key, value)})
                assert {part.id for part in param.parts} & {*rows.present, *param.ids}, (param.code, name)
                assert said(rows), (type_name, param.code, path.text, name)


def reference(path: Path) -> Json:
    """Return a reference, or a resource, of the type that `path` asks for."""
    wanted = path.resolves or "Patient"
    return {"reference": f"{wanted}/1", "resourceType": wanted, "id": "1"}


def test_what_the_engine_finds_in_the_examples_is_indexed() -> None:
    seen: set[str] = set()
    for name, data in r4_examples().items():
        resource = parse_json(data)
        if not definitions().is_resource(resource.get("resourceType", "")):
            continue
        present = set(index(resource).present)
        for param in registry(resource["resourceType"]).params.values():
            if param.place in ("refused", "column", "text", "composite"):
                continue
            nodes = fhirpath.compile(param.expression, lenient=True).nodes(resource)
            found = any(node.value is not None for node in nodes)
            indexed = bool(present & ({*param.ids} if param.narrowed else {part.id for part in param.parts}))
            assert indexed == found or (found and (param.type, param.code) in SILENT), (name, param.code)
            seen |= {param.url} if found else set()
    assert len(seen) > 700
