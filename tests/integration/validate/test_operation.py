"""`$validate` over HTTP. Source: http://hl7.org/fhir/R4/resource-operation-validate.html"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from fhir_server.exchange import Request
from fhir_server.interactions import dispatch
from fhir_server.rest.heavy import lane_handler
from resources.codec.xml import dump_xml
from tests.integration.validate.made import (
    PROFILE,
    call,
    errors,
    issues,
    message_id,
    observation,
    patient,
    place,
    profile,
)
from tests.integration.web import XML, running
from tests.integration.web import client as another


@pytest.fixture
async def named(client: httpx.AsyncClient) -> str:
    """Store the profile and return its canonical."""
    answer = await client.put("StructureDefinition/named", json={"id": "named", **profile()})
    assert answer.status_code in (200, 201), answer.text
    return PROFILE


async def test_a_right_resource_is_all_ok(client: httpx.AsyncClient) -> None:
    found = await issues(client, "Patient/$validate", patient())
    assert errors(found) == []
    assert all(one["severity"] in ("information", "warning") for one in found)


async def test_what_is_wrong_is_the_result_and_not_a_refusal(client: httpx.AsyncClient) -> None:
    found = await issues(client, "Patient/$validate", patient(active="yes", nme=[]))
    assert {path for _, (path,) in errors(found)} == {"Patient.active", "Patient.nme"}


async def test_line_and_column_are_those_of_the_text(client: httpx.AsyncClient) -> None:
    text = '{\n  "resourceType": "Patient",\n  "name": [{"family": "a"},\n    {"use": "nope"}]\n}'
    (one,) = await issues(
        client, "Patient/$validate", text, headers={"Content-Type": "application/fhir+json"}
    )
    assert one["expression"] == ["Patient.name[1].use"]
    assert place(one) == (4, 6)
    assert "(line 4, column 6)" in one["diagnostics"]


async def test_line_and_column_count_in_the_parameters_that_hold_the_resource(
    client: httpx.AsyncClient,
) -> None:
    text = json.dumps(call(patient(gender="x"), mode="create"), indent=1)
    (one,) = await issues(
        client, "Patient/$validate", text, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    line, column = place(one)
    assert text.split("\n")[line - 1][column - 1 :].startswith('"gender"')
    assert one["expression"] == ["Patient.gender"]


async def test_xml_is_answered_with_places_in_the_xml(client: httpx.AsyncClient) -> None:
    text = dump_xml(patient(gender="x"), pretty=True)
    (one,) = await issues(client, "Patient/$validate", text, headers={"Content-Type": XML})
    line, column = place(one)
    assert text.decode().split("\n")[line - 1][column - 1 :].startswith("<gender")


async def test_parameters_in_xml_are_answered_with_places_in_the_xml(client: httpx.AsyncClient) -> None:
    text = dump_xml(call(patient(gender="x"), mode="create"), pretty=True)
    (one,) = await issues(client, "Patient/$validate", text, headers={"Content-Type": XML})
    line, column = place(one)
    assert text.decode().split("\n")[line - 1][column - 1 :].startswith("<gender")
    assert one["expression"] == ["Patient.gender"]


@pytest.mark.parametrize(
    ("media", "text", "line"),
    [
        ("application/fhir+json", '{"resourceType": "Patient",\n "active": tru}', 2),
        ("application/fhir+json", '{"resourceType": "Patient",\n "active": true, "active": false}', 2),
        (XML, '<Patient xmlns="http://hl7.org/fhir">\n<active value="true"></Patient>', 2),
        (XML, '<Patient xmlns="http://hl7.org/fhir">\n\n<nme/></Patient>', 3),
        (XML, '<!DOCTYPE Patient [<!ENTITY a "b">]>\n<Patient xmlns="http://hl7.org/fhir"/>', 1),
    ],
)
async def test_a_text_that_cannot_be_read_is_a_result_with_its_place(
    client: httpx.AsyncClient, media: str, text: str, line: int
) -> None:
    (one,) = await issues(client, "Patient/$validate", text, headers={"Content-Type": media})
    assert one["severity"] == "error"
    assert place(one)[0] == line


async def test_a_resource_of_another_type_is_said_to_be_one(client: httpx.AsyncClient) -> None:
    found = await issues(client, "Observation/$validate", patient())
    assert errors(found) == [("resource-type-other", ["Patient"])]


async def test_a_resource_without_a_type_is_a_result(client: httpx.AsyncClient) -> None:
    found = await issues(client, "Patient/$validate", {"active": True})
    assert [message_id for message_id, _ in errors(found)]


async def test_parameters_are_validated_as_the_resource_that_they_are(client: httpx.AsyncClient) -> None:
    given = {"resourceType": "Parameters", "parameter": [{"name": "a", "valueCode": " "}]}
    found = await issues(client, "Parameters/$validate", given)
    assert [path for _, path in errors(found)] == [["Parameters.parameter[0].value"]]
    assert errors(await issues(client, "Parameters/$validate", call(given))) == errors(found)


async def test_an_unknown_profile_is_an_error(client: httpx.AsyncClient) -> None:
    found = await issues(client, "Patient/$validate?profile=http://nobody.test/p", patient())
    assert len(errors(found)) == 1
    assert "http://nobody.test/p" in found[0]["diagnostics"]


@pytest.mark.parametrize("by", ["query", "body", "claim"])
async def test_a_stored_profile_counts(client: httpx.AsyncClient, named: str, by: str) -> None:
    if by == "query":
        found = await issues(client, f"Patient/$validate?profile={named}", patient())
    elif by == "body":
        found = await issues(client, "Patient/$validate", call(patient(), profile=named))
    else:
        found = await issues(client, "Patient/$validate", patient(meta={"profile": [named]}))
    assert errors(found) == [("cardinality-min", ["Patient"])] or errors(found)[0][1][0].startswith("Patient")
    assert errors(await issues(client, f"Patient/$validate?profile={named}", patient(birthDate="2000"))) == []


async def test_several_profiles_count_together(client: httpx.AsyncClient, named: str) -> None:
    other = profile("gender", url=PROFILE + "-2")
    assert (await client.put("StructureDefinition/two", json={"id": "two", **other})).is_success
    found = await issues(client, "Patient/$validate", call(patient(), profile=[named, PROFILE + "-2"]))
    assert len(errors(found)) == 2


async def test_a_changed_profile_is_in_force_at_the_next_request_of_every_process(database_url: str) -> None:
    async with another(database_url) as one, another(database_url) as two:
        for required, right in (
            ("gender", {"gender": "male"}),
            ("telecom", {"telecom": [{"system": "phone", "value": "1"}]}),
        ):
            changed = profile(required, url=PROFILE + "-3")
            assert (await one.put("StructureDefinition/three", json={"id": "three", **changed})).is_success
            for client in (one, two):
                url = f"Patient/$validate?profile={PROFILE}-3"
                assert len(errors(await issues(client, url, patient()))) == 1
                assert errors(await issues(client, url, patient(**right))) == []
        assert (await one.delete("StructureDefinition/three")).is_success
        for client in (one, two):
            assert "profile" in errors(await issues(client, url, patient(gender="male")))[0][0]


async def test_a_profile_that_cannot_be_used_says_why(client: httpx.AsyncClient) -> None:
    broken = profile(url=PROFILE + "-broken", type="Nothing", baseDefinition="http://nobody.test/base")
    stored = await client.put("StructureDefinition/broken", json={"id": "broken", **broken})
    assert stored.is_success, stored.text
    found = await issues(client, f"Patient/$validate?profile={PROFILE}-broken", patient())
    assert errors(found) == [("profile-unusable", ["Patient"])]
    assert "Nothing, which is no type of R4" in found[0]["diagnostics"]


async def test_the_stored_resource_is_validated_where_none_is_sent(
    client: httpx.AsyncClient, named: str
) -> None:
    assert (await client.put("Patient/stored", json=patient(id="stored"))).is_success
    assert errors(await issues(client, "Patient/stored/$validate")) == []
    found = await issues(client, "Patient/stored/$validate", call(mode="profile", profile=named))
    assert len(errors(found)) == 1
    answer = await client.get(f"Patient/stored/$validate?profile={named}")
    assert errors(answer.json()["issue"]) == errors(found)


async def test_update_looks_at_the_id_and_the_version(client: httpx.AsyncClient) -> None:
    assert (await client.put("Patient/up", json=patient(id="up"))).is_success
    url = "Patient/up/$validate?mode=update"
    assert errors(await issues(client, url, patient(id="up"))) == []
    assert errors(await issues(client, url, patient(id="down"))) == [("update-id-other", ["Patient.id"])]
    assert errors(await issues(client, url, patient())) == [("update-id-other", ["Patient.id"])]
    assert errors(await issues(client, "Patient/$validate?mode=update", patient())) == [
        ("update-id-missing", ["Patient.id"])
    ]
    stale = await issues(client, url, patient(id="up"), headers={"If-Match": 'W/"7"'})
    assert [one["code"] for one in stale if one["severity"] == "error"] == ["conflict"]
    noted = await issues(client, url, patient(id="up", meta={"versionId": "7"}))
    assert "update-version-other" in [message_id(one) for one in noted]
    new = await issues(client, "Patient/new/$validate?mode=update", patient(id="new"))
    assert [message_id(one) for one in new] == ["update-creates"]


async def test_create_refuses_what_the_server_would_refuse(client: httpx.AsyncClient) -> None:
    parameter = {
        "resourceType": "SearchParameter",
        "url": "http://params.test/p",
        "name": "p",
        "status": "active",
        "description": "p",
        "code": "_id",
        "base": ["Patient"],
        "type": "token",
        "expression": "Patient.nothing(",
    }
    stored = await client.post("SearchParameter", json=parameter)
    assert stored.status_code == 422
    found = await issues(client, "SearchParameter/$validate?mode=create", parameter)
    refused = {one["diagnostics"] for one in stored.json()["issue"]}
    assert refused <= {one["diagnostics"].partition(" (line ")[0] for one in found}


@pytest.mark.parametrize("mode", ["", "create", "update"])
@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "SearchParameter", "base": 3, "code": {}, "expression": []},
        {"resourceType": "StructureDefinition", "url": [], "snapshot": 1},
        {"resourceType": "Patient", "meta": "a", "id": 5},
        {"resourceType": "Patient", "meta": {"profile": "a", "versionId": 1}, "contained": [[]]},
        {"resourceType": "Bundle", "entry": [{"resource": 1}, 2]},
        {"resourceType": "Nothing"},
        {"resourceType": []},
        {"resourceType": {}, "id": "a"},
    ],
)
async def test_whatever_is_broken_is_told_and_never_breaks_us(
    client: httpx.AsyncClient, broken: dict[str, Any], mode: str
) -> None:
    kind = broken["resourceType"]
    known = kind if isinstance(kind, str) and kind != "Nothing" else "Patient"
    query = f"?mode={mode}" if mode else ""
    assert errors(await issues(client, f"{known}/$validate{query}", broken))


@pytest.mark.parametrize("resource", [5, "a", None, [], [{"resourceType": "Patient"}]])
async def test_a_parameter_that_holds_no_resource_is_told(client: httpx.AsyncClient, resource: Any) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}]}
    answer = await client.post("Patient/$validate", json=body)
    assert answer.status_code in (200, 400)
    assert [one for one in answer.json()["issue"] if one["severity"] == "error"]


async def test_a_heavy_lane_answers_as_the_web_worker_does(database_url: str) -> None:
    body = b'{"resourceType": "Patient",\n "active": 1}'
    headers = {"content-type": "application/fhir+json"}
    request = Request("POST", "Patient/$validate", (), headers, body, "http://server.example/fhir")
    async with running(database_url) as app:
        result = await lane_handler(app.fhir, dispatch)(request)
    (one,) = json.loads(result.body or b"")["issue"]
    assert place(one) == (2, 2)


async def test_delete_tells_what_refers_to_the_resource(client: httpx.AsyncClient) -> None:
    assert (await client.put("Patient/gone", json=patient(id="gone"))).is_success
    (free,) = await issues(client, "Patient/gone/$validate?mode=delete")
    assert free["diagnostics"] == "All OK"
    assert (
        await client.post("Observation", json=observation(subject={"reference": "Patient/gone"}))
    ).is_success
    (one,) = await issues(client, "Patient/gone/$validate?mode=delete")
    assert (one["severity"], message_id(one)) == ("warning", "delete-referenced")
    assert "1 other resources refer to Patient/gone, such as Observation/" in one["diagnostics"]
    answer = await client.post("Patient/nobody/$validate?mode=delete")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("Patient/$validate", None),
        ("Patient/$validate?mode=profile&profile=http://p.test", patient()),
        ("Patient/$validate?mode=delete", None),
        ("Patient/$validate?mode=nonsense", patient()),
        ("Patient/$validate?profil=x", patient()),
        ("Patient/$validate?mode=create&mode=update", patient()),
        ("Patient/1/$validate?mode=create", patient()),
        ("Patient/1/$validate?mode=profile", None),
        ("Patient/1/$validate?mode=profile&profile=http://p.test", patient()),
        ("Patient/1/$validate?mode=update", None),
        ("Patient/$validate", call(profile="http://p.test")),
        ("Patient/$validate?resource=x", patient()),
        ("Patient/1/$validate?resource=x", None),
        (
            "Patient/$validate",
            {
                "resourceType": "Parameters",
                "parameter": [{"name": "resource", "resource": patient()} for _ in range(2)],
            },
        ),
        ("Patient/$validate", {"resourceType": "Parameters", "parameter": {"name": "resource"}}),
        (
            "Patient/$validate",
            {"resourceType": "Parameters", "parameter": [{"name": "resource", "valueString": "a"}]},
        ),
    ],
)
async def test_a_malformed_call_is_refused(client: httpx.AsyncClient, url: str, body: Any) -> None:
    answer = await client.post(url, **({"json": body} if body is not None else {}))
    assert answer.status_code == 400, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_other_media_types_and_versions_are_refused(client: httpx.AsyncClient) -> None:
    for media in (
        "text/plain",
        "application/fhir+json; fhirVersion=3.0",
        "application/json; charset=latin-1",
    ):
        answer = await client.post("Patient/$validate", content=b"{}", headers={"Content-Type": media})
        assert answer.status_code == 415, media


async def test_the_outcome_comes_as_xml_where_that_is_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.post("Patient/$validate?_format=xml", json=patient(active=1))
    assert answer.status_code == 200
    assert answer.text.startswith("<?xml") or answer.text.startswith("<OperationOutcome")
    assert "Patient.active" in answer.text


async def test_entries_of_a_batch_are_validated(client: httpx.AsyncClient) -> None:
    entries = [
        {"resource": one, "request": {"method": "POST", "url": "Patient/$validate"}}
        for one in (patient(), patient(gender="x"), call(patient(gender="y"), mode="create"))
    ]
    answer = await client.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert answer.status_code == 200, answer.text
    found = [errors(one["resource"]["issue"]) for one in answer.json()["entry"]]
    assert [len(one) for one in found] == [0, 1, 1]
    assert found[1][0][1] == ["Patient.gender"]


async def test_a_bundle_is_validated_entry_by_entry(client: httpx.AsyncClient) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": patient()},
        {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1", "resource": patient(gender="x")},
    ]}  # fmt: skip
    found = await issues(client, "Bundle/$validate", bundle)
    assert [path for _, path in errors(found)] == [["Bundle.entry[1].resource.gender"]]
    assert place(found[0])[0] == 1


async def test_the_capability_statement_lists_it(client: httpx.AsyncClient) -> None:
    rest = (await client.get("metadata")).json()["rest"][0]
    listed = {one["name"]: one["definition"] for one in rest["resource"][0]["operation"]}
    assert listed["validate"] == "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    assert "validate" not in [one["name"] for one in rest.get("operation", ())]


async def test_a_stored_profile_that_cannot_be_used_is_told_with_the_reason(
    client: httpx.AsyncClient,
) -> None:
    url = "http://profiles.test/StructureDefinition/impossible"
    impossible = {"id": "impossible", **profile("nowhere", url)}
    assert (await client.put("StructureDefinition/impossible", json=impossible)).status_code == 201
    found = await issues(client, "Patient/$validate", call(patient(), profile=url))
    (one,) = [one for one in found if message_id(one) == "profile-unusable"]
    assert one["severity"] == "error"
    assert "nowhere" in one["diagnostics"]
