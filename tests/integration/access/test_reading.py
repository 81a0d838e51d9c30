"""What a token shows on every path that reads.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html, http://hl7.org/fhir/R4/security.html
"""

from __future__ import annotations

import httpx
import pytest

from tests.integration.access.people import Clinic, clinic, found

OWN = (
    "Patient/{0}",
    "Observation/{0}-lab",
    "Condition/{0}-condition",
    "Encounter/{0}-encounter",
    "Task/{0}-task",
    "Provenance/{0}-provenance",
    "Binary/{0}-binary",
    "Binary/{0}-own-binary",
    "DocumentReference/{0}-document",
    "Device/{0}-device",
)
SHARED = ("Practitioner/doc", "Organization/clinic", "Device/scanner", "Appointment/both")
HIDDEN = ("Group/both", "Observation/nobody")


@pytest.mark.parametrize("path", OWN)
async def test_a_patient_reads_her_own_record_and_nobody_elses(here: Clinic, path: str) -> None:
    async with here.patient("ada") as ada:
        own, others = await ada.get(path.format("ada")), await ada.get(path.format("bob"))
        nothing = await ada.get(path.format("nobody-at-all"))
    assert own.status_code == 200
    assert (others.status_code, nothing.status_code) == (404, 404)
    assert others.json()["issue"][0]["code"] == "not-found"
    assert "secret" not in others.text


@pytest.mark.parametrize("path", SHARED)
async def test_what_is_shared_is_seen_by_scope(here: Clinic, path: str) -> None:
    async with here.patient("ada") as ada, here.patient("ada", "patient/Observation.rs") as narrow:
        assert (await ada.get(path)).status_code == 200
        assert (await narrow.get(path)).status_code == 403


@pytest.mark.parametrize("path", HIDDEN)
async def test_what_is_nobodys_is_hidden_from_patients(here: Clinic, path: str) -> None:
    async with here.patient("ada") as ada, here.clinician() as doctor:
        assert (await ada.get(path)).status_code == 404
        assert (await doctor.get(path)).status_code == 200


async def test_no_token_is_401_and_no_scope_403_with_a_challenge(here: Clinic) -> None:
    here.app.fhir.authenticate = None
    object.__setattr__(here.app.fhir.settings, "authorization", "smart")
    async with here.client() as nobody:
        answer = await nobody.get("Patient/ada")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer realm=")
        assert answer.json()["issue"][0]["code"] == "login"
        assert (await nobody.get("metadata")).status_code == 200
    here.app.fhir.authenticate = here._authenticate
    async with here.patient("ada", "patient/Observation.rs") as ada:
        answer = await ada.get("Condition/ada-condition")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert answer.json()["issue"][0]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Observation/ada-lab", 200),
        ("Observation/ada-lab/_history/1", 200),
        ("Observation/ada-lab/_history", 200),
        ("Observation", 403),
        ("Observation/_history", 403),
        ("Patient/ada/Observation", 403),
        ("_history", 403),
        ("?_type=Observation", 403),
        ("Patient/ada/$everything", 403),
        ("Observation/$lastn?patient=ada", 403),
    ],
)
async def test_reading_alone_does_not_search(here: Clinic, path: str, status: int) -> None:
    async with here.patient("ada", "patient/Observation.r") as ada:
        assert (await ada.get(path)).status_code == status


