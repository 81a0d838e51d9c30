"""How answers slow down as the record grows: the same questions at 0.1, 1 and 10 million Observations.

    python -m bench.growth [--sizes 0.1,1,10] [--requests 200] [--folder FOLDER]

One database that grows from size to size; every question is asked one at a time over HTTP, about other patients and
dates each time. With `--folder` the database stays there, and a later run goes on with it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.growth_data import LOINC, PER_PATIENT, RARE, RETIRED, codes, timed_fill
from fhir_server.storage.embedded import EmbeddedPostgres
from fhir_server.storage.schema import upgrade_apart
from tests.live import LiveServer

USUAL = codes()[2].code
DAYS = [f"{year}-{month:02d}-01" for year in range(2006, 2024) for month in range(1, 13)]

_CODE = f"code={LOINC}|"
QUESTIONS = {
    "read": "Observation/obs-{observation}",
    "patient + code, newest 20": f"{{of}}&{_CODE}{USUAL}&_sort=-date&_count=20",
    "patient + date": "{of}&date=ge{day}&_count=20",
    "patient + category, newest 20": "{of}&category=laboratory&_sort=-date&_count=20",
    "patient + value": "{of}&value-quantity=gt300||mg/dL&_count=20",
    "patient + code:not": f"{{of}}&code:not={LOINC}|{USUAL}&_count=20",
    "patient, _include": "{of}&_include=Observation:encounter&_count=20",
    "patient, _revinclude": "Patient?_id=pat-{patient}&_revinclude=Observation:subject",
    "code, newest 20": f"Observation?{_CODE}{USUAL}&_sort=-date&_count=20",
    "code + date, newest 20": f"Observation?{_CODE}{USUAL}&date=lt{{day}}&_sort=-date&_count=20",
    "rare code, newest 20": f"Observation?{_CODE}{RARE}&_sort=-date&_count=20",
    "retired code, newest 20": f"Observation?{_CODE}{RETIRED}&_sort=-date&_count=20",
    "retired code + date": f"Observation?{_CODE}{RETIRED}&date=ge{{day}}&_sort=-date&_count=20",
    "newest 20 of all": "Observation?_sort=-date&_count=20",
    "last written 20": "Observation?_sort=-_lastUpdated&_count=20",
    "chain patient.family + code": f"Observation?patient.family=Family{{patient}}&{_CODE}{USUAL}&_count=20",
    "_has rare code": f"Patient?_has:Observation:patient:{_CODE}{RARE}&_count=20",
    "count by patient": "{of}&_summary=count",
    "count by rare code": f"Observation?{_CODE}{RARE}&_summary=count",
    "$everything, first 1,000": "Patient/pat-{patient}/$everything?_count=1000",
}
"""What is asked: `{patient}`, `{observation}` and `{day}` are drawn anew each time."""

SLOW = {"count by usual code": f"Observation?{_CODE}{USUAL}&_summary=count"}
"""Questions whose work is all matches, asked a few times only."""


def drawn(question: str, chance: random.Random, size: int) -> str:
    """Return the path of one request."""
    patient = chance.randrange(size // PER_PATIENT)
    return question.format(
        patient=patient,
        of=f"Observation?patient=pat-{patient}",
        observation=chance.randrange(size),
        day=chance.choice(DAYS),
    )


def measure(base: str, size: int, requests: int) -> Iterator[tuple[str, list[float]]]:
    """Yield (question, milliseconds of each answer); raises RuntimeError for an answer that is none."""
    with httpx.Client(base_url=base + "/", timeout=120) as client:
        for name, question in (QUESTIONS | SLOW).items():
            chance = random.Random(7)
            times = []
            for _ in range(min(requests, 10) if name in SLOW else requests):
                started = time.perf_counter()
                answer = client.get(drawn(question, chance, size))
                times.append((time.perf_counter() - started) * 1000)
                if answer.status_code != 200:
                    raise RuntimeError(f"{name}: {answer.status_code} {answer.text[:300]}")
            yield name, sorted(times[len(times) // 10 :])


def run(folder: Path, sizes: list[int], requests: int) -> dict[int, dict[str, list[float]]]:
    """Return {size: {question: sorted milliseconds}}."""
    found: dict[int, dict[str, list[float]]] = {}
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder / "data" / "postgres") as postgres:
        upgrade_apart(postgres.conninfo())
        for size in sizes:
            seconds = timed_fill(postgres.conninfo(), size)
            print(f"{size:,} Observations are there after {seconds:.0f} s", flush=True)
            server = LiveServer(folder / "data", workers="1")
            server.start()
            try:
                found[size] = dict(measure(server.base, size, requests))
            finally:
                server.stop()
            print_table(found)
    return found


def print_table(found: dict[int, dict[str, list[float]]]) -> None:
    """Print p50 / p99 of every question at every size, and how much slower the largest is than the smallest."""
    sizes = list(found)
    print("| ms, p50 / p99 | " + " | ".join(f"{size / 1e6:g} M" for size in sizes) + " | growth of p50 |")
    print("|---" * (len(sizes) + 2) + "|")
    for name in found[sizes[0]]:
        middle = [statistics.median(found[size][name]) for size in sizes]
        late = [found[size][name][int(len(found[size][name]) * 0.99)] for size in sizes]
        cells = [f"{p50:.1f} / {p99:.1f}" for p50, p99 in zip(middle, late, strict=True)]
        print(f"| {name} | " + " | ".join(cells) + f" | {middle[-1] / middle[0]:.1f} |", flush=True)


def main() -> None:
    """Fill, ask, print; the result also as JSON where `--out` says."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default="0.1,1,10", help="millions of Observations")
    options.add_argument("--requests", type=int, default=200)
    options.add_argument("--folder", type=Path)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    sizes = [int(float(size) * 1_000_000) for size in given.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="hb-growth-", ignore_cleanup_errors=True) as temporary:
        found = run(given.folder or Path(temporary), sizes, given.requests)
    if given.out:
        given.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
