"""Answers of terminology operations: Parameters, and what every one of them says of what is not here.

Source: http://hl7.org/fhir/R4/parameters.html
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from fhir_server.exchange import Result
from resources.codec.json import dump_json
from resources.outcome import FhirError, Issue
from terminology.records import PropertyValue

Json = dict[str, Any]

UNKNOWN = "terminology-not-loaded"
"""The message id of the one answer to whatever needs a code system, value set or map that is not here."""


def value(name: str, kind: str, content: Any) -> Json:
    """Return a parameter with a value of a FHIR type ('string', 'Coding' …)."""
    return {"name": name, f"value{kind[:1].upper()}{kind[1:]}": content}


def group(name: str, parts: Iterable[Json | None]) -> Json:
    """Return a parameter made of parts; those that are None are left out."""
    return {"name": name, "part": [part for part in parts if part is not None]}


def texts(name: str, kind: str, content: str) -> list[Json]:
    """Return a parameter with a text in a list, none where the text is empty."""
    return [value(name, kind, content)] if content else []


def parameters(parts: Iterable[Json]) -> Result:
    """Return the Parameters resource made of `parts`."""
    listed = list(parts)
    told = {"parameter": listed} if listed else {}
    return Result(200, dump_json({"resourceType": "Parameters"} | told))


def property_value(name: str, one: PropertyValue) -> Json:
    """Return the value of a concept's property as a parameter, typed as the code system has it."""
    match one.kind:
        case "Coding":
            found = {"system": one.system, "code": one.value, "display": one.display}
            return value(name, "Coding", {key: text for key, text in found.items() if text})
        case "boolean":
            return value(name, "boolean", one.value == "true")
        case "integer":
            return value(name, "integer", int(one.value))
        case "decimal":
            return value(name, "decimal", Decimal(one.value))
    return value(name, one.kind, one.value)


def not_loaded(*reasons: str) -> FhirError:
    """Return the one answer for what cannot be told: 404 with every reason, never a result that says no."""
    return FhirError(404, issues=[Issue("not-found", reason, id=UNKNOWN) for reason in reasons])
