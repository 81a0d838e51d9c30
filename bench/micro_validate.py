"""Print what full validation costs, beside others' validators: jsonschema-rs (official schema) and fhir.resources.

    python bench/micro_validate.py

They check less than we do: the schema knows structure and the formats of values, fhir.resources structure, required
elements and cardinality. Neither knows bindings, invariants, references, profiles or narrative. Codes are warm.
Missing test data or libraries leave out their rows or columns.
"""

from __future__ import annotations

import gzip
import importlib
import json
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ig.offline import Offline
from resources import fhirpath
from resources.codec.json import dump_json, parse_json
from resources.definitions import cache_file
from resources.outcome import Issue
from resources.validate.explain import errors
from resources.validate.gate import accepts
from resources.validate.narrative import div_problem
from resources.validate.options import Options
from resources.validate.validator import validate
from terminology import ucum

DATA = Path(__file__).resolve().parents[2] / "shared" / "testdata"
US_CORE = DATA / "packages" / "us-core-6.1.0.tgz"
PACKAGE = "hl7.fhir.r4.core.tgz"
SCHEMA = "package/openapi/fhir.schema.json"
VITAL_SIGNS = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-blood-pressure"
ROUNDS = 7
SECONDS_PER_ROUND = 0.1
ENTRIES = 1_000

Json = dict[str, Any]
Check = Callable[[Json], bool]


class Sample(NamedTuple):
    """What is validated, and the budget that it has (milliseconds)."""

    name: str
    resource: Json
    options: Options
    budget: float


def best(function: Callable[[], object]) -> float:
    """Return the time of one call in µs, in the best of the rounds."""
    function()
    times = []
    for _ in range(ROUNDS):
        calls, started = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - started < SECONDS_PER_ROUND:
            function()
            calls += 1
        times.append((time.perf_counter() - started) / calls)
    return min(times) * 1e6


def samples() -> Iterator[Sample]:
    """Yield what is measured, where its data are there."""
    archive = DATA / "r4-examples" / "r4-examples.zip"
    if archive.exists():
        with zipfile.ZipFile(archive) as file:
            for name in ("Observation-f001", "Observation-blood-pressure"):
                yield Sample(f"{name}, base", parse_json(file.read(f"{name}.json")), Options(), 0.5)
    if US_CORE.exists():
        resource = parse_json(_member(US_CORE, "package/example/Observation-blood-pressure.json"))
        yield Sample("US Core blood pressure", resource, Options(profiles=(VITAL_SIGNS,)), 2)
    if (bundle := _bundle()) is not None:
        yield Sample(f"Synthea, {len(bundle['entry'])} entries", bundle, Options(), 1_500)


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive, "r:gz") as file:
        member = next(one for one in file if one.name.removeprefix("./") == name)
        found = file.extractfile(member)
        assert found is not None, name
        return found.read()


def _bundle() -> Json | None:
    """Return a collection of the first thousand entries of a large Synthea bundle."""
    files = sorted((DATA / "synthea").glob("*.json.gz"), key=lambda path: -path.stat().st_size)
    if not files:
        return None
    entries = parse_json(gzip.decompress(files[0].read_bytes()))["entry"][:ENTRIES]
    bare = [{key: value for key, value in entry.items() if key != "request"} for entry in entries]
    return {"resourceType": "Bundle", "type": "collection", "entry": bare}


def others() -> dict[str, Check | None]:
    """Return the validators beside ours by name; None where one is not installed or has no schema."""
    return {"jsonschema-rs": _schema(), "fhir.resources": _models()}


def _schema() -> Check | None:
    package = cache_file().with_name(PACKAGE)
    try:
        library: Any = importlib.import_module("jsonschema_rs")
        schema = json.loads(_member(package, SCHEMA))
    except (ImportError, OSError, KeyError) as error:
        print(f"jsonschema-rs is left out: {error}")
        return None
    validator = library.validator_for(schema)
    return lambda resource: bool(validator.is_valid(resource))


def _models() -> Check | None:
    try:
        library: Any = importlib.import_module("fhir.resources.R4B")
    except ImportError as error:
        print(f"fhir.resources is left out: {error}")
        return None

    def check(resource: Json) -> bool:
        try:
            library.get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValueError:
            return False
        return True

    return check


def _say(sample: Sample, found: list[Issue], figures: dict[str, float]) -> None:
    ours = figures["ours"]
    size = len(dump_json(sample.resource))
    verdict = "within" if ours <= sample.budget * 1000 else "BEYOND"
    print(f"\n{sample.name}: {size:,} bytes, {len(list(errors(found)))} errors, {len(found)} issues")
    for name, cost in figures.items():
        ratio = f"{cost / ours:8.2f} ×" if name != "ours" else f"  {verdict} {sample.budget} ms"
        print(f"  {name:<28}{cost:14,.1f} µs{ratio}")


def main() -> None:
    """Print one block of lines per sample."""
    fhirpath.register(canonical=ucum.canonical, html_problem=div_problem)
    asks = Offline([US_CORE] if US_CORE.exists() else [])
    beside = others()
    for sample in samples():
        plain = json.loads(dump_json(sample.resource))
        figures = {
            "ours": best(lambda sample=sample: validate(sample.resource, asks, sample.options)),  # type: ignore[misc]
            "the gate alone": best(lambda sample=sample: accepts(sample.resource)),  # type: ignore[misc]
        }
        for name, check in beside.items():
            if check is not None:
                says = "valid" if check(plain) else "invalid"
                figures[f"{name} ({says})"] = best(lambda check=check, plain=plain: check(plain))  # type: ignore[misc]
        _say(sample, validate(sample.resource, asks, sample.options), figures)


if __name__ == "__main__":
    main()
