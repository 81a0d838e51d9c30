"""Reindex jobs while others write, when they are interrupted, and after an upgrade."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fhir_server.background import Background
from fhir_server.changes import reindex, single
from fhir_server.changes.prepare import prepare
from fhir_server.exchange import Server, Session
from fhir_server.search import custom
from fhir_server.search.context import configure
from fhir_server.search.find import find
from fhir_server.storage import jobs
from fhir_server.storage.store import Store
from resources.outcome import FhirError
from tests.integration.reindex.test_custom_parameters import URL, Json, parameter

ALIAS = parameter("alias", "string", f"Patient.extension('{URL}alias').value")


def patient(id_: str, alias: str) -> Json:
    return {
        "resourceType": "Patient",
        "id": id_,
        "extension": [{"url": f"{URL}alias", "valueString": alias}],
        "name": [{"family": alias}],
    }


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Session]:
    """Yield a session on a store of its own, as another process would have it."""
    store = await Store.open(url, pool_size=6)
    configure(token_key=store.keys["token-hash"], cursor_key=store.keys["cursor-signature"])
    try:
        server = Background(cast("Any", SimpleNamespace()), store)
        yield Session(cast("Server", server))
    finally:
        await store.close()


@pytest.fixture
async def session(fresh_database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    monkeypatch.setattr(reindex, "BATCH", 3)
    custom.forget()
    async with opened(fresh_database_url) as one:
        async with one.connection() as conn:
            await custom.refresh(conn)
        yield one
    custom.forget()


async def put(session: Session, resource: Json) -> None:
    await single.put(session, prepare(dict(resource), resource["id"]))


async def found(session: Session, alias: str) -> set[str]:
    page = await find(session, "Patient", [("alias", alias)], base="http://x", strict=False)
    return {row.id for row in page.rows}


async def finish(session: Session) -> int:
    """Run all jobs to their end and return the number of steps."""
    for count in range(2_000):
        if await reindex.step(session.server) == reindex.IDLE_S:
            return count
    raise AssertionError("the job does not end")


async def rows_of(session: Session, table: str = "idx_string") -> list[Any]:
    async with session.connection() as conn:
        return await (await conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3".encode())).fetchall()


async def versions(session: Session) -> list[Any]:
    async with session.connection() as conn:
        cursor = await conn.execute("SELECT id, version, updated FROM resource ORDER BY id")
        return await cursor.fetchall()


async def test_old_resources_get_rows_and_keep_version_and_instant(session: Session) -> None:
    for number in range(10):
        await put(session, patient(f"p{number}", f"name{number % 2}"))
    await put(session, ALIAS)
    before = await versions(session)
    await finish(session)
    assert await found(session, "name1") == {f"p{number}" for number in range(1, 10, 2)}
    assert await versions(session) == before
    async with session.connection() as conn:
        assert (await (await conn.execute("SELECT count(*) FROM resource_version")).fetchone()) == (0,)


async def test_an_interrupted_job_goes_on_where_it_was(session: Session, fresh_database_url: str) -> None:
    for number in range(20):
        await put(session, patient(f"p{number}", "same"))
    await put(session, ALIAS)
    for _ in range(4):
        await reindex.step(session.server)
    async with session.connection() as conn:
        (job,) = await jobs.unfinished(conn)
    assert 0 < job.done < 20
    async with opened(fresh_database_url) as other:
        await finish(other)
        async with other.connection() as conn:
            ended = await jobs.get(conn, job.id)
    assert ended is not None and ended.state == "done"
    assert ended.done == 20 and ended.written == 20
    assert len(await found(session, "same")) == 20


async def test_one_process_leads_at_a_time(session: Session, fresh_database_url: str) -> None:
    await put(session, patient("p", "x"))
    await put(session, ALIAS)
    async with opened(fresh_database_url) as other, other.store.transaction() as conn:
        assert await jobs.lead(conn)
        assert await reindex.step(session.server) == reindex.IDLE_S
    await finish(session)
    assert await found(session, "x") == {"p"}


async def test_a_job_waits_for_transactions_that_began_before_it(
    session: Session, fresh_database_url: str
) -> None:
    await put(session, patient("p", "x"))
    async with opened(fresh_database_url) as other, other.store.transaction() as conn:
        await conn.execute("SELECT 1")
        await put(session, ALIAS)
        for _ in range(5):
            pause = await reindex.step(session.server)
        assert pause == reindex.WAIT_S
        assert await found(session, "x") == set()
    await finish(session)
    assert await found(session, "x") == {"p"}


async def test_a_resource_that_a_writer_holds_stops_nobody_and_is_not_forgotten(
    session: Session, fresh_database_url: str
) -> None:
    for number in range(3):
        await put(session, patient(f"p{number}", "x"))
    await put(session, ALIAS)
    await reindex.step(session.server)  # begins
    async with opened(fresh_database_url) as other, other.store.transaction() as conn:
        await conn.execute("SELECT 1 FROM resource WHERE id = 'p1' FOR UPDATE")
        working = asyncio.create_task(finish(session))
        await asyncio.sleep(0.3)
        await put(session, patient("p0", "new"))  # is not blocked by the job, which waits for p1
    await working
    assert await found(session, "x") == {"p1", "p2"}
    assert await found(session, "new") == {"p0"}


async def test_cancelled_stays_cancelled_until_asked_for(session: Session) -> None:
    await put(session, patient("p", "x"))
    await put(session, ALIAS)
    await reindex.step(session.server)
    async with session.connection() as conn:
        (job,) = await jobs.unfinished(conn)
        await jobs.cancel(conn, job.id)
    await finish(session)
    page = await find(session, "Patient", [("alias", "x")], base="http://x", strict=False)
    assert page.rows == [] and page.issues[0].code == "incomplete"
    with pytest.raises(FhirError) as refused:
        await find(session, "Patient", [("alias", "x")], base="http://x", strict=True)
    assert refused.value.status == 503
    async with session.connection() as conn:
        await jobs.create(conn, "again", "requested", [], params=list(custom.Stored.pending))
    await finish(session)
    assert await found(session, "x") == {"p"}


async def test_a_parameter_that_was_gone_meanwhile_is_indexed_anew(session: Session) -> None:
    await put(session, patient("p", "x"))
    await put(session, ALIAS)
    await finish(session)
    await single.remove(session, "SearchParameter", "alias")
    await put(session, patient("p", "y"))  # loses its rows
    await put(session, ALIAS)
    await finish(session)
    assert await found(session, "y") == {"p"} and await found(session, "x") == set()


async def test_another_meaning_is_never_answered_from_rows_of_the_old_one(session: Session) -> None:
    await put(session, patient("p", "x") | {"name": [{"family": "y"}]})
    await put(session, ALIAS)
    await finish(session)
    await put(session, ALIAS | {"expression": "Patient.name.family.first()"})
    assert await found(session, "x") == set()
    await finish(session)
    assert await found(session, "y") == {"p"} and await found(session, "x") == set()


async def test_lost_rows_are_made_again_where_rewriting_is_asked_for(session: Session) -> None:
    await put(session, patient("p", "x"))
    before = await rows_of(session)
    async with session.connection() as conn:
        await conn.execute("DELETE FROM idx_string")
        await jobs.create(conn, "plain", "requested", [])
    await finish(session)
    assert await rows_of(session) == []
    async with session.connection() as conn:
        await jobs.create(conn, "rewrite", "requested", [], rewrite=True)
    await finish(session)
    assert await rows_of(session) == before


async def test_a_job_for_everything_is_queued_where_older_rows_are(session: Session) -> None:
    """A database of the first schema has rows without the digests of later groups."""
    await put(session, patient("p", "x"))
    async with session.connection() as conn:
        await conn.execute("UPDATE resource SET digests = digests[1:4]")
        await jobs.create(conn, "upgrade", "upgrade", [])
    await finish(session)
    async with session.connection() as conn:
        row = await (await conn.execute("SELECT cardinality(digests) FROM resource")).fetchone()
    assert row == (8,)


async def test_searches_say_so_until_an_upgrade_has_indexed_everything(session: Session) -> None:
    """Also where its job was cancelled; a later job for all types makes it good."""
    await put(session, patient("p", "x"))

    async def said() -> list[str]:
        async with session.connection() as conn:
            custom.forget()
            await custom.refresh(conn)
        page = await find(session, "Patient", [("name", "x")], base="http://example.org/fhir", strict=True)
        return [one.code for one in page.issues]

    assert await said() == []
    async with session.connection() as conn:
        await jobs.create(conn, "upgrade", "upgrade", [])
    assert await said() == ["incomplete"]
    async with session.connection() as conn:
        await conn.execute("UPDATE reindex_job SET state = 'cancelled'")
        await jobs.create(conn, "some", "requested", [1])
    await finish(session)
    assert await said() == ["incomplete"]
    async with session.connection() as conn:
        await jobs.create(conn, "all", "requested", [])
    await finish(session)
    assert await said() == []


@pytest.mark.parametrize("seed", range(4))
async def test_writers_during_a_reindex_lose_nothing_and_leave_nothing_behind(
    session: Session, fresh_database_url: str, seed: int
) -> None:
    """Whatever is written while jobs come and go: a search finds what is there, exactly, and no row is left over."""
    dice = random.Random(seed)
    names = ["anna", "bert", "carl"]
    model: dict[str, str] = {}

    async def write(ids: list[str]) -> None:
        for _ in range(25):
            id_ = dice.choice(ids)
            if dice.random() < 0.25:
                await single.remove(session, "Patient", id_)
                model.pop(id_, None)
            else:
                model[id_] = dice.choice(names)
                await put(session, patient(id_, model[id_]))
            await asyncio.sleep(dice.random() * 0.004)

    async def redefine() -> None:
        for status in ("active", "retired", "active"):
            await put(session, ALIAS | {"status": status})
            await asyncio.sleep(dice.random() * 0.05)

    async def work(stop: asyncio.Event, one: Session) -> None:
        for _ in iter(stop.is_set, True):
            await asyncio.sleep(min(0.01, await reindex.step(one.server)))

    for number in range(12):
        model[f"p{number}"] = dice.choice(names)
        await put(session, patient(f"p{number}", model[f"p{number}"]))
    async with opened(fresh_database_url) as other:
        stop = asyncio.Event()
        workers = [asyncio.create_task(work(stop, one)) for one in (session, other)]
        await asyncio.gather(*(write([f"p{n}" for n in range(w, 16, 3)]) for w in range(3)), redefine())
        stop.set()
        await asyncio.gather(*workers)
    await finish(session)
    assert custom.Stored.pending == {}
    for name in names:
        assert await found(session, name) == {id_ for id_, alias in model.items() if alias == name}
    patients = [row for row in await rows_of(session) if row[-1] in names]
    assert len(patients) == 2 * len(model)  # family and alias, each once
