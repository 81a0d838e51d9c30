"""What operators need: health, readiness, figures, the start page."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.integration.web import client_of, outcome_codes, running

ROOT = "http://server.example"


async def test_live_and_ready_say_ok(web: httpx.AsyncClient) -> None:
    assert (await web.get(f"{ROOT}/health/live")).json() == {"status": "ok"}
    ready = (await web.get(f"{ROOT}/health/ready")).json()
    assert ready["status"] == "ok"
    assert ready["checks"] == {"database": "ok", "migrations": "ok", "definitions": "ok"}


async def test_a_server_without_authorization_says_so_loudly(web: httpx.AsyncClient) -> None:
    assert (await web.get(f"{ROOT}/health/ready")).json()["authorization"] == "open"
    assert 'role="alert">This server is open' in (await web.get(f"{ROOT}/")).text


async def test_a_server_with_authorization_shows_how_tokens_are_sent(
    database_url: str, tmp_path: Path
) -> None:
    async with running(database_url, authorization="smart", data_dir=tmp_path) as app, client_of(app) as web:
        page = (await web.get(f"{ROOT}/")).text
        assert (await web.get(f"{ROOT}/health/ready")).json()["authorization"] == "smart"
    assert "is open" not in page
    assert page.count("Bearer $TOKEN") == 3


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("10.2.3.4", 200), ("192.0.2.1", 403), ("::1", 200)]
)
async def test_figures_are_for_this_machine_and_whom_a_setting_names(
    database_url: str, address: str, status: int
) -> None:
    async with running(database_url, metrics_for=("10.0.0.0/8",)) as app:
        transport = httpx.ASGITransport(app=app, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url=ROOT) as web:
            assert (await web.get("/metrics")).status_code == status


async def test_two_servers_tell_whether_they_share_a_database(
    database_url: str, fresh_database_url: str
) -> None:
    told = []
    for url in (database_url, database_url, fresh_database_url):
        async with running(url) as app, client_of(app) as web:
            told.append((await web.get(f"{ROOT}/health/ready")).json()["database"])
    assert told[0] == told[1] != told[2]


async def test_without_a_database_it_is_alive_but_not_ready(database_url: str) -> None:
    async with running(database_url) as app, client_of(app) as web:
        await app.fhir.store.pool.close()
        ready = await web.get(f"{ROOT}/health/ready")
        live = await web.get(f"{ROOT}/health/live")
        read = await web.get("Patient/1")
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "failed")
    assert "retry-after" in ready.headers
    assert live.status_code == 200
    assert (read.status_code, read.json()["issue"][0]["code"]) == (503, "transient")


async def test_a_database_at_another_schema_is_not_ready(fresh_database_url: str) -> None:
    async with running(fresh_database_url) as app, client_of(app) as web:
        async with app.fhir.store.pool.connection() as conn:
            await conn.execute("UPDATE alembic_version SET version_num = '0000'")
        ready = await web.get(f"{ROOT}/health/ready")
    assert (ready.status_code, ready.json()["checks"]["migrations"]) == (503, "failed")


async def test_figures_count_requests_by_interaction_type_and_status_and_hold_no_ids(
    web: httpx.AsyncClient,
) -> None:
    await web.get("Patient/secret-id-1970")
    text = (await web.get(f"{ROOT}/metrics")).text
    assert re.search(r'healthbuddy_requests_total{interaction="read",status="4xx",type="Patient"} \d', text)
    assert "healthbuddy_request_seconds_bucket" in text
    assert "secret-id" not in text


async def test_figures_time_the_stages_of_a_search(web: httpx.AsyncClient) -> None:
    await web.get("Observation?_include=Observation:patient&_total=accurate&_count=0")
    await web.get("Observation?_include=Observation:patient")
    text = (await web.get(f"{ROOT}/metrics")).text
    for stage in ("parse", "page", "include", "total"):
        assert f'healthbuddy_search_seconds_count{{stage="{stage}"}}' in text


async def test_the_start_page_shows_where_things_are(web: httpx.AsyncClient) -> None:
    page = await web.get(f"{ROOT}/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.text.count("curl ") == 3
    for link in ("/fhir/metadata", "/openapi.json", "/health/ready", "/metrics"):
        assert f'href="{link}"' in page.text
    assert "http://server.example/fhir/Patient" in page.text


async def test_openapi_lists_what_lies_beside_fhir(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{ROOT}/openapi.json")
    assert set(answer.json()["paths"]) == {"/health/live", "/health/ready", "/metrics"}


async def test_outside_the_base_a_refusal_says_where_the_base_is(web: httpx.AsyncClient) -> None:
    missing = await web.get(f"{ROOT}/Patient/1")
    wrong = await web.post(f"{ROOT}/health/live")
    assert (missing.status_code, outcome_codes(missing)) == (404, ["not-found"])
    assert "/fhir" in missing.json()["issue"][0]["diagnostics"]
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/metrics"])
async def test_head_is_answered_where_get_is(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.head(f"{ROOT}{path}")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_forged_host_cannot_write_into_the_page(web: httpx.AsyncClient) -> None:
    page = await web.get(f"{ROOT}/", headers={"Host": "<script>"})
    assert "<script>" not in page.text
