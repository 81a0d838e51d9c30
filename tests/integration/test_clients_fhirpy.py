"""fhirpy as a real client: what its users do works against a running server, synchronously and not."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound


@pytest.fixture
def fhir(live_server: str) -> SyncFHIRClient:
    """Return a client on the running server."""
    return SyncFHIRClient(live_server)


@pytest.fixture
def family() -> str:
    """Return a family name that no other test uses."""
    return f"Fhirpy{uuid.uuid4().hex[:12]}"


def new_patient(fhir: SyncFHIRClient, family: str, given: str = "Ana") -> Any:
    patient = fhir.resource("Patient", name=[{"family": family, "given": [given]}], active=True)
    patient.save()
    return patient


def test_created_resource_is_read_back(fhir: SyncFHIRClient, family: str) -> None:
    patient = new_patient(fhir, family)
    assert patient.meta.versionId == "1"
    read: Any = fhir.reference("Patient", patient.id).to_resource()
    assert read.serialize() == patient.serialize()


def test_update_makes_a_new_version(fhir: SyncFHIRClient, family: str) -> None:
    patient = new_patient(fhir, family)
    patient["birthDate"] = "1980-02-29"
    patient.save()
    assert patient.meta.versionId == "2"
    assert fhir.get("Patient", patient.id)["birthDate"] == "1980-02-29"


def test_search_pages_through_everything_once(fhir: SyncFHIRClient, family: str) -> None:
    created = {new_patient(fhir, family, f"Given{number}").id for number in range(7)}
    found = [patient.id for patient in fhir.resources("Patient").search(family=family).limit(2)]
    assert len(found) == 7
    assert set(found) == created


def test_search_narrows_sorts_and_takes_the_first(fhir: SyncFHIRClient, family: str) -> None:
    for given in ("Beth", "Ana", "Cleo"):
        new_patient(fhir, family, given)
    search = fhir.resources("Patient").search(family=family)
    assert [p.name[0].given[0] for p in search.sort("given").fetch()] == ["Ana", "Beth", "Cleo"]
    assert search.search(given="Beth").get().name[0].given == ["Beth"]
    with pytest.raises(MultipleResourcesFound):
        search.get()


def test_include_brings_the_referenced_resource(fhir: SyncFHIRClient, family: str) -> None:
    patient = new_patient(fhir, family)
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    subject = patient.to_reference()
    observation = fhir.resource("Observation", status="final", code=code, subject=subject)
    observation.save()
    search = fhir.resources("Observation").search(patient=patient.id).include("Observation", "subject")
    bundle = search.fetch_raw()
    assert {entry.resource.resourceType for entry in bundle.entry} == {"Observation", "Patient"}
    assert (
        fhir.resources("Patient").search(family=family).has("Observation", "subject", code="8867-4").fetch()
    )


def test_conditional_create_and_update(fhir: SyncFHIRClient, family: str) -> None:
    identifier = f"http://example.org/mrn|{family}"
    resource = fhir.resource(
        "Patient", identifier=[{"system": "http://example.org/mrn", "value": family}], gender="female"
    )
    search = fhir.resources("Patient").search(identifier=identifier)
    updated, created = search.update(resource)
    assert created
    resource["gender"] = "other"
    again, created = search.update(resource)
    assert not created
    assert (again.id, again.gender) == (updated.id, "other")


def test_fhirpath_patch_is_taken_as_parameters(fhir: SyncFHIRClient, family: str) -> None:
    patient = new_patient(fhir, family)
    operation = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Patient.name[0].family"},
        {"name": "value", "valueString": family + "Two"},
    ]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation}]}
    patched = fhir.execute(f"Patient/{patient.id}", method="patch", data=parameters)
    assert patched["name"][0]["family"] == family + "Two"


def test_merge_patch_is_refused_with_an_outcome(fhir: SyncFHIRClient, family: str) -> None:
    patient = new_patient(fhir, family)
    with pytest.raises(OperationOutcome):
        patient.patch(active=False)
    assert fhir.get("Patient", patient.id)["active"] is True


def test_deleted_resource_is_gone(fhir: SyncFHIRClient, family: str) -> None:
    patient = new_patient(fhir, family)
    patient.delete()
    with pytest.raises(ResourceNotFound):
        fhir.reference("Patient", patient.id).to_resource()
    assert fhir.resources("Patient").search(family=family).fetch() == []


def test_invalid_resource_is_refused_with_an_outcome(fhir: SyncFHIRClient) -> None:
    with pytest.raises(OperationOutcome) as caught:
        fhir.resource("Patient", gender="unheard-of").save()
    assert "Patient.gender" in str(caught.value)


def transaction(family: str) -> dict[str, Any]:
    """Return a transaction of a patient and an observation that points to it, the observation first."""
    urn = f"urn:uuid:{uuid.uuid4()}"
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": urn},
    }
    patient = {"resourceType": "Patient", "name": [{"family": family}]}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": observation, "request": post("Observation")},
            {"fullUrl": urn, "resource": patient, "request": post("Patient")},
        ],
    }


def post(url: str) -> dict[str, str]:
    return {"method": "POST", "url": url}


def test_transaction_is_answered_in_order_and_linked(fhir: SyncFHIRClient, family: str) -> None:
    bundle: Any = fhir.resource(**transaction(family), resource_type="Bundle")
    answer = fhir.execute("", method="post", data=bundle.serialize())
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["201", "201"]
    patient = fhir.resources("Patient").search(family=family).get()
    observation = fhir.resources("Observation").search(subject=f"Patient/{patient.id}").get()
    assert observation.subject.reference == f"Patient/{patient.id}"


async def test_the_asynchronous_client_does_the_same(live_server: str, family: str) -> None:
    fhir = AsyncFHIRClient(live_server)
    patients: list[Any] = []
    for number in range(3):
        patient: Any = fhir.resource("Patient", name=[{"family": family, "given": [f"G{number}"]}])
        await patient.save()
        patients.append(patient)
    found = [patient.id async for patient in fhir.resources("Patient").search(family=family).limit(2)]
    assert sorted(found) == sorted(patient.id for patient in patients)
    await patients[0].delete()
    with pytest.raises(ResourceNotFound):
        await fhir.reference("Patient", patients[0].id).to_resource()
