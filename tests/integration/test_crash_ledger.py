"""Killed servers and databases lose nothing that was acknowledged."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.crash import Ledger, check, round_of
from tests.live import serving


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_and_nothing_is_written_by_half() -> None:
    rng = random.Random(11)
    ledger, names = Ledger(), itertools.count(1)
    with serving() as server:
        for crash in ("server", "database", "server", "database"):
            before = len(ledger.acknowledged)
            await round_of(server, ledger, names, crash, rng.uniform(0.5, 1.5))
            assert len(ledger.acknowledged) > before, "the load never got through"
        await check(server, ledger)