async def test_searches_and_totals_hold_what_may_be_seen(here: Clinic) -> None:
    async with here.patient("ada") as ada:
        for path in (
            "Observation",
            "Observation?_sort=date",
            "Observation?_sort=-_lastUpdated",
            "Observation?code=http://loinc.org|4548-4",
            "Observation?code=4548-4&_sort=-date",
            "Observation?subject=Patient/ada,Patient/bob",
            "Observation?_id=ada-lab,ada-vital,bob-lab",
            "Observation?value-quantity=gt1",
            "Observation?_filter=code eq 4548-4",
            "Observation?_content=secret",
            "Patient/ada/Observation",
        ):
            answer = await ada.get(path + ("&" if "?" in path else "?") + "_total=accurate")
            assert found(answer) == {"Observation/ada-lab", "Observation/ada-vital"}, path
            assert answer.json()["total"] == 2, path
            counted = await ada.get(path + ("&" if "?" in path else "?") + "_summary=count")
            assert counted.json()["total"] == 2, path
        for path in ("Observation?patient=bob", "Patient/bob/Observation", "Observation?_id=bob-lab"):
            assert found(await ada.get(path)) == set()
        assert found(await ada.get("Appointment")) == {"Appointment/both"}
        assert found(await ada.get("Device")) == {"Device/ada-device", "Device/scanner"}
        assert found(await ada.get("Provenance")) == {"Provenance/ada-provenance"}
        assert found(await ada.get("Binary")) == {"Binary/ada-binary", "Binary/ada-own-binary"}


@pytest.mark.parametrize(
    "path",
    [
        "Practitioner?_has:Observation:performer:_id=bob-lab",
        "Observation?subject:Patient.name=Bob",
        "Encounter?_has:Condition:encounter:_id=bob-condition",
        "Condition?encounter.subject=Patient/bob",
        "Observation?patient._id=bob",
        "Observation?subject:Patient.gender=female&subject:Patient.name=Bob",
        "?_type=Patient,Observation&_id=bob,bob-lab",
        "Binary?_id=bob-binary",
    ],
)
async def test_chains_and_reverse_chains_find_nothing_hidden(here: Clinic, path: str) -> None:
    async with here.patient("ada") as ada:
        answer = await ada.get(path)
    assert found(answer) == set()
    assert "bob" not in str(answer.json().get("entry", ""))


async def test_a_chain_asks_only_types_that_were_granted(here: Clinic) -> None:
    async with here.patient("ada", "patient/Observation.rs") as ada:
        assert found(await ada.get("Observation?subject:Patient.name=Ada")) == set()
    async with here.patient("ada", "patient/Observation.rs", "patient/Patient.rs") as ada:
        assert len(found(await ada.get("Observation?subject:Patient.name=Ada"))) == 2


async def test_includes_bring_along_only_what_was_granted(here: Clinic) -> None:
    async with here.patient("ada", "patient/Observation.rs") as narrow, here.patient("ada") as ada:
        path = "Observation?_include=Observation:subject&_revinclude=Provenance:target"
        assert found(await narrow.get(path)) == {"Observation/ada-lab", "Observation/ada-vital"}
        assert {"Patient/ada", "Provenance/ada-provenance"} < found(await ada.get(path))
        assert found(await ada.get("Appointment?_include=Appointment:actor")) == {
            "Appointment/both",
            "Patient/ada",
        }
        everything = found(await ada.get("Practitioner?_revinclude=*"))
    assert not any("bob" in one for one in everything)


async def test_granular_scopes_hold_on_every_path(here: Clinic) -> None:
    scope = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
    async with here.patient("ada", scope) as ada:
        assert found(await ada.get("Observation")) == {"Observation/ada-lab"}
        assert (await ada.get("Observation?_summary=count")).json()["total"] == 1
        assert (await ada.get("Observation/ada-lab")).status_code == 200
        assert (await ada.get("Observation/ada-vital")).status_code == 404
        assert (await ada.get("Observation/ada-vital/_history")).status_code == 404
        assert (await ada.get("Observation/ada-vital/_history/1")).status_code == 404
        assert (await ada.get("Observation/bob-lab")).status_code == 404
        assert found(await ada.get("Observation/_history")) == {"Observation/ada-lab"}
    async with here.patient("ada", "patient/Observation.rs?nonsense=1") as ada:
        assert (await ada.get("Observation")).status_code == 403


