"""Data classes: every type has one, and what is about people is sealed."""

from __future__ import annotations

from fhir_server.crypto.classes import DataClass, by_number, rows
from resources.definitions import definitions


def test_rows_name_real_types_once_and_say_why() -> None:
    named = [name for row in rows() for name in row.types]
    assert len(named) == len(set(named))
    assert set(named) <= set(definitions().resource_types)
    assert all(row.reason and DataClass(row.number).label == row.name for row in rows())
    assert {row.number for row in rows()} == {int(one) for one in DataClass}


def test_whatever_no_row_names_is_clinical_and_nothing_of_a_patient_is_open() -> None:
    found = dict(zip(definitions().resource_types, by_number(), strict=True))
    assert found["Observation"] is DataClass.CLINICAL
    assert found["Patient"] is DataClass.IDENTITY
    compartment = {
        "Observation",
        "Condition",
        "MedicationRequest",
        "QuestionnaireResponse",
        "Consent",
        "AuditEvent",
    }
    assert all(found[name] is not DataClass.OPEN for name in compartment)
