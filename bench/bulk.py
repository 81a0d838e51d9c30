"""How fast a record of a million resources still grows: Synthea bundles as transactions, again and again.

    python -m bench.bulk [--total 1000000] [--parallel 4] [--step 100000]

Every index is on. Each bundle's patient gets a name and identifiers of its own, so that nothing is repeated but the
shape of the data. The table shows resources/s for each step and the database's size at its end.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import time
from collections.abc import Iterator

import aiohttp
import psycopg

from tests.live import ROOT, LiveServer, serving

DATA = ROOT.parent / "shared" / "testdata" / "synthea"
JSON = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}


def bundles() -> list[bytes]:
    """Return the transactions of the patients."""
    files = sorted(file for file in DATA.rglob("*.json*") if "Information" not in file.name)
    return [gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files]


def varied(originals: list[bytes]) -> Iterator[bytes]:
    """Yield the bundles without end, each round's names and identifiers other than the last one's."""
    for round_ in itertools.count():
        mark = f"{round_:04x}".encode()
        for one in originals:
            yield _renamed(one, mark)


def _renamed(bundle: bytes, mark: bytes) -> bytes:
    """Return a bundle whose families and identifiers end differently."""
    bundle = bundle.replace(b'"family": "', b'"family": "' + mark).replace(
        b'"family":"', b'"family":"' + mark
    )
    return bundle.replace(b'"value": "urn:uuid:', b'"value": "urn:uuid:' + mark)


async def load(server: LiveServer, total: int, parallel: int, step: int) -> None:
    """Print a row for every `step` resources until there are `total`."""
    stream = varied(bundles())
    done, marked, started, last = 0, 0, time.perf_counter(), time.perf_counter()
    print("| resources | resources/s | database |\n|---|---|---|")
    lock = asyncio.Lock()

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal done, marked, last
        while done < total:
            body = next(stream)
            async with session.post(server.base, data=body, headers=JSON) as answer:
                text = await answer.json(content_type=None)
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status} {str(text)[:500]}")
            done += len(text["entry"])
            async with lock:
                if done - marked >= step:
                    now = time.perf_counter()
                    print(
                        f"| {done:,} | {(done - marked) / (now - last):,.0f} | {_size(server)} |", flush=True
                    )
                    marked, last = done, now

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        await asyncio.gather(*(work(session) for _ in range(parallel)))
    print(f"| all | {done / (time.perf_counter() - started):,.0f} | {_size(server)} |")


def _size(server: LiveServer) -> str:
    with psycopg.connect(server.postgres.conninfo()) as conn:
        row = conn.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone()
    return str(row[0]) if row else ""


def main() -> None:
    """Load into a fresh, durable server."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--total", type=int, default=1_000_000)
    options.add_argument("--parallel", type=int, default=4)
    options.add_argument("--step", type=int, default=100_000)
    given = options.parse_args()
    with serving() as server:
        asyncio.run(load(server, given.total, given.parallel, given.step))


if __name__ == "__main__":
    main()
