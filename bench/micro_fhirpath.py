"""All search parameters of a Patient and an Observation: our extractor, our closures, and fhirpathpy.

Run: python -m bench.micro_fhirpath [folder or zip of example resources]
"""

from __future__ import annotations

import json
import sys
import timeit
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fhirpathpy
from fhirpathpy.models import models

from resources.codec.json import parse_json
from resources.definitions import definitions
from resources.fhirpath import compile as compile_path
from resources.fhirpath import extractor

EXAMPLES = Path(__file__).resolve().parents[2] / "shared" / "testdata" / "r4-examples" / "r4-examples.zip"
NAMES = ("Patient-example.json", "Observation-f001.json", "Observation-blood-pressure.json")
REPEATS, ROUNDS = 5, 300


def main() -> None:
    """Print microseconds per resource, the best of some repeats, and the ratios."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    print(
        f"{'µs per resource':34}{'params':>7}{'extractor':>11}{'closures':>10}{'fhirpathpy':>12}{'ratio':>7}"
    )
    for name in NAMES:
        row(name, _read(place, name))


def row(name: str, data: bytes) -> None:
    """Print the figures of one resource."""
    ours, theirs = parse_json(data), json.loads(data)
    type_name = ours["resourceType"]
    pairs = [(p.code, p.expression) for p in definitions().search_params(type_name).values() if p.expression]
    extract = extractor(pairs, type_name)
    closures = [compile_path(expression, lenient=True) for _, expression in pairs]
    oracle: list[Callable[[Any], Any]] = [
        _quiet(fhirpathpy.compile(expression, models["r4"])) for _, expression in pairs
    ]
    generated = _micros(lambda: extract(ours), ROUNDS * 10)
    general = _micros(lambda: [each.nodes(ours) for each in closures], ROUNDS)
    other = _micros(lambda: [each(theirs) for each in oracle], ROUNDS // 10)
    print(f"{name:34}{len(pairs):7}{generated:11.1f}{general:10.0f}{other:12.0f}{other / generated:6.0f}x")


def _quiet(run: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return `run` without its refusals (it has no resolve(), and takes `as` only of one item)."""

    def quiet(resource: Any) -> Any:
        try:
            return run(resource)
        except Exception:
            return None

    return quiet


def _micros(work: Callable[[], Any], rounds: int) -> float:
    return min(timeit.repeat(work, number=rounds, repeat=REPEATS)) / rounds * 1e6


def _read(place: Path, name: str) -> bytes:
    if place.is_dir():
        return (place / name).read_bytes()
    with zipfile.ZipFile(place) as archive:
        return archive.read(name)


if __name__ == "__main__":
    main()
