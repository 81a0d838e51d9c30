"""Our speed beside the peer's table: the outside benchmark client run against a fresh, durable server of ours.

    python bench/peers.py [--seconds 2] [--concurrency 1,8] [--only read,update] [--out result.json]

The client and the peer's figures lie in `../shared/bench`; ratios compare figures of different runs on machines of the
same kind, so they are read with ±20%.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.live import ROOT, serving

SHARED = ROOT.parent / "shared"
_ROW = re.compile(r"^\| (?P<op>\w+) \| (?P<conc>\d+) \| (?P<rate>[\d,]+) ")


def peer_rates() -> dict[tuple[str, int], float]:
    """Return {(operation, concurrency): rate} of the peer on the same data."""
    text = (SHARED / "bench" / "README.md").read_text()
    rows = (found for line in text.splitlines() if (found := _ROW.match(line)))
    return {(row["op"], int(row["conc"])): float(row["rate"].replace(",", "")) for row in rows}


def main() -> None:
    """Run the benchmark and print the table that docs/performance.md shows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", default="2")
    options.add_argument("--concurrency", default="1,8")
    options.add_argument("--only", default="")
    options.add_argument("--out", default="")
    options.add_argument("--set", action="append", default=[], help="a setting of the server: workers=1")
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(**dict(item.split("=", 1) for item in given.set)) as server,
    ):
        out = Path(given.out or Path(folder) / "result.json")
        command = [
            sys.executable, str(SHARED / "bench" / "fhirbench.py"), "--base", server.base,
            "--data", str(SHARED / "testdata" / "synthea"), "--patients", "48",
            "--concurrency", given.concurrency, "--seconds", given.seconds, "--warmup", "1", "--only", given.only,
            "--proc", f"server={server.pid}", "--proc", f"pg={server.postgres_pid()}", "--out", str(out),
        ]  # fmt: skip
        subprocess.run(command, check=True)
        print_table(json.loads(out.read_text()))


def print_table(result: dict[str, list[dict[str, float | str | int]]]) -> None:
    """Print one row an operation: rate, p50, p99 and our multiple of the peer."""
    peers = peer_rates()
    print("\n| operation | conc | rate | p50 ms | p99 ms | × peer | state |\n|---|---|---|---|---|---|---|")
    for row in result["results"]:
        op, conc = str(row["op"]), int(row["conc"])
        loads = op.startswith(("load", "page"))
        rate = float(row.get("items_s" if loads else "rps") or 0)
        peer = peers.get((op, conc))
        times = [f"{float(row[p]) * 1000:.1f}" if row.get(p) else "" for p in ("p50", "p99")]
        ratio = f"{rate / peer:.1f}" if peer else ""
        unit = "resources/s" if loads else "req/s"
        print(f"| {op} | {conc} | {rate:,.0f} {unit} | {times[0]} | {times[1]} | {ratio} | {row['state']} |")


if __name__ == "__main__":
    main()
