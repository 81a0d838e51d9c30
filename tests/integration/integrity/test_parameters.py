"""Search parameters that are stored, changed and removed while others write: rows follow them, none is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest

from fhir_server.changes import reindex
from fhir_server.search import custom
from fhir_server.storage import binary, epochs
from tests.integration.integrity.resources import Json, Maker
from tests.integration.reindex.test_custom_parameters import parameter
from tests.integration.web import client
from tests.integrity import differences


def variants(code: str, base: str, *meanings: tuple[str, str]) -> list[Json]:
    """Return a parameter with each of several meanings."""
    return [parameter(code, kind, expression, base) for kind, expression in meanings]


VARIANTS = {
    "city2": variants(
        "city2",
        "Location",
        ("string", "Location.address.city"),
        ("string", "Location.name"),
        ("string", "Location.address.text | Location.name"),
    ),
    "codes2": variants(
        "codes2",
        "Observation",
        ("token", "Observation.code"),
        ("token", "Observation.component.code.coding"),
        ("string", "Observation.code.text"),
        ("token", "Observation.component.where(value.exists()).code"),
    ),
    "value2": variants(
        "value2",
        "Observation",
        ("quantity", "Observation.component.value"),
        ("quantity", "(Observation.component.value as Quantity)"),
    ),
    "who2": variants(
        "who2", "Observation", ("reference", "Observation.subject"), ("reference", "Observation.focus")
    ),
}


@pytest.fixture
async def web(fresh_database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(reindex, "BATCH", 5)
    monkeypatch.setattr(reindex, "IDLE_S", 0.02)
    async with client(fresh_database_url) as one:
        one.timeout = 60
        yield one
    custom.forget()


async def idle(url: str) -> None:
    """Return once every parameter is indexed and no job is left."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        binary.register(conn.adapters)
        for _ in range(600):
            await custom.refresh(conn)
            cursor = await conn.execute(
                "SELECT count(*) FROM reindex_job WHERE state IN ('queued', 'running')"
            )
            if await cursor.fetchone() == (0,) and not custom.Stored.pending:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the jobs do not end")


async def change(web: httpx.AsyncClient, maker: Maker) -> None:
    """Store, change and remove parameters for a while."""
    for _ in range(12):
        name = maker.random.choice(list(VARIANTS))
        if maker.random.random() < 0.3:
            answer = await web.delete(f"SearchParameter/{name}")
        else:
            answer = await web.put(f"SearchParameter/{name}", json=maker.random.choice(VARIANTS[name]))
        assert answer.is_success, answer.text
        await asyncio.sleep(maker.random.random() * 0.1)


async def write(web: httpx.AsyncClient, maker: Maker) -> None:
    """Send Bundles; nothing but what a client brings about is refused, apart from a parameter that is not ready."""
    for _ in range(8):
        kind = maker.random.choice(["batch", "transaction", "transaction"])
        answer = await web.post("", json=maker.bundle(kind, maker.random.randrange(1, 5)))
        assert answer.status_code in (200, 400, 404, 409, 410, 412, 503), answer.text


async def test_rows_follow_parameters_that_change_while_others_write(
    web: httpx.AsyncClient, fresh_database_url: str
) -> None:
    maker = Maker(7)
    await asyncio.gather(*(write(web, maker) for _ in range(6)), change(web, maker))
    for rewrite in (False, True):
        part = [{"name": "rewrite", "valueBoolean": rewrite}]
        answer = await web.post("$reindex", json={"resourceType": "Parameters", "parameter": part})
        assert answer.status_code == 202
        await asyncio.gather(*(write(web, maker) for _ in range(2)))
        await idle(fresh_database_url)
        assert await differences(fresh_database_url) == []


async def test_a_composite_is_indexed_anew_when_one_of_its_parameters_comes_back(
    web: httpx.AsyncClient, fresh_database_url: str
) -> None:
    maker = Maker(1)
    code = parameter("c1", "token", "Observation.component.code", "Observation")
    value = parameter("c2", "quantity", "Observation.component.value", "Observation")
    components = [
        {"definition": code["url"], "expression": "code"},
        {"definition": value["url"], "expression": "value"},
    ]
    both = parameter("x1", "composite", "Observation.component", "Observation", component=components)
    for one in (code, value, both):
        assert (await web.put(f"SearchParameter/{one['id']}", json=one)).status_code == 201
    await idle(fresh_database_url)
    assert (await web.delete("SearchParameter/c1")).status_code == 204
    written = maker.plain_observation() | {"id": "meanwhile"}
    written["component"][0]["code"] = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
    assert (await web.put("Observation/meanwhile", json=written)).status_code == 201
    assert (await web.put("SearchParameter/c1", json=code)).status_code == 201
    await idle(fresh_database_url)
    assert await differences(fresh_database_url) == []
    found = (await web.get("Observation?x1=http://loinc.org|8480-6$gt1")).json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == ["meanwhile"]


@pytest.mark.parametrize(
    "expression",
    ["Patient.meta.lastUpdated", "Resource.meta.versionId", "Patient.meta.where(tag.exists()).lastUpdated"],
)
async def test_what_storage_says_of_a_version_cannot_be_indexed(
    web: httpx.AsyncClient, expression: str
) -> None:
    answer = await web.put("SearchParameter/lu", json=parameter("lu", "token", expression))
    assert answer.status_code == 422 and "storage's own" in answer.text


async def epoch(url: str) -> int:
    """Return the epoch of search."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        return await epochs.current(conn, "search")


@pytest.mark.parametrize("bundled", [False, True])
async def test_a_parameter_that_is_stored_again_as_it_was_disturbs_nobody(
    web: httpx.AsyncClient, fresh_database_url: str, bundled: bool
) -> None:
    async def put(resource: Json) -> int:
        request = {"method": "PUT", "url": f"SearchParameter/{resource['id']}"}
        entries = [{"resource": resource, "request": request}]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = await (web.post("", json=bundle) if bundled else web.put(request["url"], json=resource))
        assert answer.is_success, answer.text
        return await epoch(fresh_database_url)

    town, name, _ = VARIANTS["city2"]
    first = await put(town)
    assert await put(town | {"publisher": "Somebody"}) == first
    assert await put(parameter("other", "string", "Location.name", "Location", status="draft")) == first
    assert await put(name) == first + 1
    assert await put(name | {"status": "retired"}) == first + 2
