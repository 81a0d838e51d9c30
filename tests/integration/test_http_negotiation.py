"""Formats in and out. Source: http://hl7.org/fhir/R4/http.html#mime-type, #parameters, #version-parameter"""

from __future__ import annotations

import gzip

import httpx
import pytest

from tests.integration.web import JSON, XML, outcome_codes, patient


@pytest.fixture
async def web(web: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client; Patient/one is there."""
    (await web.put("Patient/one", json=patient(id="one"), headers={"Content-Type": JSON})).raise_for_status()
    return web


@pytest.mark.parametrize(
    ("accept", "mime"),
    [
        ("application/fhir+json", JSON),
        ("application/fhir+xml", XML),
        ("application/json", "application/json"),
        ("text/xml", "text/xml"),
        ("application/fhir+json;q=0.1, application/fhir+xml", XML),
        ("*/*", JSON),
    ],
)
async def test_the_answer_has_the_type_that_was_asked_for_and_says_utf8(
    web: httpx.AsyncClient, accept: str, mime: str
) -> None:
    answer = await web.get("Patient/one", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{mime};charset=utf-8"
    start = b"<Patient " if "xml" in mime else b'{"resourceType":"Patient"'
    assert start in answer.content


async def test_format_parameter_overrides_accept(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/one?_format=xml", headers={"Accept": JSON})
    assert answer.headers["content-type"].startswith(XML)


async def test_an_unencoded_plus_in_format_is_understood(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/one?_format=application/fhir+xml")
    assert answer.headers["content-type"].startswith(XML)


async def test_nothing_acceptable_is_406_with_an_outcome(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/one", headers={"Accept": "text/turtle"})
    assert answer.status_code == 406
    assert outcome_codes(answer) == ["not-supported"]


@pytest.mark.parametrize(
    ("url", "status"), [("Patient/none", 404), ("Nothing/1", 404), ("Patient/one?_summary=bad", 400)]
)
async def test_errors_come_in_the_asked_for_format(web: httpx.AsyncClient, url: str, status: int) -> None:
    answer = await web.get(url, headers={"Accept": XML})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(XML)
    assert b"<OperationOutcome " in answer.content


async def test_another_fhir_version_is_refused_both_ways(web: httpx.AsyncClient) -> None:
    asked = await web.get("Patient/one", headers={"Accept": f"{JSON};fhirVersion=3.0"})
    sent = await web.post("Patient", json=patient(), headers={"Content-Type": f"{JSON};fhirVersion=5.0"})
    assert (asked.status_code, sent.status_code) == (406, 415)


async def test_pretty_is_indented_and_equal(web: httpx.AsyncClient) -> None:
    plain, pretty = await web.get("Patient/one"), await web.get("Patient/one?_pretty=true")
    assert b"\n  " in pretty.content
    assert plain.json() == pretty.json()


async def test_xml_and_json_bodies_are_stored_alike(web: httpx.AsyncClient) -> None:
    xml = b'<Patient xmlns="http://hl7.org/fhir"><id value="two"/><birthDate value="1970-03"/></Patient>'
    made = await web.put("Patient/two", content=xml, headers={"Content-Type": XML, "Accept": XML})
    assert made.status_code == 201
    assert b'<birthDate value="1970-03"/>' in made.content
    assert (await web.get("Patient/two")).json()["birthDate"] == "1970-03"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/pdf", f"{JSON}; charset=iso-8859-1", "nonsense", "application/fhir+turtle"],
)
async def test_a_body_of_an_unsupported_type_is_415(web: httpx.AsyncClient, content_type: str) -> None:
    answer = await web.post("Patient", content=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 415
    assert outcome_codes(answer) == ["not-supported"]


async def test_a_patch_of_an_unsupported_type_is_told_what_patches_are(web: httpx.AsyncClient) -> None:
    answer = await web.patch("Patient/one", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/json-patch+json or application/xml-patch+xml" in answer.text


async def test_a_gzip_body_is_unpacked(web: httpx.AsyncClient) -> None:
    packed = gzip.compress(b'{"resourceType":"Patient","gender":"female"}')
    answer = await web.post(
        "Patient", content=packed, headers={"Content-Type": JSON, "Content-Encoding": "gzip"}
    )
    assert answer.status_code == 201
    assert answer.json()["gender"] == "female"


async def test_large_answers_are_packed_for_those_who_take_it(web: httpx.AsyncClient) -> None:
    big = patient(id="big", name=[{"family": "x" * 50} for _ in range(60)])
    (await web.put("Patient/big", json=big, headers={"Content-Type": JSON})).raise_for_status()
    packed = await web.get("Patient/big", headers={"Accept-Encoding": "gzip"})
    plain = await web.get("Patient/big", headers={"Accept-Encoding": "identity"})
    refused = await web.get("Patient/big", headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.json() == plain.json()


async def test_small_answers_are_not_packed(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/one", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("query", "kept", "gone"),
    [
        ("_elements=birthDate", {"birthDate"}, {"name", "text", "contact"}),
        ("_summary=true", {"birthDate", "name"}, {"text", "contact"}),
        ("_summary=data", {"birthDate", "name", "contact"}, {"text"}),
        ("_summary=text", {"text"}, {"name", "birthDate", "contact"}),
    ],
)
async def test_a_read_can_be_cut_down_and_is_marked_so(
    web: httpx.AsyncClient, query: str, kept: set[str], gone: set[str]
) -> None:
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ana</div>'}
    full = patient(id="cut", text=text, birthDate="1970-01-01", contact=[{"gender": "male"}])
    (await web.put("Patient/cut", json=full, headers={"Content-Type": JSON})).raise_for_status()
    body = (await web.get(f"Patient/cut?{query}")).json()
    assert kept <= body.keys()
    assert not gone & body.keys()
    assert "SUBSETTED" in [tag["code"] for tag in body["meta"]["tag"]]


async def test_summary_false_is_the_whole_resource(web: httpx.AsyncClient) -> None:
    assert (await web.get("Patient/one?_summary=false")).content == (await web.get("Patient/one")).content
