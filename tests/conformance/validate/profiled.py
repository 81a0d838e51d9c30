"""Ways to break a resource that conforms to a US Core profile, taken from the profile's own differential."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from resources.definitions import definitions
from tests.conformance.validate.mutations import Mutation
from tests.conformance.validate.places import Json

Way = tuple[str | int, ...]


def required(resource: Json, profile: Json) -> Iterator[Mutation]:
    """Yield `resource` without each element that the profile, and not R4, requires."""
    holder = definitions().type(resource["resourceType"])
    for element in profile["differential"]["element"]:
        path, _, name = element["path"].partition(".")
        plain = name.removesuffix("[x]")
        known = holder.elements.get(plain)
        if ":" in element["id"] or known is None or known.min or element.get("min", 0) < 1:
            continue
        keys = [key for key, _ in known.json_keys() if key in resource]
        if not keys or any("_" + key in resource for key in keys):
            continue
        broken = {key: value for key, value in resource.items() if key not in keys}
        yield Mutation("required by a profile", broken, "cardinality-min", f"{path}.{plain}")


def patterns(resource: Json, profile: Json) -> Iterator[Mutation]:
    """Yield `resource` with another value than the profile fixes for each element."""
    for element in profile["differential"]["element"]:
        path, _, name = element["path"].partition(".")
        values = [value for key, value in element.items() if key.startswith("patternCodeableConcept")]
        if ":" in element["id"] or not values or type(resource.get(name)) is not dict:
            continue
        broken = resource | {name: {"text": "something else"}}
        yield Mutation("pattern of a profile", broken, "pattern-missing", f"{path}.{name}")


class Row(NamedTuple):
    """An example of US Core, what replaces the value at `way` (None: it is taken away), and what is said."""

    example: str
    way: Way
    value: Any
    message: str
    expression: str


_BP, _PATIENT = "Observation-blood-pressure.json", "Patient-example.json"
_RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
ROWS: tuple[Row, ...] = (
    Row(_PATIENT, ("identifier", 0, "system"), None, "cardinality-min", "Patient.identifier[0].system"),
    Row(_PATIENT, ("name",), [{"use": "official"}], "invariant-failed", "Patient.name[0]"),
    Row(_PATIENT, ("extension", 0, "extension", -1), None, "slice-min", "Patient.extension[0].extension"),
    Row(_PATIENT, ("extension", 0, "url"), _RACE + "x", "extension-unknown", "Patient.extension[0]"),
    Row(_PATIENT, ("birthDate",), "1987-02-20T00:00:00Z", "value-format", "Patient.birthDate"),
    Row(_PATIENT, ("telecom", 0, "use"), "bogus", "binding-required", "Patient.telecom[0].use"),
    Row(_BP, ("component", 0), None, "slice-min", "Observation.component"),
    Row(_BP, ("component", 0), None, "cardinality-min", "Observation.component"),
    Row(_BP, ("component",), None, "invariant-failed", "Observation"),
    Row(_BP, ("component", 0, "code", "coding", 0, "code"), "9999-9", "slice-min", "Observation.component"),
    Row(
        _BP,
        ("component", 0, "valueQuantity", "code"),
        "kg",
        "fixed-value",
        "Observation.component[0].value.code",
    ),
    Row(
        _BP,
        ("component", 1, "valueQuantity", "code"),
        "g",
        "fixed-value",
        "Observation.component[1].value.code",
    ),
    Row(_BP, ("category",), [{"text": "x"}], "slice-min", "Observation.category"),
    Row(_BP, ("subject",), {"reference": "Device/1"}, "reference-target-type", "Observation.subject"),
)


def rows(examples: dict[str, Json]) -> Iterator[Mutation]:
    """Yield the mutations of `ROWS`."""
    for row in ROWS:
        broken: Any = copy.deepcopy(examples[row.example])
        holder = broken
        for step in row.way[:-1]:
            holder = holder[step]
        if row.value is None:
            del holder[row.way[-1]]
        else:
            holder[row.way[-1]] = row.value
        yield Mutation("rule of a profile", broken, row.message, row.expression)
