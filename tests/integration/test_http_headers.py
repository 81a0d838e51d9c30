"""Headers that R4 gives a meaning. Source: http://hl7.org/fhir/R4/http.html#versioning, #cread, #ops, #custom"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.integration.web import JSON, XML, client, outcome_codes, patient

SEND = {"Content-Type": JSON}


@pytest.fixture
async def web(web: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client; Patient/one is there."""
    (await web.put("Patient/one", json=patient(id="one"), headers=SEND)).raise_for_status()
    return web


async def test_read_has_etag_and_last_modified_of_the_version(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/one")
    meta = answer.json()["meta"]
    assert answer.headers["etag"] == f'W/"{meta["versionId"]}"'
    modified = parsedate_to_datetime(answer.headers["last-modified"])
    assert meta["lastUpdated"].startswith(modified.strftime("%Y-%m-%dT%H:%M:%S"))


async def test_create_says_where_the_new_version_lies(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient", json=patient(), headers=SEND)
    assert answer.status_code == 201
    assert (
        answer.headers["location"] == f"http://server.example/fhir/Patient/{answer.json()['id']}/_history/1"
    )
    assert answer.headers["etag"] == 'W/"1"'
    read = await web.get(answer.headers["location"])
    assert read.json() == answer.json()


async def test_update_says_which_version_it_shows(web: httpx.AsyncClient) -> None:
    answer = await web.put("Patient/one", json=patient(id="one", gender="other"), headers=SEND)
    assert answer.status_code == 200
    version = answer.json()["meta"]["versionId"]
    assert answer.headers["content-location"].endswith(f"/Patient/one/_history/{version}")


async def test_head_is_get_without_the_body(web: httpx.AsyncClient) -> None:
    for url in ("Patient/one", "Patient/none", "metadata", "Patient/one/_history/1"):
        get, head = await web.get(url), await web.head(url)
        assert head.status_code == get.status_code
        assert head.content == b""
        for name in ("content-type", "content-length", "etag", "last-modified"):
            assert head.headers.get(name) == get.headers.get(name)


async def test_an_unchanged_resource_is_304_without_body(web: httpx.AsyncClient) -> None:
    first = await web.get("Patient/one")
    for headers in (
        {"If-None-Match": first.headers["etag"]},
        {"If-None-Match": f'W/"999", {first.headers["etag"]}'},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = await web.get("Patient/one", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]


async def test_a_changed_resource_is_sent_whole(web: httpx.AsyncClient) -> None:
    for headers in (
        {"If-None-Match": 'W/"999"'},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "not a date"},
    ):
        assert (await web.get("Patient/one", headers=headers)).status_code == 200


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
async def test_a_malformed_etag_is_400(web: httpx.AsyncClient, name: str) -> None:
    answer = await web.put("Patient/one", json=patient(id="one"), headers={**SEND, name: "W/nonsense quote"})
    assert answer.status_code == 400
    assert outcome_codes(answer) == ["value"]


async def test_prefer_minimal_sends_headers_only(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient", json=patient(), headers={**SEND, "Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert "location" in answer.headers
    assert answer.headers["content-length"] == "0"


async def test_prefer_operation_outcome_sends_hints_instead_of_the_resource(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient", json=patient(), headers={**SEND, "Prefer": "return=OperationOutcome"})
    assert answer.status_code == 201
    assert answer.json()["resourceType"] == "OperationOutcome"
    deleted = await web.delete(
        answer.headers["location"].split("/_history")[0], headers={"Prefer": "return=OperationOutcome"}
    )
    assert (deleted.status_code, deleted.json()["resourceType"]) == (200, "OperationOutcome")


async def test_prefer_representation_and_none_send_the_resource(web: httpx.AsyncClient) -> None:
    for headers in ({}, {"Prefer": "return=representation"}):
        answer = await web.post("Patient", json=patient(), headers={**SEND, **headers})
        assert answer.json()["resourceType"] == "Patient"


async def test_delete_is_204_without_body(web: httpx.AsyncClient) -> None:
    made = await web.put("Patient/gone", json=patient(id="gone"), headers=SEND)
    answer = await web.delete("Patient/gone")
    assert (answer.status_code, answer.content) == (204, b"")
    assert made.status_code == 201
    read = await web.get("Patient/gone")
    assert read.status_code == 410
    assert read.headers["etag"] == 'W/"2"'


async def test_a_sane_request_id_comes_back_and_others_are_replaced(web: httpx.AsyncClient) -> None:
    kept = await web.get("Patient/one", headers={"X-Request-Id": "call-7"})
    replaced = await web.get("Patient/one", headers={"X-Request-Id": "a b <script>"})
    missing = await web.get("Patient/none")
    assert kept.headers["x-request-id"] == "call-7"
    assert "script" not in replaced.headers["x-request-id"]
    assert len(missing.headers["x-request-id"]) == 16


async def test_links_follow_the_host_header_unless_it_is_none(web: httpx.AsyncClient) -> None:
    kept = await web.post("Patient", json=patient(), headers={**SEND, "Host": "ehr.example.org:8443"})
    forged = await web.post("Patient", json=patient(), headers={**SEND, "Host": "evil/../x?y"})
    assert kept.headers["location"].startswith("http://ehr.example.org:8443/fhir/Patient/")
    assert "evil" not in forged.headers["location"]


async def test_links_follow_the_configured_base(database_url: str) -> None:
    async with client(database_url, base_url="https://ehr.example.org/fhir") as web:
        answer = await web.post("Patient", json=patient(), headers=SEND)
    assert answer.headers["location"].startswith("https://ehr.example.org/fhir/Patient/")


async def test_every_answer_forbids_sniffing_and_shared_caches(web: httpx.AsyncClient) -> None:
    for url in ("Patient/one", "Patient/none", "metadata"):
        answer = await web.get(url, headers={"Accept": XML})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "private" in answer.headers["cache-control"]
