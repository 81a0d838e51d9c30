# ruff: noqa: E501 (tables of odd values)
"""Nothing that a search can say is a fault of ours: odd values for every kind of parameter, modifier and way to ask.

Source: http://hl7.org/fhir/R4/search.html; http://hl7.org/fhir/R4/http.html#Status-Codes (5xx is for what is our fault)
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.search.people import LOINC, observation, patient, quantity
from tests.integration.web import JSON, client_of, running

Pairs = list[tuple[str, str]]

PARAMS = {
    "Patient": [
        "_id",
        "_lastUpdated",
        "_tag",
        "_profile",
        "_source",
        "_security",
        "_text",
        "_content",
        "_list",
        "_filter",
        "_query",
        "_type",
        "name",
        "family:exact",
        "family:contains",
        "given",
        "gender",
        "active",
        "birthdate",
        "deceased",
        "identifier",
        "telecom",
        "email",
        "address",
        "address-city",
        "general-practitioner",
        "organization",
        "link",
        "phonetic",
        "language",
    ],
    "Observation": [
        "code",
        "combo-code",
        "status",
        "date",
        "subject",
        "patient",
        "encounter",
        "performer",
        "value-quantity",
        "value-concept",
        "value-string",
        "value-date",
        "code-value-quantity",
        "combo-code-value-quantity",
        "component-code-value-concept",
        "has-member",
        "category",
        "data-absent-reason",
        "identifier",
        "specimen",
    ],
    "Location": ["near", "partof", "address", "type", "operational-status"],
    "RiskAssessment": ["probability", "risk", "condition", "date"],
    "ValueSet": [
        "url",
        "reference",
        "version",
        "expansion",
        "context",
        "context-quantity",
        "context-type-value",
    ],
    "QuestionnaireResponse": ["questionnaire", "item-subject", "based-on", "authored"],
    "DocumentReference": ["contenttype", "relationship", "relatesto", "language", "location"],
    "MolecularSequence": ["chromosome-variant-coordinate", "variant-start", "coordinate"],
}
MODIFIERS = [
    "missing",
    "exact",
    "contains",
    "text",
    "not",
    "above",
    "below",
    "in",
    "not-in",
    "of-type",
    "identifier",
    "Patient",
    "Location",
    "iterate",
    "MISSING",
    "x",
]
CHAINS = [
    "patient.name",
    "subject:Patient.general-practitioner.name",
    "patient.link:Patient.link:Patient.link:Patient.link:Patient.name",
    "patient._has:Observation:patient:code",
    "_has:Observation:patient:_has:Observation:has-member:code",
    "_has:Observation:patient:code",
    "_has:Provenance:target:_id",
    "_has:::",
    "_has:Observation:patient:",
    "subject.",
    ".name",
    "has-member.has-member.has-member.has-member.has-member.has-member.code",
    "has-member.has-member.has-member.has-member.has-member.has-member.has-member.code",
    "performer._id",
    "subject.identifier:of-type",
    "patient._filter",
    "patient._list",
    "patient._text",
]
CONTROLS = [
    "_sort",
    "_count",
    "_total",
    "_summary",
    "_elements",
    "_include",
    "_revinclude",
    "_include:iterate",
    "_revinclude:iterate",
    "_contained",
    "_containedType",
    "_cursor",
    "_type",
    "_format",
    "_explain",
    "_score",
    "_maxresults",
    "_offset",
]
VALUES = [
    *("", " ", ",", ",,", "|", "||", "|||", "$", "$$", "\\", "\\\\", "\\,", "\\|", "\\x", "a|", "|a", "a|b|c", "a$b", "%", "_"),
    *("*", "-", "--", "+", "true", "false", "TRUE", "1", "0", "-1", "1.", ".5", "+5", "1e2", "1e999", "1e-999", "NaN"),
    *("Infinity", "9" * 400, "1" + "0" * 300 + ".5", "0x10", "1_000", "\u0661\u0662", "eq1", "neeq1", "ap", "ap0", "ap1e30"),
    *("2020", "0000", "0001", "9999", "10000", "9999-12-31T23:59:59.999999Z", "2020-02-29", "2019-02-29", "2020-13"),
    *("2020-01-01T24:00:00Z", "2016-12-31T23:59:60Z", "2020-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "2020-01-01T00:00:00+14:01", "ap9999", "ap0001", "gt9999-12-31", "2020-W01", "2020-1-1"),
    *("5.4|http://unitsofmeasure.org|mg", "5.4||mg", "5.4|http://unitsofmeasure.org|", "5.4||", "1|x|y|z", "lt1e999||kg"),
    *("1|http://unitsofmeasure.org|nonsense", "1e400|http://unitsofmeasure.org|Ym", "1|http://unitsofmeasure.org|[pH]"),
    *("90|0|1|km", "-90|180|0", "91|0", "0|181", "90.0|-180.0|1e9|km", "0|0|-1", "0|0|1|mmol", "nan|0", "1e999|0", "0|0|1e999"),
    *("Patient/1", "Patient/p1/_history/1", "Patient/", "/p1", "#p", "http://x/y|1", "urn:uuid:1", "Patient/p1/x", "patient/p1"),
    *("http://server.example/fhir/Patient/p1", "Nothing/1", "p1", "p1,p2,p3", "Group/p1", "x" * 65, "http://", "://"),
    *("\x00", "a\x00b", "\ud7ff", "\uffff", "\U0001f41b", "\u0301", "\u202e\u05d0\u05d1", "\u1112\u1161\u11ab", "İ", "ß", "\ufeff"),
    *("x" * 19_999, "," * 19_999, "a," * 9_999, "|" * 5_000, "\\," * 5_000, "x" * 20_001, "(" * 3_000, '"' * 101),
    *("name eq", "name eq a", "not (name eq a)", "(" * 40 + "name eq a" + ")" * 40, "name pr true and given pr false", "name eq \"a"),
    *("birthdate ge 2020 or birthdate lt 0001", "name co \"%_\\\\\"", "subject.name eq x", "a.b.c.d.e.f.g.h eq 1", "code eq loinc|1"),
    *("http://loinc.org|8867-4", "8867-4$gt5", "8867-4$5|http://unitsofmeasure.org|mg", "$5", "8867-4$", "a$b$c", "8867-4$lt"),
    *("Observation:subject", "Patient:*", "*", "*:*", "Observation:subject:Nothing", "Observation:", ":", "Patient:link"),
    *("-birthdate", "_id,-_lastUpdated", "name,name,name", ",".join(["birthdate"] * 50), "-", "-_score", "near", "_sort"),
    *("Patient,Observation", "Patient,Nothing", "Patient,,", "count", "data", "text", "accurate", "estimate", "both", "a OR", "NOT a"),
    *("\"a b", "a*", "*a", "(a OR b", "{{x}}", "$current-problems", "http://hl7.org/fhir/ValueSet/administrative-gender"),
]  # fmt: skip
PATHS = ["", "Patient/p1/Observation", "Patient/p1/*", "Encounter/e1/*", "Patient/nobody/Observation"]
WORLD = [
    patient("p1", "Ek", "Ann", birthDate="1980-01-01", gender="female", link=[{"other": {"reference": "Patient/p2"}, "type": "refer"}]),
    patient("p2", "ß\u0301 Q", "Bo", birthDate="1981", link=[{"other": {"reference": "Patient/p1"}, "type": "refer"}]),
    observation("o1", "Patient/p1", "8867-4", "2020-02-29", valueQuantity=quantity(5, "mg"), hasMember=[{"reference": "Observation/o2"}]),
    observation("o2", "Patient/p2", "1-1", "0001-01-01", valueString="x", hasMember=[{"reference": "Observation/o1"}]),
    {"resourceType": "Location", "id": "l1", "position": {"longitude": 180, "latitude": 90}},
    {"resourceType": "Location", "id": "l2", "position": {"longitude": -180, "latitude": -90}, "partOf": {"reference": "Location/l2"}},
]  # fmt: skip
ANSWERS = {200, 400, 404, 405, 406, 410, 412, 413, 414, 431, 501}


@pytest.fixture(scope="module")
def server(database_url: str) -> Iterator[tuple[asyncio.Runner, httpx.AsyncClient]]:
    """Yield a client on the app, and the event loop that both live in."""
    with asyncio.Runner() as runner:
        context = running(database_url)
        app = runner.run(context.__aenter__())
        client = client_of(app)
        for one in WORLD:
            sent = client.put(f"{one['resourceType']}/{one['id']}", json=one, headers={"Content-Type": JSON})
            assert runner.run(sent).status_code == 201
        yield runner, client
        runner.run(client.aclose())
        runner.run(context.__aexit__(None, None, None))


def searches(chance: random.Random) -> Iterator[tuple[str, Pairs]]:
    """Yield paths and parameters without end: mostly one oddity, sometimes several together."""
    while True:
        path = chance.choice([*PARAMS, *PARAMS, *PATHS])
        codes = PARAMS.get(path) or chance.choice(list(PARAMS.values()))
        pairs = []
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            name = chance.choice(codes if chance.random() < 0.7 else [*CHAINS, *CONTROLS])
            if chance.random() < 0.4:
                name += ":" + chance.choice(MODIFIERS)
            pairs.append((name, chance.choice(VALUES)))
        yield path, pairs


async def ask(client: httpx.AsyncClient, way: str, path: str, pairs: Pairs) -> httpx.Response:
    """Return the answer to a search, asked in one of several ways."""
    text = str(httpx.QueryParams(tuple(pairs)))
    strict = {"Prefer": "handling=strict"}
    if way == "form":
        form = {"Content-Type": "application/x-www-form-urlencoded", **strict}
        return await client.post(f"{path}/_search".lstrip("/"), content=text, headers=form)
    if way == "bundle":
        entry = {"request": {"method": "GET", "url": f"{path}?{text}"}}
        body: dict[str, Any] = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        return await client.post("", json=body, headers={"Content-Type": JSON})
    if way == "create":
        header = {"Content-Type": JSON, "If-None-Exist": text.encode("ascii", "replace").decode()}
        return await client.post(
            "Basic", json={"resourceType": "Basic", "code": {"text": "x"}}, headers=header
        )
    if way == "delete":
        return await client.delete(f"Basic?{text}")
    return await client.get(f"{path}?{text}", headers=strict)


def check(way: str, answer: httpx.Response) -> None:
    """Check that an answer is none of our faults, and complete in itself."""
    body = json.loads(answer.content) if answer.content else {}
    if way in ("create", "delete"):
        assert answer.status_code in ANSWERS | {201, 204, 409}
    else:
        assert answer.status_code in ANSWERS
    if answer.status_code >= 400:
        assert body["resourceType"] == "OperationOutcome"
        assert all(issue.get("diagnostics") or issue.get("details") for issue in body["issue"])
    if way == "bundle" and answer.status_code == 200:
        status = body["entry"][0]["response"]["status"]
        assert int(status[:3]) in ANSWERS, status
    matches = [one for one in body.get("entry", ()) if one.get("search", {}).get("mode") == "match"]
    if way in ("get", "form") and answer.status_code == 200 and matches and "total" in body:
        assert body["total"] >= len(matches)


WAYS = ["get", "get", "get", "form", "form", "bundle", "create", "delete"]


def test_no_search_is_answered_by_a_fault(server: tuple[asyncio.Runner, httpx.AsyncClient]) -> None:
    runner, client = server
    chance = random.Random(3)
    made = searches(chance)
    for _ in range(COUNT):
        way = chance.choice(WAYS)
        path, pairs = next(made)
        try:
            answer = runner.run(ask(client, way, path, pairs))
            check(way, answer)
        except httpx.InvalidURL:
            continue  # the client does not send what is this long
        except AssertionError as problem:
            shown = [(name, value[:200]) for name, value in pairs]
            raise AssertionError(
                f"{way} {path} {shown}: {answer.status_code} {answer.text[:500]}"
            ) from problem


COUNT = 1_500
"""How many searches: a few seconds' worth."""

