"""Code systems of a million rows: how long a load takes and what memory, and how fast the answers are then.

    python -m bench.terminology [--rows 1000000] [--asked 2000]

The files are shaped as RxNorm's, their content is generated. Targets: load under 180 s and 500 MB; $validate-code and
$lookup at the 95th percentile within 2 ms, in this process and warm; the first 1,000 of 100,000 codes within 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from fhir_server.concepts import check, jobs, lookup, memory, sets
from fhir_server.concepts.catalog import system as known_system
from fhir_server.search.context import configure
from fhir_server.storage.embedded import EmbeddedPostgres
from fhir_server.storage.migrate import upgrade
from fhir_server.storage.store import Store
from resources.validate.asks import Coded
from terminology.loaders import rxnorm
from terminology.loaders.release import Asked
from terminology.loaders.source import Source

TYPES = ("IN", "SCD", "SBD", "SCDC", "SBDC", "BN", "DF", "SY", "PSN", "TMSY")
RELATIONS = (("RO", "has_ingredient"), ("RO", "consists_of"), ("RB", "isa"), ("RN", "inverse_isa"))
SYLLABLES = ("wo", "nde", "rol", "by", "go", "nin", "ta", "ble", "mi", "xa", "pur", "est")


def write(folder: Path, rows: int, seed: int = 7) -> int:
    """Return how many concepts files of so many rows have: 3 in 10 names, 4 relations, 2 attributes, 1 types."""
    random = Random(seed)
    names, relations, attributes, types = (rows * share // 10 for share in (3, 4, 2, 1))
    concepts = names * 2 // 3
    with (folder / "RXNCONSO.RRF").open("w") as file:
        for n in range(names):
            cui, tty = n % concepts + 1, TYPES[n % len(TYPES)]
            file.write(f"{cui}|ENG||||||A{n}||||RXNORM|{tty}|{cui}|{_name(random)} {n}||N|4096|\n")
    with (folder / "RXNREL.RRF").open("w") as file:
        for n in range(relations):
            one, other = random.randint(1, concepts), random.randint(1, concepts)
            rel, rela = RELATIONS[n % len(RELATIONS)]
            file.write(f"{one}||CUI|{rel}|{other}||CUI|{rela}|{n}||RXNORM||||||\n")
    with (folder / "RXNSAT.RRF").open("w") as file:
        for n in range(attributes):
            file.write(f"{n % concepts + 1}|||A{n}|AUI|{n}|||RXN_STRENGTH|RXNORM|{n % 500} MG|N||\n")
    with (folder / "RXNSTY.RRF").open("w") as file:
        for n in range(types):
            file.write(f"{n % concepts + 1}|T{n % 90:03}|A1|Clinical Drug|AT{n}||\n")
    return concepts


def _name(random: Random) -> str:
    return " ".join("".join(random.choices(SYLLABLES, k=3)) for _ in range(3))


async def measure(rows: int, asked: int, folder: Path, conninfo: str) -> None:
    """Print the figures."""
    concepts = write(folder, rows)
    print(f"{rows:,} rows, {concepts:,} concepts")
    async with jobs.connected(conninfo) as conn:
        start = time.perf_counter()
        release = rxnorm.read(Source(folder), Asked("1"))
        staged = time.perf_counter()
        loaded = await jobs.run(conn, "rxnorm", str(folder), "0" * 32, release)
        done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"load: {done - start:.1f} s (reading {staged - start:.1f}, writing {done - staged:.1f});"
        f" peak {peak:.0f} MB; {loaded.concepts:,} concepts"
    )
    await answers(conninfo, asked, concepts)
    print(f"peak after the answers: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def answers(conninfo: str, asked: int, concepts: int) -> None:
    """Print how fast single codes and expansions are answered."""
    store = await Store.open(conninfo, pool_size=1, statement_timeout_s=60)
    configure(token_key=store.keys["token-hash"], cursor_key=store.keys["cursor-signature"])
    random = Random(3)
    try:
        async with store.pool.connection() as conn:

            async def validated() -> None:
                code = str(random.randint(1, concepts))
                async with memory.remembering(conn):
                    (verdict,) = await check.coded(conn, [Coded("", rxnorm.URL, code)])
                assert verdict.member is True, verdict

            async def looked_up() -> None:
                async with memory.remembering(conn):
                    system = await known_system(conn, rxnorm.URL)
                    assert system is not None
                    one = await lookup.concept(conn, system, str(random.randint(1, concepts)))
                    assert one is not None
                    await lookup.properties(conn, one)
                    await lookup.designations(conn, one)

            half = {"property": "RXN_STRENGTH", "op": "exists", "value": "true"}
            everything: dict[str, Any] = {"compose": {"include": [{"system": rxnorm.URL}]}}
            some: dict[str, Any] = {"compose": {"include": [{"system": rxnorm.URL, "filter": [half]}]}}

            async def expanded(json: dict[str, Any]) -> None:
                async with memory.remembering(conn):
                    compiled = await sets.compiled(
                        conn, {"resourceType": "ValueSet", "status": "active", **json}
                    )
                    entries, _ = await sets.page(conn, compiled, 0, 1_000)
                    assert len(entries) == 1_000

            await _timed("validate-code", asked, validated)
            await _timed("lookup", asked, looked_up)
            await _timed("expand, first 1,000 of all", 50, lambda: expanded(everything))
            await _timed("expand, first 1,000 by a filter, inline", 50, lambda: expanded(some))
            stored = await sets.compiled(conn, {"resourceType": "ValueSet", "status": "active", **some})

            async def paged() -> None:
                entries, _ = await sets.page(conn, stored, 0, 1_000)
                assert len(entries) == 1_000

            await _timed("the same, of a value set that is remembered", 50, paged)
    finally:
        await store.close()


async def _timed(name: str, times: int, work: Callable[[], Awaitable[None]]) -> None:
    for _ in range(max(times // 20, 5)):
        await work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - start) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    print(f"{name}: median {cuts[49]:.2f} ms, 95th percentile {cuts[94]:.2f} ms")


def main() -> None:
    """Make a database, measure, remove it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=2_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = EmbeddedPostgres(Path(name) / "postgres")
        server.ensure_running()
        try:
            conninfo = server.conninfo()
            upgrade(conninfo)
            (folder := Path(name) / "rrf").mkdir()
            asyncio.run(measure(told.rows, told.asked, folder, conninfo))
        finally:
            server.stop(remove=True)


if __name__ == "__main__":
    main()
