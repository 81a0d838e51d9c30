"""Search by URL and by form, and subsets of what it finds. Source: http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.integration.web import JSON, XML, client, patient

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def web(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client; Patient/ana, Patient/bea and an Observation of Ana are there."""
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ana</div>'}
    observation = {
        "resourceType": "Observation",
        "id": "pulse",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "Patient/ana"},
    }
    async with client(database_url) as one:
        for resource in (
            patient(id="ana", gender="female", text=text),
            patient(id="bea", gender="female", name=[{"family": "Sol"}]),
            observation,
        ):
            url = f"{resource['resourceType']}/{resource['id']}"
            (await one.put(url, json=resource, headers={"Content-Type": JSON})).raise_for_status()
        yield one


def found(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    """Return the resources of a searchset by id."""
    body = answer.json()
    assert (answer.status_code, body["resourceType"], body["type"]) == (200, "Bundle", "searchset"), body
    return {entry["resource"]["id"]: entry["resource"] for entry in body.get("entry", [])}


async def test_a_form_means_the_same_as_the_url(web: httpx.AsyncClient) -> None:
    by_url = await web.get("Patient?family=rivera")
    by_form = await web.post("Patient/_search", data={"family": "rivera"})
    assert found(by_url).keys() == found(by_form).keys() == {"ana"}


async def test_parameters_of_url_and_form_are_joined(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient/_search?gender=female", content=b"family=Sol", headers=FORM)
    assert found(answer).keys() == {"bea"}


async def test_an_empty_form_searches_all(web: httpx.AsyncClient) -> None:
    assert found(await web.post("Patient/_search")).keys() >= {"ana", "bea"}


async def test_format_may_stand_in_the_form(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient/_search", data={"family": "rivera", "_format": "xml"})
    assert answer.headers["content-type"].startswith(XML)


async def test_elements_are_kept_per_entry_and_marked(web: httpx.AsyncClient) -> None:
    ana = found(await web.get("Patient?family=rivera&_elements=gender"))["ana"]
    assert ana["gender"] == "female"
    assert "name" not in ana
    assert ana["meta"]["tag"][0]["code"] == "SUBSETTED"


@pytest.mark.parametrize(
    ("summary", "has_text", "has_name"), [("text", True, False), ("data", False, True), ("true", False, True)]
)
async def test_summaries_are_made_per_entry(
    web: httpx.AsyncClient, summary: str, has_text: bool, has_name: bool
) -> None:
    ana = found(await web.get(f"Patient?family=rivera&_summary={summary}"))["ana"]
    assert ("text" in ana, "name" in ana) == (has_text, has_name)


async def test_summary_count_has_no_entries(web: httpx.AsyncClient) -> None:
    body = (await web.get("Patient?family=rivera&_summary=count")).json()
    assert (body["total"], "entry" in body) == (1, False)


async def test_elements_leave_included_resources_whole(web: httpx.AsyncClient) -> None:
    answer = await web.get("Observation?_id=pulse&_include=Observation:subject&_elements=status")
    resources = found(answer)
    assert "code" in resources["pulse"]  # mandatory
    assert "subject" not in resources["pulse"]
    assert resources["ana"]["name"]


async def test_head_of_a_search_has_no_body(web: httpx.AsyncClient) -> None:
    answer = await web.head("Patient?family=rivera")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["", "_search"])
async def test_searches_across_types_by_url_and_form(web: httpx.AsyncClient, path: str) -> None:
    wanted = {"_type": "Patient,Observation", "_id": "ana,pulse,bea"}
    answer = await (web.post(path, data=wanted) if path else web.get("?" + str(httpx.QueryParams(wanted))))
    assert found(answer).keys() == {"ana", "bea", "pulse"}
    assert answer.json()["link"][0]["url"].startswith(
        "http://server.example/fhir?_type=Patient,Observation&_id="
    )


@pytest.mark.parametrize(
    ("path", "expected"), [("Patient/ana/Observation", {"pulse"}), ("Patient/ana/*", {"ana", "pulse"})]
)
async def test_a_compartment_by_url_and_form(web: httpx.AsyncClient, path: str, expected: set[str]) -> None:
    for answer in (await web.get(path), await web.post(path + "/_search"), await web.head(path)):
        assert answer.status_code == 200
        if answer.request.method != "HEAD":
            assert found(answer).keys() == expected
            assert answer.json()["link"][0]["url"] == f"http://server.example/fhir/{path}"
    by_form = await web.post(path + "/_search", data={"_id": "pulse"})
    assert found(by_form).keys() == {"pulse"}


@pytest.mark.parametrize("path", ["Organization/1/Patient", "Patient/ana/Medication"])
async def test_what_is_no_compartment_is_not_found(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(path)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (404, "not-supported")


async def test_a_compartment_and_several_types_within_a_batch(web: httpx.AsyncClient) -> None:
    urls = ["Patient/ana/Observation", "?_type=Patient&_id=bea", "Patient/ana/$everything?_count=1"]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = await web.post("", json=bundle, headers={"Content-Type": JSON})
    pages = [entry["resource"] for entry in answer.json()["entry"]]
    assert [[one["resource"]["id"] for one in page["entry"]] for page in pages] == [
        ["pulse"],
        ["bea"],
        ["ana"],
    ]
