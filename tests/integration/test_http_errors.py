"""Refusals: the right status, and an OperationOutcome that says why. Source: http://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from fhir_server.exchange import Request, Result, Session
from tests.integration.web import JSON, client, client_of, outcome_codes, patient, running

SEND = {"Content-Type": JSON}


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("GET", "Nothing", 404, "not-supported"),
        ("GET", "Nothing/1", 404, "not-supported"),
        ("GET", "Patient/1/2/3", 404, "not-found"),
        ("GET", "Patient/none", 404, "not-found"),
        ("GET", "Patient/a%20b", 400, "value"),
        ("GET", "Patient/a%2Fb", 404, "not-found"),
        ("GET", "Patient/$nothing", 404, "not-supported"),
        ("POST", "$nothing", 404, "not-supported"),
        ("GET", "Patient/1/Nothing", 404, "not-found"),
        ("DELETE", "", 405, "not-supported"),
        ("POST", "Patient/1", 405, "not-supported"),
        ("BREW", "Patient/1", 405, "not-supported"),
        ("GET", "Patient?name=%ff", 400, "invalid"),
        ("GET", "Patient/1?_format=json&_format=xml", 400, "invalid"),
    ],
)
async def test_what_cannot_be_is_refused(
    web: httpx.AsyncClient, method: str, url: str, status: int, code: str
) -> None:
    answer = await web.request(method, url)
    assert (answer.status_code, outcome_codes(answer)) == (status, [code])
    assert ("allow" in answer.headers) == (status == 405)


async def test_an_unknown_operation_is_named(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/1/$nothing")
    assert "$nothing" in answer.json()["issue"][0]["diagnostics"]


async def test_options_lists_the_methods(web: httpx.AsyncClient) -> None:
    answer = await web.options("Patient/1")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS")
    assert (await web.options("Nothing")).status_code == 404


async def test_malformed_json_says_line_and_column(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient", content=b'{"resourceType": "Patient",\n "active": tru}', headers=SEND)
    assert answer.status_code == 400
    assert "line 2" in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b'{"resourceType":"Observation"}'])
async def test_a_body_that_is_no_such_resource_is_400(web: httpx.AsyncClient, content: bytes) -> None:
    answer = await web.post("Patient", content=content, headers=SEND)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_body_without_content_type_is_415_and_none_at_all_400(web: httpx.AsyncClient) -> None:
    assert (await web.post("Patient", content=b"{}")).status_code == 415
    assert (await web.post("Patient")).status_code == 400


async def test_a_body_over_the_limit_is_413(database_url: str) -> None:
    async with client(database_url, max_body_bytes=2048) as web:
        answer = await web.post("Patient", content=b" " * 3000, headers=SEND)
    assert answer.status_code == 413
    assert outcome_codes(answer) == ["too-long"]


async def test_urls_and_headers_over_their_limits_are_refused(web: httpx.AsyncClient) -> None:
    long_url = await web.get("Patient?name=" + "x" * 20_000)
    long_header = await web.get("Patient/1", headers={"X-Long": "x" * 40_000})
    assert (long_url.status_code, long_header.status_code) == (414, 431)


@pytest.mark.parametrize("url", ["Patient?name=%00", "Patient/%00", "Patient?_id=%00"])
async def test_a_nul_character_is_refused(web: httpx.AsyncClient, url: str) -> None:
    assert (await web.get(url)).status_code == 400


async def test_an_unexpected_failure_is_a_bare_500_with_the_request_id(database_url: str) -> None:
    async def broken(session: Session, request: Request) -> Result:
        raise KeyError("secret")

    async with running(database_url) as app, client_of(app) as web:
        app.fhir.handlers = {**app.fhir.handlers, "read": broken}
        answer = await web.get("Patient/1", headers={"X-Request-Id": "abc"})
    assert (answer.status_code, outcome_codes(answer)) == (500, ["exception"])
    assert "abc" in answer.text
    assert "secret" not in answer.text


async def test_a_slow_query_is_503_timeout_and_never_hangs(database_url: str) -> None:
    async def slow(session: Session, request: Request) -> Result:
        async with session.connection() as conn:
            await conn.execute("SELECT pg_sleep(30)")
        return Result(200)

    async with running(database_url, statement_timeout_s=0.05) as app, client_of(app) as web:
        app.fhir.handlers = {**app.fhir.handlers, "read": slow}
        answer = await asyncio.wait_for(web.get("Patient/1"), 5)
        after = await web.get("Patient/none/_history/1")
    assert (answer.status_code, outcome_codes(answer)) == (503, ["timeout"])
    assert "retry-after" in answer.headers
    assert after.status_code == 404


async def test_a_full_pool_is_503_throttled(database_url: str) -> None:
    async def hold(session: Session, request: Request) -> Result:
        async with session.connection():
            await asyncio.sleep(0.5)
        return Result(204)

    async with running(database_url, pool_size=1, pool_timeout_s=0.05) as app, client_of(app) as web:
        app.fhir.handlers = {**app.fhir.handlers, "read": hold}
        first, second = await asyncio.gather(web.get("Patient/1"), web.get("Patient/2"))
    answer = first if first.status_code == 503 else second
    assert {first.status_code, second.status_code} == {204, 503}
    assert outcome_codes(answer) == ["throttled"]
    assert answer.headers["retry-after"] == "1"


async def test_a_lost_database_connection_is_503_transient_and_recovers(database_url: str) -> None:
    async def cut(session: Session, request: Request) -> Result:
        async with session.connection() as conn:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return Result(204)

    async with running(database_url) as app, client_of(app) as web:
        app.fhir.handlers = {**app.fhir.handlers, "vread": cut}
        answer = await web.get("Patient/1/_history/1")
        after = [(await web.get("Patient/none")).status_code for _ in range(6)]
    assert (answer.status_code, outcome_codes(answer)) == (503, ["transient"])
    assert after == [404] * 6


async def test_requests_beyond_the_places_wait_and_then_are_throttled(database_url: str) -> None:
    async def slow(session: Session, request: Request) -> Result:
        await asyncio.sleep(0.2)
        return Result(204)

    async with running(database_url, in_flight=1, queue=1, queue_seconds=5) as app, client_of(app) as web:
        app.fhir.handlers = {**app.fhir.handlers, "read": slow}
        answers = await asyncio.gather(*(web.get(f"Patient/{n}") for n in range(4)))
        alive = (await web.get("http://server.example/health/live")).status_code
    assert sorted(answer.status_code for answer in answers) == [204, 204, 503, 503]
    assert alive == 200


async def test_posted_search_takes_a_form_only(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient/_search", json=patient(), headers=SEND)
    assert answer.status_code == 415
