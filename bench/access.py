"""What authorization, audit and encryption cost: the same reads, searches and creates under each setting, in one run.

    python -m bench.access [--rounds 6] [--seconds 2] [--concurrency 32]

One server for each setting, each with the same data, asked in turns by one client of the given concurrency. The client
shares the machine's processors; ratios are of medians over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from bench.open_loop import CODE, JSON, fill, observation
from tests.live import LiveServer

SETTINGS: dict[str, dict[str, str]] = {
    "open": {"authorization": "open", "audit": "off", "encryption": "off"},
    "audit": {"authorization": "open", "audit": "on", "encryption": "off"},
    "encryption": {"authorization": "open", "audit": "off", "encryption": "on"},
    "audit + encryption": {"authorization": "open", "audit": "on", "encryption": "on"},
    "authorization + audit + encryption": {"authorization": "smart", "audit": "on", "encryption": "on"},
}
KINDS = ("read", "search", "create")


@contextlib.contextmanager
def serving(folder: Path, name: str) -> Iterator[LiveServer]:
    """Lend a server with a setting."""
    data = folder / name.replace(" ", "")
    data.mkdir()
    server = LiveServer(data, rate_client="0", rate_user="0", rate_address="0", **SETTINGS[name])
    server.start()
    try:
        yield server
    finally:
        server.stop()


def token(server: LiveServer) -> str:
    """Return an access token of the server's own command line, '' where none is needed."""
    if server.settings["authorization"] == "open":
        return ""
    env = os.environ | {f"HEALTHBUDDY_{name.upper()}": value for name, value in server.settings.items()}
    command = (sys.executable, "-m", "fhir_server.cli", "token")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def closed_loop(
    session: aiohttp.ClientSession,
    base: str,
    known: tuple[list[str], list[str]],
    kind: str,
    given: argparse.Namespace,
) -> float:
    """Return how many requests of a kind a second are answered."""
    end = time.perf_counter() + given.seconds
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < end:
            patient = random.choice(known[0])
            if kind == "read":
                call = session.get(f"{base}/{random.choice(known[1])}", headers=JSON)
            elif kind == "search":
                query = f"patient={patient}&code={CODE}&_sort=-date&_count=20"
                call = session.get(f"{base}/Observation?{query}", headers=JSON)
            else:
                call = session.post(f"{base}/Observation", data=observation(patient, 1), headers=JSON)
            async with call as answer:
                await answer.read()
                assert answer.status < 300, await answer.text()
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(given.concurrency)))
    return done / (time.perf_counter() - started)


async def run(
    servers: dict[str, LiveServer], given: argparse.Namespace
) -> dict[tuple[str, str], list[float]]:
    """Return requests a second by setting and kind, a figure for each round."""
    found: dict[tuple[str, str], list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        sessions, known = {}, {}
        for name, server in servers.items():
            bearer = token(server)
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)
            sessions[name] = await stack.enter_async_context(session)
            known[name] = await fill(session, server.base)
        for _ in range(given.rounds + 1):  # the first round warms up
            for name, server in servers.items():
                for kind in KINDS:
                    rate = await closed_loop(sessions[name], server.base, known[name], kind, given)
                    found.setdefault((name, kind), []).append(rate)
    return {key: rates[1:] for key, rates in found.items()}


def main() -> None:
    """Start the servers, ask them in turns, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--seconds", type=float, default=2)
    options.add_argument("--concurrency", type=int, default=32)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)
        servers = {name: stack.enter_context(serving(Path(folder), name)) for name in SETTINGS}
        found = asyncio.run(run(servers, given))
    print(
        f"concurrency {given.concurrency}, median of {given.rounds} rounds; of the open server's rate in brackets"
    )
    print("| setting | " + " | ".join(f"{kind}/s" for kind in KINDS) + " |\n|---|" + "---|" * len(KINDS))
    plain = {kind: statistics.median(found["open", kind]) for kind in KINDS}
    for name in SETTINGS:
        medians = {kind: statistics.median(found[name, kind]) for kind in KINDS}
        cells = [f"{medians[kind]:,.0f} ({medians[kind] / plain[kind]:.0%})" for kind in KINDS]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
