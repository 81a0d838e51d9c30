"""Extensions for elements of other releases.

Source: http://hl7.org/fhir/R4/versions.html#extensions
"""

from __future__ import annotations

import pytest

from resources.profiles.crossversion import CrossVersion, cross_version

BASE = "http://hl7.org/fhir/"


def test_the_url_says_release_and_element() -> None:
    found = cross_version(BASE + "5.0/StructureDefinition/extension-Patient.contact.additionalName")
    assert found == CrossVersion("5.0", "Patient.contact.additionalName", "Patient.contact")
    assert "of R5" in found.note
    assert "not checked" in found.note


@pytest.mark.parametrize(
    "url",
    [
        "StructureDefinition/patient-birthPlace",
        "5.0/StructureDefinition/extension-Patient",
        "5.0/StructureDefinition/extension-patient.name",
        "5.0/StructureDefinition/extension-Patient.name/x",
        "5.0/StructureDefinition/Patient.name",
        "9.9/StructureDefinition/extension-Patient.name",
        "4.0/StructureDefinition/extension-Patient.name",
    ],
)
def test_other_urls_are_none(url: str) -> None:
    assert cross_version(BASE + url) is None