ALIKE = [
    ("Patient?name=ek", "Patient?_filter=name sw ek"),
    ("Patient?family:exact=Ek", "Patient?_filter=family eq ek"),
    ("Patient?birthdate=lt1981", "Patient?_filter=birthdate lt 1981"),
    ("Patient?birthdate=ge1980-02-29", "Patient?_filter=birthdate ge 1980-02-29"),
    ("Patient?gender:missing=true", "Patient?_filter=gender pr false"),
    ("Patient?gender:not=female", "Patient?_filter=not (gender eq female)"),
    ("Patient?_id=p1,p2&name=bo", "Patient?_filter=(_id eq p1 or _id eq p2) and name sw bo"),
    ("Observation?patient.name=ek", "Observation?_filter=patient.name sw ek"),
    ("Observation?value-quantity=5||mg", "Observation?_filter=value-quantity eq 5||mg"),
    ("Observation?value-quantity=lt0.1|http://unitsofmeasure.org|g", "Observation?value-quantity=lt100||mg"),
    (f"Observation?code={LOINC}|8867-4", "Observation?_filter=code eq loinc|8867-4"),
    ("Observation?patient=p1", "Patient/p1/Observation"),
    ("Observation?subject=Patient/p1", "Patient/p1/Observation"),
    ("Observation?patient=p1&code=8867-4", "Patient/p1/Observation?code=8867-4"),
    ("Observation?patient=p1", "Patient/p1/*?_type=Observation"),
    ("Observation?patient=p1&date=2020-02", "?_type=Observation&_filter=date eq 2020-02&_has:Observation:has-member:_id=o2"),
    ("Patient?_has:Observation:patient:code=8867-4", "Patient?_id=p1"),
    ("Patient?_has:Observation:patient:_has:Observation:has-member:code=8867-4", "Patient?_id=p2"),
    ("Patient?_filter=birthdate lt 1981", "Patient?birthdate=eb1981"),
    ("Location?partof:below=l2", "Location?_id=l2"),
    ("Location?near=90|0|1|km", "Location?near=90|-120|1000|m"),
    ("Patient?name=%C3%9F", "Patient?name=SS"),
]  # fmt: skip
"""Two ways to ask the same."""


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_two_ways_to_ask_the_same_agree(
    server: tuple[asyncio.Runner, httpx.AsyncClient], one: str, other: str
) -> None:
    runner, client = server
    first, second = _matches(runner, client, one), _matches(runner, client, other)
    assert first == second
    assert first