async def test_operations_show_what_may_be_seen(here: Clinic) -> None:
    query = (
        '{ ObservationList { id subject { resource { ... on Patient { id } } } } Patient(id: "bob") { id } }'
    )
    async with here.patient("ada") as ada:
        assert not any("bob" in one for one in found(await ada.get("Patient/ada/$everything")))
        assert {"Observation/ada-lab", "Encounter/ada-encounter"} < found(
            await ada.get("Patient/ada/$everything")
        )
        assert not any("bob" in one for one in found(await ada.get("Patient/$everything")))
        assert (await ada.get("Patient/bob/$everything")).status_code == 404
        assert (await ada.get("Group/both/$everything")).status_code == 404
        shown = await ada.post("$graphql", json={"query": query})
        assert shown.json()["data"] is None
        shown = await ada.post("$graphql", json={"query": query.replace("bob", "ada")})
        assert len(shown.json()["data"]["ObservationList"]) == 2
        assert "bob" not in shown.text
        assert found(await ada.get("Observation/$lastn?patient=bob&code=4548-4")) == set()
        assert len(found(await ada.get("Observation/$lastn?patient=ada&code=4548-4&max=9"))) == 2
        assert found(await ada.get("DocumentReference/$docref?patient=bob&type=x")) == set()
        for path in (
            "Patient/bob/$fhirpath?expression=name",
            "Observation/bob-lab/$meta",
            "Observation/bob-lab/$diff",
            "$diff?from=Observation/ada-lab&to=Observation/bob-lab",
            "Patient/bob/$graphql?query={id}",
        ):
            assert (await ada.get(path)).status_code == 404, path
        looked = await ada.get("Patient/ada/$fhirpath?expression='Patient/bob'.resolve().name.family")
        assert "Bob" not in looked.text
        assert (await ada.post("$reindex")).status_code == 403
        assert (await ada.get("_job/x")).status_code == 403


async def test_history_is_whose_the_version_and_the_current_one_are(here: Clinic) -> None:
    async with here.client() as admin:
        moved = (await admin.get("Observation/ada-lab")).json()
        moved["subject"]["reference"] = "Patient/bob"
        first = int(moved["meta"]["versionId"])
        assert (await admin.put("Observation/ada-lab", json=moved)).status_code == 200
        older = (await admin.get("Observation/ada-lab/_history")).json()["total"]
    async with here.patient("ada") as ada, here.patient("bob") as bob, here.clinician() as doctor:
        assert (await ada.get(f"Observation/ada-lab/_history/{first}")).status_code == 404
        assert (await bob.get(f"Observation/ada-lab/_history/{first}")).status_code == 404
        assert (await bob.get(f"Observation/ada-lab/_history/{first + 1}")).status_code == 200
        assert (await bob.get("Observation/ada-lab/_history")).json()["total"] == 1
        assert (await ada.get("Observation/ada-lab/_history")).status_code == 404
        assert (await doctor.get("Observation/ada-lab/_history")).json()["total"] == older
        assert "Observation/ada-lab" not in found(await ada.get("_history"))
    async with here.client() as admin:
        assert (await admin.delete("Observation/ada-lab")).status_code == 204
    async with here.patient("ada") as ada, here.patient("bob") as bob:
        assert (await ada.get("Observation/ada-lab")).status_code == 404
        assert (await bob.get("Observation/ada-lab")).status_code == 410
        paths = [e["request"]["url"] for e in (await ada.get("Observation/_history")).json()["entry"]]
        assert "Observation/ada-lab" not in paths
        paths = [e["request"]["url"] for e in (await bob.get("Observation/_history")).json()["entry"]]
        assert "Observation/ada-lab" in paths


async def test_cursors_belong_to_whom_they_were_given(here: Clinic) -> None:
    async with here.patient("ada") as ada, here.patient("bob") as bob, here.clinician() as doctor:
        for path in (
            "Observation?_count=1",
            "Observation/_history?_count=1",
            "Patient/ada/$everything?_count=1",
        ):
            page = (await ada.get(path)).json()
            following = next(link["url"] for link in page["link"] if link["relation"] == "next")
            assert (await ada.get(following)).status_code == 200
            for other in (bob, doctor):
                assert (await other.get(following)).status_code in (400, 404), path


