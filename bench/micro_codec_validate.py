"""Print what parsing, writing and validating one resource costs, in microseconds (best of several rounds).

    python bench/micro_codec_validate.py [FILE.json …]

Without files: a Patient and an Observation of about 2 kB from the official examples, where they are beside the
repository.
"""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from resources.codec.json import dump_json, parse_json
from resources.codec.subset import summarize
from resources.codec.xml import dump_xml, parse_xml
from resources.validate import accepts, explain

EXAMPLES = Path(__file__).resolve().parents[2] / "shared/testdata/r4-examples/r4-examples.zip"
CHOSEN = ("Patient-example.json", "Observation-f001.json", "Observation-blood-pressure.json")
ROUNDS = 7
SECONDS_PER_ROUND = 0.05


def best(function: Callable[[], object]) -> float:
    """Return the time of one call in µs, in the best of the rounds."""
    function()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS_PER_ROUND:
        function()
        calls += 1
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - started) / calls)
    return min(times) * 1e6


def samples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, resource), each example also without its narrative."""
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            yield Path(path).name, parse_json(Path(path).read_bytes())
        return
    if not EXAMPLES.exists():
        sys.exit(f"{EXAMPLES} is absent: name the files to measure")
    with zipfile.ZipFile(EXAMPLES) as archive:
        for name in CHOSEN:
            resource = parse_json(archive.read(name))
            yield name, resource
            yield f"{name} without text", {key: value for key, value in resource.items() if key != "text"}


def main() -> None:
    """Print one block of lines per sample."""
    for name, resource in samples():
        data, xml = dump_json(resource), dump_xml(resource)
        print(f"\n{name}: {len(data)} bytes of JSON, {len(xml)} of XML")
        measured = [
            ("parse_json", best(partial(parse_json, data))),
            ("dump_json", best(partial(dump_json, resource))),
            ("accepts", best(partial(accepts, resource))),
            ("explain", best(partial(explain, resource))),
            ("summarize", best(partial(summarize, resource, mode="true"))),
            ("dump_xml", best(partial(dump_xml, resource))),
            ("parse_xml", best(partial(parse_xml, xml))),
        ]
        for label, cost in measured:
            print(f"  {label:<14}{cost:8.1f} µs")


if __name__ == "__main__":
    main()
