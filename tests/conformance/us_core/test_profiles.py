"""Rules of US Core's profiles for the data themselves, as `$validate` tells them.

Source: http://hl7.org/fhir/us/core/STU6.1/general-requirements.html#missing-data
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conformance.us_core.world import PROFILE, Json, examples

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
STATUS = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
SUBJECT = {"reference": "Patient/example"}


def coded(system: str, code: str) -> Json:
    """Return a CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def allergy(status: str | None, verified: str, **more: Any) -> Json:
    """Return an AllergyIntolerance."""
    known = {"clinicalStatus": coded(STATUS, status)} if status else {}
    return {"resourceType": "AllergyIntolerance", **known, "verificationStatus": coded(VERIFIED, verified),
            "code": {"text": "a"}, "patient": SUBJECT, **more}  # fmt: skip


def pressure(*components: Json, **more: Any) -> Json:
    """Return a blood pressure without values, unless they are given."""
    codes = ("8480-6", "8462-4")
    parts = [
        {"code": coded("http://loinc.org", code), **extra}
        for code, extra in zip(codes, components, strict=True)
    ]
    category = coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")
    return {"resourceType": "Observation", "status": "final", "category": [category],
            "code": coded("http://loinc.org", "85354-9"), "subject": SUBJECT,
            "effectiveDateTime": "2026-01-01", "component": parts, **more}  # fmt: skip


def quantity(value: int) -> Json:
    """Return a pressure."""
    return {
        "valueQuantity": {
            "value": value,
            "unit": "mmHg",
            "system": "http://unitsofmeasure.org",
            "code": "mm[Hg]",
        }
    }


UNKNOWN = {"dataAbsentReason": coded("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown")}


async def wrong(guide: httpx.AsyncClient, profile: str, resource: Json) -> list[str]:
    """Return the texts of the errors."""
    url = f"{resource['resourceType']}/$validate?profile={PROFILE}{profile}"
    answer = await guide.post(url, json=resource)
    return [one["diagnostics"] for one in answer.json()["issue"] if one["severity"] == "error"]


async def test_the_examples_conform_to_their_profiles(guide: httpx.AsyncClient) -> None:
    for one in examples():
        answer = await guide.post(f"{one['resourceType']}/$validate", json=one)
        assert [i for i in answer.json()["issue"] if i["severity"] == "error"] == [], one["id"]


async def test_clinical_status_goes_with_verification(guide: httpx.AsyncClient) -> None:
    check = "us-core-allergyintolerance"
    assert await wrong(guide, check, allergy("active", "confirmed")) == []
    assert await wrong(guide, check, allergy(None, "entered-in-error")) == []
    assert await wrong(guide, check, allergy(None, "confirmed"))
    assert await wrong(guide, check, allergy("active", "entered-in-error"))


async def test_a_required_binding_takes_only_its_codes(guide: httpx.AsyncClient) -> None:
    check = "us-core-allergyintolerance"
    assert await wrong(guide, check, allergy("active", "perhaps"))
    text_only = {**allergy("active", "confirmed"), "verificationStatus": {"text": "confirmed"}}
    assert await wrong(guide, check, text_only)
    both = coded(VERIFIED, "confirmed")
    both["coding"].append({"system": "http://own.test", "code": "x"})
    assert await wrong(guide, check, {**allergy("active", "confirmed"), "verificationStatus": both}) == []


async def test_an_extensible_binding_takes_text_and_other_codes(guide: httpx.AsyncClient) -> None:
    for code in ({"text": "dust"}, coded("http://own.test", "dust")):
        found = await wrong(guide, "us-core-allergyintolerance", allergy("active", "confirmed", code=code))
        assert found == []


async def test_a_mandatory_element_may_say_why_it_has_no_value(guide: httpx.AsyncClient) -> None:
    extension = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "http://a.test", "value": "1"}],
        "gender": "unknown",
    }
    assert await wrong(guide, "us-core-patient", patient)
    assert await wrong(guide, "us-core-patient", {**patient, "name": [{**extension}]}) == []


async def test_a_pressure_without_a_value_says_why(guide: httpx.AsyncClient) -> None:
    check = "us-core-blood-pressure"
    assert await wrong(guide, check, pressure(quantity(120), quantity(80))) == []
    assert await wrong(guide, check, pressure(UNKNOWN, quantity(80))) == []
    assert await wrong(guide, check, pressure({}, quantity(80)))


@pytest.mark.parametrize(("status", "fine"), [("registered", True), ("final", False), ("amended", False)])
async def test_a_report_that_is_out_has_its_times(guide: httpx.AsyncClient, status: str, fine: bool) -> None:
    category = coded("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB")
    report = {"resourceType": "DiagnosticReport", "status": status, "category": [category],
              "code": coded("http://loinc.org", "24331-1"), "subject": SUBJECT}  # fmt: skip
    assert (await wrong(guide, "us-core-diagnosticreport-lab", report) == []) is fine
    timed = {**report, "effectiveDateTime": "2026-01-01", "issued": "2026-01-01T00:00:00Z"}
    assert await wrong(guide, "us-core-diagnosticreport-lab", timed) == []
