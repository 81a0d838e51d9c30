"""Loading for a long time while server and database are killed again and again; then the ledger is proven.

make soak [ARGS="--rounds 40"]
"""

from __future__ import annotations

import argparse
import asyncio
import random
from pathlib import Path

from tests.crash import Ledger, Victim, check, round_of
from tests.live import LiveServer, serving

VICTIMS: tuple[Victim, ...] = ("server", "database")


def resident_mb(pid: int) -> float:
    """Return the memory that a process and its children hold, shared pages counted once (Linux; else 0)."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            if pid in (int(status.parent.name), int(fields[1])):
                rollup = (status.parent / "smaps_rollup").read_text()
                total += int(rollup.split("Pss:")[1].split()[0])
        except (OSError, IndexError):
            continue
    return total / 1024


async def soak(server: LiveServer, rounds: int, seconds: float) -> None:
    """Run the rounds and print a line for each."""
    ledger, rng = Ledger(), random.Random()
    for number in range(rounds):
        victim = rng.choice(VICTIMS)
        await round_of(server, ledger, victim, rng.uniform(0, seconds))
        done = f"{100 * (number + 1) // rounds:3d}%"
        bundles = f"{len(ledger.acknowledged)} bundles acknowledged of {len(ledger.sent)} sent"
        print(f"{done} killed the {victim}; {bundles}; {resident_mb(server.pid):.0f} MB", flush=True)
    await check(server, ledger)
    print("nothing acknowledged is lost, nothing is there by half")


def main() -> None:
    """Start a server and soak it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--seconds", type=float, default=10)
    given = options.parse_args()
    with serving() as server:
        asyncio.run(soak(server, given.rounds, given.seconds))


if __name__ == "__main__":
    main()