def _matches(runner: asyncio.Runner, client: httpx.AsyncClient, query: str) -> list[str]:
    """Return what all pages of a search list, one match each, having compared the total with them."""
    path, _, text = query.partition("?")
    found: list[str] = []
    url: str | None = f"{path}?{text}&_count=1&_total=accurate"
    while url:
        body = runner.run(client.get(url)).json()
        assert body["resourceType"] == "Bundle", body
        total = body["total"]
        found += [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in body.get("entry", ())]
        url = next((link["url"] for link in body["link"] if link["relation"] == "next"), None)
    assert total == len(found)
    return sorted(found)


def test_a_cursor_is_good_for_its_own_search_only(server: tuple[asyncio.Runner, httpx.AsyncClient]) -> None:
    runner, client = server
    body = runner.run(client.get("Observation?_count=1&status=final")).json()
    url = next(link["url"] for link in body["link"] if link["relation"] == "next")
    assert runner.run(client.get(url)).status_code == 200
    for other in (
        url.replace("status=final", "status=amended"),
        url.replace("status=final", "status:not=final"),
        url.replace("/Observation?", "/Patient/p1/Observation?"),
        url.replace("/Observation?", "/DiagnosticReport?"),
        url + "&code=8867-4",
        url + "&_sort=date",
    ):
        assert other != url
        assert runner.run(client.get(other)).status_code == 400, other
