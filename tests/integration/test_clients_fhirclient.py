"""The SMART project's fhirclient as a real client: its strict R4 models read what a running server sends."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle, BundleEntry, BundleEntryRequest
from fhirclient.models.codeableconcept import CodeableConcept
from fhirclient.models.coding import Coding
from fhirclient.models.fhirdate import FHIRDate
from fhirclient.models.fhirreference import FHIRReference
from fhirclient.models.humanname import HumanName
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRServer
from requests import HTTPError


@pytest.fixture
def server(live_server: str) -> FHIRServer:
    """Return the client's server object on the running server."""
    client = FHIRClient(settings={"app_id": "health-buddy-tests", "api_base": live_server})
    return client.server


@pytest.fixture
def family() -> str:
    """Return a family name that no other test uses."""
    return f"Fhirclient{uuid.uuid4().hex[:12]}"


def patient_called(family: str, given: str = "Ana") -> Any:
    patient = Patient()
    patient.name = [HumanName({"family": family, "given": [given]})]
    return patient


def created(server: FHIRServer, resource: Any) -> Any:
    """Create `resource` and return it as the server answers."""
    return type(resource)(resource.create(server))


def test_capability_statement_is_read_by_the_models(server: FHIRServer) -> None:
    server.get_capability()
    statement = server.capabilityStatement
    assert statement.fhirVersion == "4.0.1"
    assert "Patient" in {resource.type for resource in statement.rest[0].resource}


def test_created_resource_is_read_back(server: FHIRServer, family: str) -> None:
    patient = patient_called(family)
    patient.birthDate = FHIRDate("1980-02-29")
    answer = created(server, patient)
    assert answer.meta.versionId == "1"
    assert Patient.read(answer.id, server).as_json() == answer.as_json()


def test_update_makes_a_new_version(server: FHIRServer, family: str) -> None:
    patient = Patient.read(created(server, patient_called(family)).id, server)
    patient.gender = "female"
    patient.update(server)
    again = Patient.read(patient.id, server)
    assert (again.gender, again.meta.versionId) == ("female", "2")


def test_search_pages_through_everything_once(server: FHIRServer, family: str) -> None:
    ids = {created(server, patient_called(family, f"Given{number}")).id for number in range(5)}
    search = Patient.where({"family": family, "_count": "2"})
    pages = list(search.perform_iter(server))
    found = [entry.resource.id for page in pages for entry in page.entry or []]
    assert len(pages) == 3
    assert len(found) == 5
    assert set(found) == ids


def test_include_brings_the_referenced_resource(server: FHIRServer, family: str) -> None:
    patient = created(server, patient_called(family))
    observation = observation_of(f"Patient/{patient.id}")
    observation.create(server)
    search = Observation.where({"patient": patient.id}).include("subject")
    found = list(search.perform_resources_iter(server))
    assert {resource.resource_type for resource in found} == {"Observation", "Patient"}


def observation_of(reference: str) -> Any:
    """Return an Observation whose subject is `reference`."""
    observation = Observation()
    observation.status = "final"
    observation.code = CodeableConcept()
    observation.code.coding = [Coding({"system": "http://loinc.org", "code": "8867-4"})]
    observation.subject = FHIRReference({"reference": reference})
    return observation


def test_deleted_resource_is_gone(server: FHIRServer, family: str) -> None:
    patient = Patient.read(created(server, patient_called(family)).id, server)
    patient.delete()
    with pytest.raises((HTTPError, FHIRNotFoundException)):
        Patient.read(patient.id, server)
    assert list(Patient.where({"family": family}).perform_resources_iter(server)) == []


def test_unknown_resource_is_not_found(server: FHIRServer) -> None:
    with pytest.raises(FHIRNotFoundException):
        Patient.read(f"none-{uuid.uuid4()}", server)


def test_transaction_is_answered_in_order_and_linked(server: FHIRServer, family: str) -> None:
    urn = f"urn:uuid:{uuid.uuid4()}"
    bundle = Bundle()
    bundle.type = "transaction"
    bundle.entry = [entry_of(observation_of(urn)), entry_of(patient_called(family), urn)]
    answer = Bundle(bundle.create(server))
    assert [entry.response.status[:3] for entry in answer.entry] == ["201", "201"]
    (patient,) = Patient.where({"family": family}).perform_resources_iter(server)
    (observation,) = Observation.where({"subject": f"Patient/{patient.id}"}).perform_resources_iter(server)
    assert observation.subject.reference == f"Patient/{patient.id}"
    assert observation.subject.resolved(Patient).as_json() == patient.as_json()


def entry_of(resource: Any, full_url: str | None = None) -> Any:
    """Return a transaction entry that creates `resource`."""
    entry = BundleEntry()
    entry.fullUrl = full_url
    entry.resource = resource
    entry.request = BundleEntryRequest({"method": "POST", "url": resource.resource_type})
    return entry
