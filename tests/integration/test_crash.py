"""Killed servers and databases lose nothing that was acknowledged."""

from __future__ import annotations

import random

import psycopg
import pytest

from fhir_server.search.context import configure
from tests.crash import Ledger, Victim, check, round_of
from tests.integrity import differences
from tests.live import SMALL, serving

ROUNDS: tuple[Victim, ...] = ("server", "database", "server", "database")


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_and_nothing_is_written_by_half() -> None:
    rng, ledger = random.Random(11), Ledger()
    with serving(**SMALL) as server:
        for victim in ROUNDS:
            await round_of(server, ledger, victim, rng.uniform(0, 1))
        await check(server, ledger)
        conninfo = server.postgres.conninfo("healthbuddy")
        with psycopg.connect(conninfo) as conn:
            keys = {name: bytes(value) for name, value in conn.execute("SELECT name, value FROM secret")}
        configure(token_key=keys["token-hash"], cursor_key=keys["cursor-signature"])
        assert await differences(conninfo) == []