async def test_a_batch_is_weighed_entry_by_entry(here: Clinic) -> None:
    urls = ["Observation/ada-lab", "Observation/bob-lab", "Condition/ada-condition", "Observation"]
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": url}} for url in urls],
    }
    async with here.patient("ada", "patient/Observation.r") as ada:
        answer = await ada.post("", json=bundle)
        bundle["type"] = "transaction"
        whole = await ada.post("", json=bundle)
    statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert statuses == ["200", "404", "403", "403"]
    assert whole.status_code in (403, 404)


async def test_roles_hold_what_scopes_would_allow(here: Clinic) -> None:
    async def status(roles: tuple[str, ...], path: str, user: str = "Practitioner/doc") -> int:
        async with here.client(scopes=("user/*.cruds",), user=user, roles=roles) as one:
            answer: httpx.Response = await one.get(path)
            return answer.status_code

    assert await status(("clinician",), "Observation/bob-lab") == 200
    assert await status(("pharmacist",), "DocumentReference/bob-document") == 403
    assert await status(("auditor",), "Observation/bob-lab") == 403
    assert await status(("operator",), "Observation/bob-lab") in (403, 404)
    assert await status(("operator",), "Practitioner/doc") == 200
    assert await status((), "Observation/bob-lab") == 403
    assert await status(("patient",), "Observation/bob-lab", "Patient/ada") == 404
    assert await status(("patient",), "Observation/ada-lab", "Patient/ada") == 200


async def test_a_caregiver_whom_no_consent_names_sees_nothing(here: Clinic) -> None:
    claims = {"user": "RelatedPerson/x", "roles": ("caregiver",), "acting_for": ("Patient/bob",)}
    async with here.client(scopes=("user/*.rs",), **claims) as caregiver:
        assert (await caregiver.get("Observation/bob-lab")).status_code == 404
    async with here.client(scopes=("patient/*.rs",), patient="bob", **claims) as caregiver:
        assert (await caregiver.get("Observation/bob-lab")).status_code == 404
    async with here.client(scopes=("patient/*.rs",), patient="ada", **claims) as caregiver:
        assert (await caregiver.get("Observation/ada-lab")).status_code == 404


async def test_a_backend_service_sees_the_types_it_was_granted(here: Clinic) -> None:
    async with here.client(scopes=("system/Observation.rs",)) as service:
        assert (await service.get("Observation?_summary=count")).json()["total"] == 5
        assert (await service.get("Patient")).status_code == 403


async def test_care_teams_bound_clinicians_where_set_so(database_url: str, here: Clinic) -> None:
    here.app.fhir.policies.care_teams = True
    team = {
        "resourceType": "CareTeam",
        "id": "team",
        "status": "active",
        "subject": {"reference": "Patient/ada"},
        "participant": [{"member": {"reference": "Practitioner/doc"}}],
    }
    async with here.clinician() as doctor, here.client() as admin:
        assert (await doctor.get("Observation/ada-lab")).status_code == 404
        assert (await admin.put("CareTeam/team", json=team)).status_code == 201
        assert (await doctor.get("Observation/ada-lab")).status_code == 200, "at the next request"
        assert (await doctor.get("Observation/bob-lab")).status_code == 404
        assert found(await doctor.get("Patient")) == {"Patient/ada"}
        team["status"] = "inactive"
        assert (await admin.put("CareTeam/team", json=team)).status_code == 200
        assert (await doctor.get("Observation/ada-lab")).status_code == 404


async def test_plans_are_told_to_those_who_run_the_server_alone(database_url: str) -> None:
    async with (
        clinic(database_url, search_explain=True) as one,
        one.patient("ada") as ada,
        one.client() as admin,
    ):
        assert (await ada.get("Observation?_explain=true")).status_code == 403
        assert (await admin.get("Observation?_explain=true")).status_code == 200


async def test_estimates_count_what_may_be_seen(here: Clinic) -> None:
    async with here.patient("ada") as ada:
        assert (await ada.get("Observation?_total=estimate&_count=1")).json()["total"] == 2
