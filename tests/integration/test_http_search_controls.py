"""What shapes the answer of a search, and how its parameters are written, over HTTP.

Source: http://hl7.org/fhir/R4/search.html#return, #escaping and #errors; http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from fhir_server.search.context import Context
from tests.integration.web import JSON, client, outcome_codes, patient

STRICT, LENIENT = {"Prefer": "handling=strict"}, {"Prefer": "handling=lenient"}
FAMILIES = {"comma": "Smith, Jones", "pipe": "A|B", "dollar": "C$D", "back": "E\\F", "plain": "Smith"}


@pytest.fixture
async def web(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client; patients whose names and identifiers hold every separator are there."""
    async with client(database_url) as one:
        for id_, family in FAMILIES.items():
            identifier = [{"system": "urn:x", "value": family}]
            made = patient(id=id_, name=[{"family": family}], identifier=identifier)
            (await one.put(f"Patient/{id_}", json=made, headers={"Content-Type": JSON})).raise_for_status()
        yield one


def ids(answer: httpx.Response) -> list[str]:
    """Return the ids of the matches of a searchset, sorted."""
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    return sorted(e["resource"]["id"] for e in entries if e["search"]["mode"] == "match")


def own(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return the parameters of the self link."""
    links: list[dict[str, Any]] = answer.json()["link"]
    return parse_qsl(urlsplit(next(one["url"] for one in links if one["relation"] == "self")).query)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (r"name=Smith\,%20Jones", ["comma"]),
        (r"name=Smith\,", ["comma"]),
        ("name=Smith,A", ["comma", "pipe", "plain"]),
        ("name=Smith,,A", ["comma", "pipe", "plain"]),
        (r"name=A\|B", ["pipe"]),
        ("name=A|B", ["pipe"]),
        (r"name=C\$D", ["dollar"]),
        (r"name=E\\F", ["back"]),
        (r"identifier=urn:x|A\|B", ["pipe"]),
        (r"identifier=urn:x|Smith\, Jones", ["comma"]),
        (r"identifier=C\$D", ["dollar"]),
        (r"identifier=E\\F,A\|B", ["back", "pipe"]),
        ("name:exact=Smith", ["plain"]),
        ("name=smith&name=jones", ["comma"]),  # a further word of the family name
        ("name=smith&name:contains=jones", ["comma"]),
        ("name=%53mith", ["comma", "plain"]),
        ("name=smith,%20+jones", ["comma", "plain"]),
    ],
)
async def test_separators_are_plain_when_escaped(
    web: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    assert ids(await web.get(f"Patient?{query}", headers=STRICT)) == found
    name, _, value = query.partition("=")
    if "&" not in query and "%" not in query:
        assert ids(await web.post("Patient/_search", data={name: value}, headers=STRICT)) == found


@pytest.mark.parametrize("query", ["name=", "name=%20", "name:exact=", "identifier=&_count=", "nonsense="])
async def test_an_empty_parameter_is_ignored_and_not_repeated(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(f"Patient?{query}", headers=STRICT)
    assert ids(answer) == sorted(FAMILIES)
    assert own(answer) == []


@pytest.mark.parametrize("query", ["name=,", "identifier=,,", "name=%2C"])
async def test_a_list_of_nothing_is_refused(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(f"Patient?{query}")
    assert (answer.status_code, outcome_codes(answer)) == (400, ["value"])


@pytest.mark.parametrize(
    "query", ["name=%", "name=%z1", "name=%4", "name=%FF", "%C3=x", "name=%00", "na%00me=x"]
)
async def test_what_is_not_percent_encoded_is_400(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(f"Patient?{query}")
    assert answer.status_code == 400, answer.text
    assert outcome_codes(answer)


@pytest.mark.parametrize("form", [b"name=%", b"name=\xff", b"name=%ff", b"name=%00"])
async def test_a_form_that_is_not_percent_encoded_is_400(web: httpx.AsyncClient, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await web.post("Patient/_search", content=form, headers=headers)
    assert answer.status_code == 400, answer.text
    assert outcome_codes(answer)


async def test_a_query_beyond_all_measure_is_refused_with_an_outcome(web: httpx.AsyncClient) -> None:
    assert (await web.get("Patient?name=" + "x" * 60_000)).status_code in (400, 414)
    long = await web.post("Patient/_search", data={"name": "x" * 30_000})
    assert (long.status_code, outcome_codes(long)) == (400, ["too-long"])
    many = await web.post("Patient/_search", content="&".join(["name=x"] * 20_000), headers={
        "Content-Type": "application/x-www-form-urlencoded"
    })  # fmt: skip
    assert (many.status_code, outcome_codes(many)) == (400, ["invalid"])
    listed = await web.post("Patient/_search", data={"name": ",".join(["smith"] * 3_000)})
    assert ids(listed) == ["comma", "plain"]


@pytest.mark.parametrize("name", ["_count", "_total", "_summary", "_format", "_pretty"])
async def test_a_control_is_given_once(web: httpx.AsyncClient, name: str) -> None:
    value = {"_count": "1", "_total": "none", "_summary": "true", "_format": "json", "_pretty": "true"}[name]
    for answer in (
        await web.get(f"Patient?{name}={value}&{name}={value}"),
        await web.post(f"Patient/_search?{name}={value}", data={name: value}),
    ):
        assert (answer.status_code, outcome_codes(answer)) == (400, ["invalid"])
        assert name in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "query",
    ["_count=-1", "_count=x", "_count=1.5", "_total=exact", "_total=", "_summary=yes", "_pretty=maybe"],
)
async def test_a_control_with_another_value_is_refused(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(f"Patient?{query}")
    if query.endswith("="):
        assert answer.status_code == 200
    else:
        assert (answer.status_code, outcome_codes(answer)) == (400, ["value"])


async def test_totals_are_as_asked(web: httpx.AsyncClient) -> None:
    for total, expected in (("none", None), ("estimate", 5), ("accurate", 5)):
        answer = await web.get(f"Patient?_count=2&_total={total}", headers=STRICT)
        assert answer.json().get("total") == expected
        assert ("_total", total) in own(answer)


@pytest.mark.parametrize("query", ["_count=0", "_summary=count", "_count=0&_total=estimate"])
async def test_a_count_has_a_total_and_nothing_else(web: httpx.AsyncClient, query: str) -> None:
    body = (await web.get(f"Patient?{query}", headers=STRICT)).json()
    assert (body["total"], "entry" in body) == (5, False)
    assert [one["relation"] for one in body["link"]] == ["self"]


async def test_a_larger_page_than_allowed_says_so_in_its_links(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient?_count=999999", headers=STRICT)
    assert own(answer) == [("_count", "1000")]


async def test_links_repeat_the_form_of_the_answer(web: httpx.AsyncClient) -> None:
    query = "_format=json&_pretty=true&_elements=name&_summary=data&_count=2&name=smith"
    answer = await web.get(f"Patient?{query}", headers=STRICT)
    assert own(answer) == parse_qsl(query)
    posted = await web.post("Patient/_search?_format=json&_count=2", data={"name": "smith"}, headers=STRICT)
    assert own(posted) == [("_format", "json"), ("_count", "2"), ("name", "smith")]


async def test_includes_and_a_text_summary_are_refused_together(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient?_summary=text&_include=Patient:organization")
    assert (answer.status_code, outcome_codes(answer)) == (400, ["invalid"])
    assert (await web.get("Patient?_summary=data&_include=Patient:organization")).status_code == 200


async def test_unknown_parameters_follow_prefer(web: httpx.AsyncClient) -> None:
    for query in ("nonsense=1", "_maxresults=5", "name=smith&nonsense=1"):
        strict = await web.get(f"Patient?{query}", headers=STRICT)
        assert (strict.status_code, outcome_codes(strict)) == (400, ["not-supported"])
        for headers in (LENIENT, {}):
            answer = await web.get(f"Patient?{query}", headers=headers)
            modes = [entry["search"]["mode"] for entry in answer.json()["entry"]]
            assert modes.count("outcome") == 1
            assert not {"nonsense", "_maxresults"} & {name for name, _ in own(answer)}


async def test_an_unknown_modifier_is_refused_whatever_is_preferred(web: httpx.AsyncClient) -> None:
    for headers in (STRICT, LENIENT, {}):
        answer = await web.get("Patient?name:sounds=x", headers=headers)
        assert (answer.status_code, outcome_codes(answer)) == (400, ["not-supported"])


async def test_a_filter_and_a_sort_may_be_posted(web: httpx.AsyncClient) -> None:
    data = {"_filter": 'family eq "smith, jones" or family sw a', "_sort": "-identifier"}
    answer = await web.post("Patient/_search", data=data, headers=STRICT)
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == ["comma", "pipe"]
    assert dict(own(answer)) == data


async def test_explain_is_refused_by_name_unless_the_setting_says_so(
    web: httpx.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "explain", False)  # which is put back at the end
    refused = await web.get("Patient?_explain=true")
    assert (refused.status_code, outcome_codes(refused)) == (400, ["not-supported"])
    async with client(database_url, search_explain=True) as one:
        answer = await one.get("Patient?name=smith&_explain=true", headers=STRICT)
        assert "Execution Time" in answer.text
