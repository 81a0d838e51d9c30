"""Small builders for FHIR datatypes. All return plain dicts with Decimal numbers."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fhir_server.demo.tables.codes import EXAMPLE, FHIR_SD, HL7, UCUM, US_CORE, Code, Json, hl7

# The demo world keeps one clock all year round.
ZONE = timezone(timedelta(hours=-5))


def concept(*codes: Code, text: str = "") -> Json:
    """Return a CodeableConcept of the codes and, when given, the text."""
    made: Json = {"coding": [code.coding() for code in codes]} if codes else {}
    if text:
        made["text"] = text
    return made


def number(value: float | str, places: int) -> Decimal | int:
    """Return value rounded to so many decimals; an int when there are none."""
    if places == 0:
        return round(float(value))
    return Decimal(f"{float(value):.{places}f}")


def quantity(value: Decimal | int, unit: str, ucum: str) -> Json:
    """Return a UCUM Quantity."""
    return {"value": value, "unit": unit, "system": UCUM, "code": ucum}


def ref(reference: str, display: str = "") -> Json:
    """Return a Reference."""
    return {"reference": reference, "display": display} if display else {"reference": reference}


def identifier(system: str, value: str, **more: Any) -> Json:
    """Return an Identifier in one of the example systems, or in a full URL."""
    return {**more, "system": system if ":" in system else f"{EXAMPLE}id/{system}", "value": value}


def profile(*names: str) -> Json:
    """Return meta with US Core profiles (names) in it."""
    return {"profile": [US_CORE + name for name in names]}


def us_core_extension(name: str, **value: Any) -> Json:
    """Return a US Core extension by short name."""
    return {"url": US_CORE + name, **value}


def absent(code: str, display: str) -> Json:
    """Return a dataAbsentReason CodeableConcept."""
    return concept(Code(HL7 + "data-absent-reason", code, display))


def absent_extension(code: str) -> Json:
    """Return the data-absent-reason extension, to stand where a value is missing."""
    return {"url": FHIR_SD + "data-absent-reason", "valueCode": code}


def category(code: str, display: str) -> Json:
    """Return an observation category."""
    return concept(hl7("observation-category", code, display))


def stamp(moment: datetime) -> str:
    """Return a FHIR dateTime/instant with seconds and zone."""
    return moment.astimezone(ZONE).isoformat(timespec="seconds")


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """Return a moment of the day in the demo world's zone."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)


def period(start: datetime, end: datetime | None = None) -> Json:
    """Return a Period."""
    return {"start": stamp(start), "end": stamp(end)} if end else {"start": stamp(start)}


def npi(nine_digits: str) -> str:
    """Return a National Provider Identifier with its check digit.

    Source: CMS, NPI check digit calculation (Luhn over 80840 + nine digits; the constant prefix adds 24).
    """
    total = 24
    for place, digit in enumerate(nine_digits):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return nine_digits + str(-total % 10)


def narrative(text: str, status: str = "generated") -> Json:
    """Return a Narrative with one paragraph (text must be free of markup)."""
    return {"status": status, "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{text}</p></div>'}


def transaction(resources: list[Json]) -> Json:
    """Return a transaction Bundle that PUTs every resource under its own id."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(resource) for resource in resources],
    }


def _entry(resource: Json) -> Json:
    """Return the transaction entry of one resource; the fullUrl is derived from type and id."""
    name = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": f"urn:uuid:{_uuid(name)}",
        "resource": resource,
        "request": {"method": "PUT", "url": name},
    }


def _uuid(name: str) -> str:
    """Return a version 5 UUID of the name in the demo namespace."""
    return str(uuid5(NAMESPACE_URL, EXAMPLE + name))
