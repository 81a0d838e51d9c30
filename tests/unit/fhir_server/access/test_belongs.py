"""Whose is a resource. Source: http://hl7.org/fhir/R4/compartmentdefinition-patient.html"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.access.belongs import owners, table
from fhir_server.search.registry import registry
from resources.definitions import definitions


def _local(text: str) -> tuple[str, str] | None:
    kind, _, id_ = text.partition("/")
    return (kind, id_) if id_ and ":" not in text else None


def test_every_type_of_r4_has_one_row_with_a_reason() -> None:
    assert list(table()) == list(definitions().resource_types)
    assert all(len(row.reason) > 5 for row in table().values())


def test_what_a_row_carries_as_its_patient_is_among_its_owners() -> None:
    for name, row in table().items():
        path = registry(name).patient_path.removeprefix(".")
        assert not path or path in row.paths, name


def test_the_compartment_of_r4_is_in_the_table_but_for_two_rows_with_reasons() -> None:
    missing = {
        name for name in definitions().compartment("Patient") if table()[name].whose not in ("patient", "via")
    }
    assert missing == {"Group", "AuditEvent"}
    assert table()["Patient"].paths == ()


def test_rows_lead_somewhere() -> None:
    for name, row in table().items():
        known = registry(name).params
        assert all(param == "*" or known[param].kind == "reference" for param in row.params), name
        assert (row.whose == "via") == bool(row.params), name


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ({"resourceType": "Patient", "id": "a", "link": [{"other": {"reference": "Patient/b"}}]}, {"a"}),
        ({"resourceType": "Task", "for": {"reference": "Patient/a"}}, {"a"}),
        ({"resourceType": "Task", "for": {"reference": "Group/a"}}, set()),
        ({"resourceType": "Device", "patient": {"reference": "http://else/Patient/a"}}, set()),
        ({"resourceType": "Observation", "subject": {"reference": "#a"}}, set()),
        (
            {
                "resourceType": "Observation",
                "subject": {"reference": "Patient/a"},
                "performer": [{"reference": "Practitioner/x"}, {"reference": "Patient/b"}],
            },
            {"a", "b"},
        ),
        (
            {
                "resourceType": "Appointment",
                "participant": [{"actor": {"reference": "Patient/a"}}, {"actor": {"display": "x"}}, {}],
            },
            {"a"},
        ),
        (
            {
                "resourceType": "Bundle",
                "entry": [
                    {"resource": {"resourceType": "Patient", "id": "a"}},
                    {"resource": {"resourceType": "Task", "for": {"reference": "Patient/b"}}},
                    {},
                ],
            },
            {"a", "b"},
        ),
        ({"resourceType": "Group", "member": [{"entity": {"reference": "Patient/a"}}]}, set()),
        ({"resourceType": "Binary", "securityContext": {"reference": "Patient/a"}}, {"a"}),
        ({"resourceType": "Organization", "id": "a"}, set()),
    ],
)
def test_owners_are_those_whom_the_table_names(resource: dict[str, Any], found: set[str]) -> None:
    assert owners(resource, _local) == found
