"""The trail: durable before the answer, and nothing of it can be removed, altered or reordered unnoticed.

Source: 45 CFR 164.312(b), (c)(1); RFC 6962, section 2.1
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection

from fhir_server.access.grant import Grant
from fhir_server.audit import retain
from fhir_server.audit.checkpoint import key_of, new_key, public_text
from fhir_server.audit.entry import unpacked
from fhir_server.audit.signer import line, sign
from fhir_server.audit.trail import ChainedTrail
from fhir_server.audit.verify import Found, verify
from fhir_server.storage import binary
from resources.outcome import FhirError

KEY = key_of(new_key())
TRUSTED = [public_text(KEY.public_key())]
WHO = Grant("account", "app", user="Practitioner/1", roles=("clinician",))


@pytest.fixture
async def trail(fresh_database_url: str) -> AsyncIterator[ChainedTrail]:
    one = ChainedTrail(fresh_database_url)
    yield one
    await one.close()


async def _written(trail: ChainedTrail, count: int) -> None:
    notes = (
        trail.note("rest", WHO, interaction="read", type="Patient", id=f"p{n}", patients=(n,))
        for n in range(count)
    )
    await asyncio.gather(*notes)


async def _signed(url: str) -> list[bytes]:
    async with await AsyncConnection.connect(url) as conn:
        binary.register(conn.adapters)
        made = await sign(conn, KEY)
    return [line(made)] if made else []


def _verified(url: str, copies: list[bytes] | None = None) -> Found:
    with psycopg.connect(url) as conn:
        return verify(conn, TRUSTED, copies or ())


async def test_what_was_recorded_is_there_when_it_returns(
    trail: ChainedTrail, fresh_database_url: str
) -> None:
    await trail.note("rest", WHO, interaction="search-type", type="Patient", query="name=x", patients=(3, 7))
    with psycopg.connect(fresh_database_url) as conn:
        rows = conn.execute("SELECT record, agent, patients FROM audit_entry").fetchall()
    assert [(unpacked(record).query, agent, patients) for record, agent, patients in rows] == [
        ("name=x", "Practitioner/1", [3, 7])
    ]


async def test_many_at_once_share_commits_and_keep_their_order(
    trail: ChainedTrail, fresh_database_url: str
) -> None:
    await _written(trail, 300)
    with psycopg.connect(fresh_database_url) as conn:
        rows = conn.execute("SELECT n, id, xmin::text FROM audit_entry ORDER BY n").fetchall()
    assert [row[0] for row in rows] == list(range(1, 301))
    assert [row[1] for row in rows] == [f"p{n}" for n in range(300)]
    assert len({row[2] for row in rows}) < 10


async def test_an_untouched_trail_verifies(trail: ChainedTrail, fresh_database_url: str) -> None:
    await _written(trail, 20)
    copies = await _signed(fresh_database_url)
    await _written(trail, 5)
    copies += await _signed(fresh_database_url)
    await _written(trail, 3)
    found = _verified(fresh_database_url, copies)
    assert (found.problems, found.entries, found.checkpoints, found.unsigned) == ([], 28, 2, 3)


ATTACKS = {
    "an entry removed": ("DELETE FROM audit_entry WHERE n = 7", "entries 7 to 7 were removed"),
    "the first removed": ("DELETE FROM audit_entry WHERE n = 1", "entries 1 to 1 were removed"),
    "the end removed": ("DELETE FROM audit_entry WHERE n > 15", "entries 16 to 20 were removed from its end"),
    "a record altered": (
        "UPDATE audit_entry SET record = overlay(record placing '\\x41' from 20) WHERE n = 7",
        "entry 7",
    ),
    "a column altered": ("UPDATE audit_entry SET agent = 'Practitioner/2' WHERE n = 7", "columns of entry 7"),
    "patients left out": ("UPDATE audit_entry SET patients = NULL WHERE n = 7", "columns of entry 7"),
    "two exchanged": (
        "UPDATE audit_entry SET n = -n WHERE n IN (7, 8); UPDATE audit_entry SET n = 15 + n WHERE n < 0",
        "entry 7 was altered",
    ),
    "the chain removed": ("DELETE FROM audit_entry; DELETE FROM audit_chain", "it was removed"),
    "a start removed": ("DELETE FROM audit_chain", "its start was removed"),
    "a start altered": ("UPDATE audit_chain SET genesis = '\\x00'", "its start was altered"),
    "a checkpoint removed": (
        "DELETE FROM audit_checkpoint WHERE n = 1",
        "those between 0 and it were removed",
    ),
    "a checkpoint altered": ("UPDATE audit_checkpoint SET at = at + 1 WHERE n = 1", "its signature"),
    "heads altered": ("UPDATE audit_checkpoint SET heads = '\\x90' WHERE n = 1", "its heads were altered"),
    "all checkpoints removed": ("DELETE FROM audit_checkpoint", "it was removed (the copy knows it)"),
    "entries let go without a word": (
        (
            "UPDATE audit_chain SET cut = 3, cut_hash = (SELECT hash FROM audit_entry WHERE n = 3);"
            " DELETE FROM audit_entry WHERE n <= 3"
        ),
        "no entry says",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_tampering_is_found(trail: ChainedTrail, fresh_database_url: str, attack: str) -> None:
    statements, expected = ATTACKS[attack]
    await _written(trail, 12)
    copies = await _signed(fresh_database_url)
    await _written(trail, 8)
    copies += await _signed(fresh_database_url)
    assert _verified(fresh_database_url, copies).problems == []
    with psycopg.connect(fresh_database_url) as conn:
        for statement in statements.split(";"):
            conn.execute(statement.encode())
    found = _verified(fresh_database_url, copies)
    assert any(expected in problem for problem in found.problems), found.problems


async def test_a_chain_rewritten_with_right_hashes_is_found_by_the_signature(
    trail: ChainedTrail, fresh_database_url: str
) -> None:
    await _written(trail, 3)
    await _signed(fresh_database_url)
    with psycopg.connect(fresh_database_url) as conn:
        conn.execute("DELETE FROM audit_entry WHERE n = 3")
        conn.execute(
            "UPDATE audit_entry SET hash = sha256((SELECT genesis FROM audit_chain) || record) WHERE n = 1"
        )
        conn.execute(
            "UPDATE audit_entry SET record = (SELECT record FROM audit_entry WHERE n = 1) WHERE n = 2"
        )
        conn.execute(
            "UPDATE audit_entry SET hash = sha256((SELECT hash FROM audit_entry WHERE n = 1) || record) WHERE n = 2"
        )
        conn.execute(
            "INSERT INTO audit_entry SELECT chain, 3, at, kind, interaction, status, agent, type, id, patients, record,"
            " sha256(hash || record) FROM audit_entry WHERE n = 2"
        )
    found = _verified(fresh_database_url)
    assert any("is not the one that was signed" in problem for problem in found.problems)


async def test_a_foreign_signature_does_not_count(trail: ChainedTrail, fresh_database_url: str) -> None:
    await _written(trail, 3)
    await _signed(fresh_database_url)
    with psycopg.connect(fresh_database_url) as conn:
        found = verify(conn, [public_text(key_of(new_key()).public_key())])
    assert found.problems == ["checkpoint 1: its signature is not by a key of ours"]


async def test_a_lost_connection_begins_a_new_chain(trail: ChainedTrail, fresh_database_url: str) -> None:
    await _written(trail, 3)
    with psycopg.connect(fresh_database_url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'healthbuddy audit'"
            " AND datname = current_database()"
        )
    with pytest.raises(FhirError) as refused:
        await trail.note("rest", WHO, interaction="read")
    assert refused.value.status == 503
    await _written(trail, 2)
    await _signed(fresh_database_url)
    found = _verified(fresh_database_url)
    assert (found.problems, found.entries) == ([], 5)


async def test_old_entries_are_let_go_with_an_entry_that_says_so(
    trail: ChainedTrail, fresh_database_url: str
) -> None:
    await _written(trail, 10)
    await _signed(fresh_database_url)
    async with await AsyncConnection.connect(fresh_database_url) as conn:
        cuts = await retain.due(conn, 2**62)
        await trail.note("retention", WHO, detail=retain.said(cuts))
        await retain.cut(conn, cuts)
    await _signed(fresh_database_url)
    found = _verified(fresh_database_url)
    assert (found.problems, found.entries, found.cut) == ([], 1, 10)
