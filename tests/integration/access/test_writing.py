"""What a token may write: what was there before and what is there after it must both be in reach.

Source: http://hl7.org/fhir/R4/http.html, https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.access.people import Clinic, found, observation

PATCH = {"Content-Type": "application/json-patch+json"}


def _about(patient: str, **more: Any) -> dict[str, Any]:
    one = observation("x", f"Patient/{patient}", **more)
    del one["id"]
    return one


async def test_a_patient_writes_into_her_own_compartment_only(here: Clinic) -> None:
    async with here.patient("ada") as ada:
        assert (await ada.post("Observation", json=_about("ada"))).status_code == 201
        others = await ada.post("Observation", json=_about("bob"))
        nobodys = await ada.post("Observation", json=_about("never-was"))
        assert (others.status_code, nobodys.status_code) == (403, 403)
        assert others.json()["issue"][0]["diagnostics"] == nobodys.json()["issue"][0]["diagnostics"]
        both = _about("ada", performer=[{"reference": "Patient/bob"}])
        assert (await ada.post("Observation", json=both)).status_code == 403
        patient = {"resourceType": "Patient", "name": [{"family": "New"}]}
        assert (await ada.post("Patient", json=patient)).status_code == 403
        organization = {"resourceType": "Organization", "name": "Mine"}
        assert (await ada.post("Organization", json=organization)).status_code == 403
    async with here.client() as admin:
        assert "Mine" not in (await admin.get("Organization")).text
        assert (await admin.get("Observation?patient=bob&_summary=count")).json()["total"] == 2


async def test_nothing_is_moved_out_of_reach(here: Clinic) -> None:
    async with here.patient("ada") as ada:
        own = (await ada.get("Observation/ada-lab")).json()
        own["subject"]["reference"] = "Patient/bob"
        assert (await ada.put("Observation/ada-lab", json=own)).status_code == 403
        change = [{"op": "replace", "path": "/subject/reference", "value": "Patient/bob"}]
        answer = await ada.patch("Observation/ada-lab", json=change, headers=PATCH)
        assert answer.status_code == 403
        assert (await ada.get("Observation/ada-lab")).json()["subject"]["reference"] == "Patient/ada"
        own["subject"]["reference"] = "Patient/ada"
        own["note"] = [{"text": "mine"}]
        assert (await ada.put("Observation/ada-lab", json=own)).status_code == 200


@pytest.mark.parametrize("id_", ["bob-lab", "never-was"])
async def test_writes_do_not_tell_whether_a_hidden_resource_is_there(here: Clinic, id_: str) -> None:
    async with here.patient("ada") as ada:
        new = {**_about("ada"), "id": id_}
        answers = [
            await ada.put(f"Observation/{id_}", json=new),
            await ada.put(f"Observation/{id_}", json=new, headers={"If-Match": 'W/"1"'}),
            await ada.put(f"Observation/{id_}", json=new, headers={"If-None-Match": "*"}),
            await ada.put(f"Observation?_id={id_}", json=new),
            await ada.patch(f"Observation/{id_}", json=[], headers=PATCH),
            await ada.delete(f"Observation/{id_}"),
            await ada.post(f"Observation/{id_}/$meta-add", json=_meta()),
        ]
        bundle = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [{"resource": new, "request": {"method": "PUT", "url": f"Observation/{id_}"}}],
        }
        answers.append(await ada.post("", json=bundle))
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    async with here.client() as admin:
        assert (await admin.get("Observation/never-was")).status_code == 404
        assert (await admin.get("Observation/bob-lab")).json()["subject"]["reference"] == "Patient/bob"


def _meta() -> dict[str, Any]:
    tag = {"tag": [{"code": "x"}]}
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": tag}]}


async def test_conditions_see_what_the_token_sees(here: Clinic) -> None:
    async with here.patient("ada") as ada:
        new = _about("ada")
        answer = await ada.post("Observation", json=new, headers={"If-None-Exist": "_id=bob-lab"})
        assert answer.status_code == 201, "as where nothing matches"
        answer = await ada.post("Observation", json=new, headers={"If-None-Exist": "_id=ada-lab"})
        assert answer.status_code == 200
        answer = await ada.delete("Observation?code=4548-4&category=vital-signs")
        assert answer.status_code == 204
    async with here.client() as admin:
        assert (await admin.get("Observation/ada-vital")).status_code == 410
        assert (await admin.get("Observation/bob-vital")).status_code == 200


async def test_letters_are_kept_apart(here: Clinic) -> None:
    async with here.patient("ada", "patient/Observation.cr") as ada:
        assert (await ada.post("Observation", json=_about("ada"))).status_code == 201
        own = (await ada.get("Observation/ada-lab")).json()
        assert (await ada.put("Observation/ada-lab", json=own)).status_code == 403
        assert (await ada.delete("Observation/ada-lab")).status_code == 403
        assert (await ada.get("Observation")).status_code == 403
    async with here.patient("ada", "patient/Observation.u") as ada:
        assert (await ada.post("Observation", json=_about("ada"))).status_code == 403
        assert (await ada.get("Observation/ada-lab")).status_code == 403


async def test_who_may_write_but_not_read_is_shown_nothing(here: Clinic) -> None:
    async with here.patient("ada", "patient/Observation.write") as ada:
        made = await ada.post("Observation", json=_about("ada"))
        assert (made.status_code, made.content) == (201, b"")
        answer = await ada.patch("Observation/ada-lab", json=[], headers=PATCH)
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await ada.patch("Observation/bob-lab", json=[], headers=PATCH)).status_code == 404
        entry = {"resource": _about("ada"), "request": {"method": "POST", "url": "Observation"}}
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        whole = await ada.post("", json=bundle, headers={"Prefer": "return=representation"})
        assert whole.status_code == 200
        assert "secret" not in whole.text
        assert (await ada.delete("Observation/ada-lab")).status_code in (200, 204)


async def test_granular_scopes_hold_before_and_after_a_write(here: Clinic) -> None:
    async with here.patient("ada", "patient/Observation.cruds?category=laboratory") as ada:
        assert (await ada.post("Observation", json=_about("ada"))).status_code == 201
        vital = _about("ada", category="vital-signs")
        assert (await ada.post("Observation", json=vital)).status_code == 403
        moved = {**vital, "id": "ada-lab"}
        assert (await ada.put("Observation/ada-lab", json=moved)).status_code == 403
        assert (
            await ada.put("Observation/ada-vital", json={**_about("ada"), "id": "ada-vital"})
        ).status_code == 404


async def test_a_transaction_is_whole_or_nothing_for_reach_too(here: Clinic) -> None:
    def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
        entries = [
            {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in resources
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    async with here.patient("ada") as ada:
        before = (await ada.get("Observation?_summary=count")).json()["total"]
        answer = await ada.post("", json=bundle(_about("ada"), _about("bob")))
        assert answer.status_code == 403
        assert (await ada.get("Observation?_summary=count")).json()["total"] == before
        assert (await ada.post("", json=bundle(_about("ada"), _about("ada")))).status_code == 200
        conditional = _about("ada")
        conditional["focus"] = [{"reference": "Patient?name=Bob"}]
        assert (await ada.post("", json=bundle(conditional))).status_code == 412, (
            "as where nobody is called so"
        )
    async with here.patient("ada", "patient/Condition.cruds") as ada:
        assert (await ada.post("", json=bundle(_about("ada")))).status_code == 403


async def test_a_document_shows_no_binary_of_others(here: Clinic) -> None:
    def document(binary: str) -> dict[str, Any]:
        return {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": {"reference": "Patient/ada"},
            "content": [{"attachment": {"url": binary}}],
        }

    async with here.patient("ada") as ada:
        for binary in ("Binary/bob-binary", "Binary/bob-own-binary", "Binary/never-was"):
            assert (await ada.post("DocumentReference", json=document(binary))).status_code == 403, binary
            assert (await ada.get(binary)).status_code == 404
        made = await ada.post("Binary", content=b"mine", headers={"Content-Type": "text/plain"})
        assert made.status_code == 201, made.text
        path = made.headers["location"].split("/fhir/")[1].split("/_history")[0]
        assert (await ada.get(path)).status_code == 200
        assert (await ada.post("DocumentReference", json=document(path))).status_code == 201
        foreign = {
            "resourceType": "Binary",
            "contentType": "text/plain",
            "securityContext": {"reference": "Patient/bob"},
        }
        assert (await ada.post("Binary", json=foreign)).status_code == 403
    async with here.patient("bob") as bob:
        assert (await bob.get(path)).status_code == 404


async def test_no_provenance_is_hung_on_others_records(here: Clinic) -> None:
    def provenance(*targets: str) -> dict[str, Any]:
        return {
            "resourceType": "Provenance",
            "recorded": "2024-01-01T00:00:00Z",
            "target": [{"reference": one} for one in targets],
            "agent": [{"who": {"reference": "Patient/ada"}}],
        }

    async with here.patient("ada") as ada:
        assert (await ada.post("Provenance", json=provenance("Observation/ada-lab"))).status_code == 201
        for targets in (
            ("Observation/bob-lab",),
            ("Observation/ada-lab", "Observation/bob-lab"),
            ("Observation/never-was",),
        ):
            assert (await ada.post("Provenance", json=provenance(*targets))).status_code == 403
    async with here.client() as admin:
        assert found(await admin.get("Provenance?target=Observation/bob-lab")) == {
            "Provenance/bob-provenance"
        }


async def test_a_clinician_writes_for_all_and_chooses_ids(here: Clinic) -> None:
    async with here.clinician() as doctor:
        new = {**_about("bob"), "id": "chosen"}
        assert (await doctor.put("Observation/chosen", json=new)).status_code in (200, 201)
        assert (await doctor.delete("Observation/chosen")).status_code == 204
