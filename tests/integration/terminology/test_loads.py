"""Code systems from files answer like any other; a load that was interrupted goes on; removed, they are unknown.

Source: http://hl7.org/fhir/R4/codesystem.html (content not-present), terminologies-systems.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from fhir_server import cli
from fhir_server.concepts import jobs
from fhir_server.concepts.jobs import BusyError
from fhir_server.concepts.model import Conn
from terminology.loaders.kinds import KINDS
from terminology.loaders.release import Asked, Release
from terminology.loaders.source import Source
from terminology.records import ConceptRecord
from tests.unit.terminology.loaders import invented

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


class StoppedError(Exception):
    """The load was killed."""


@pytest.fixture
async def conn(fresh_database_url: str) -> AsyncIterator[Conn]:
    async with jobs.connected(fresh_database_url) as one:
        yield one


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Return RxNorm, three concepts."""
    return KINDS["rxnorm"](Source(invented.write(tmp_path, invented.RXNORM)), Asked("1"))


def breaking(release: Release, after: int) -> Release:
    """Return a release that breaks off after some concepts."""

    def records() -> Iterator[ConceptRecord]:
        for place, one in enumerate(release.records()):
            if place == after:
                raise StoppedError
            yield one

    return replace(release, records=records)


async def codes(conn: Conn) -> list[tuple[str, int]]:
    cursor = await conn.execute(
        "SELECT c.code, c.n FROM concept c JOIN code_system s ON s.id = c.system WHERE s.url = %s ORDER BY c.n",
        (RXNORM,),
    )
    return await cursor.fetchall()


async def test_an_interrupted_load_goes_on_where_it_was(
    conn: Conn, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "STEP", 1)
    with pytest.raises(StoppedError):
        await jobs.run(conn, "rxnorm", "x", "0" * 32, breaking(release, 2))
    assert await jobs.systems(conn) == []
    assert await codes(conn) == [("10", 0), ("20", 1)]
    loaded = await jobs.run(conn, "rxnorm", "x", "0" * 32, release)
    assert (loaded.concepts, loaded.resumed) == (3, 2)
    assert await codes(conn) == [("10", 0), ("20", 1), ("30", 2)]
    assert [(url, count) for url, _, count, _, _ in await jobs.systems(conn)] == [(RXNORM, 3)]
    assert [(job.state, job.rows) for job in await jobs.jobs(conn)] == [("done", 3)]


async def test_other_files_begin_anew_and_leave_nothing_of_what_was_interrupted(
    conn: Conn, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "STEP", 1)
    with pytest.raises(StoppedError):
        await jobs.run(conn, "rxnorm", "x", "0" * 32, breaking(release, 2))
    loaded = await jobs.run(conn, "rxnorm", "y", "1" * 32, release)
    assert (loaded.concepts, loaded.resumed) == (3, 0)
    assert await codes(conn) == [("10", 0), ("20", 1), ("30", 2)]


async def test_the_same_files_are_written_once_unless_that_is_wanted(conn: Conn, release: Release) -> None:
    first = await jobs.run(conn, "rxnorm", "x", "0" * 32, release)
    again = await jobs.run(conn, "rxnorm", "x", "0" * 32, release)
    assert (again.system, again.resumed) == (first.system, 3)
    anew = await jobs.run(conn, "rxnorm", "x", "0" * 32, release, anew=True)
    assert anew.system != first.system
    assert [count for _, _, count, _, _ in await jobs.systems(conn)] == [3]


async def test_a_load_is_done_by_one_process_at_a_time(
    conn: Conn, release: Release, fresh_database_url: str
) -> None:
    async with jobs.connected(fresh_database_url) as other:
        await other.execute("SELECT pg_advisory_lock(%s, %s)", (jobs.LOCK, 0))
        with pytest.raises(BusyError):
            await jobs.run(conn, "rxnorm", "x", "0" * 32, release)
        await other.execute("SELECT pg_advisory_unlock(%s, %s)", (jobs.LOCK, 0))
    assert (await jobs.run(conn, "rxnorm", "x", "0" * 32, release)).concepts == 3


async def test_a_removed_code_system_is_gone_with_all_its_rows(conn: Conn, release: Release) -> None:
    await jobs.run(conn, "rxnorm", "x", "0" * 32, release)
    assert await jobs.remove(conn, RXNORM, "2") == []
    assert await jobs.remove(conn, RXNORM) == ["1"]
    for table in ("concept", "concept_property", "designation", "code_system", "load_job"):
        cursor = await conn.execute(f"SELECT count(*) FROM {table}")
        assert await cursor.fetchone() == (0,)


class Command:
    """`healthbuddy terminology` beside a running server."""

    def __init__(self, base: str, folder: Path) -> None:
        self.base = base
        self.folder = folder

    def __call__(self, *words: str) -> str:
        """Return what it says."""
        done = CliRunner().invoke(cli.app, ["terminology", *words])
        assert done.exit_code == 0, done.output
        return done.output

    def load(self, kind: str, files: dict[str, str], *options: str, encoding: str = "utf-8") -> str:
        """Return what loading files says."""
        path = invented.write(self.folder / kind, files, encoding)
        return self("load", kind, str(path), *options, "--base", self.base)

    def ask(self, operation: str, **params: str) -> tuple[int, dict[str, object]]:
        """Return status and parameters of an operation's answer."""
        answer = httpx.get(f"{self.base}/{operation}", params=params, timeout=20)
        json = answer.json()
        told = {
            p["name"]: next((v for k, v in p.items() if k != "name"), None) for p in json.get("parameter", ())
        }
        return answer.status_code, told or json


@pytest.fixture
def command(live_server: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    return Command(live_server, tmp_path)


def test_what_was_loaded_answers_and_is_listed(command: Command) -> None:
    said = command.load("rxnorm", invented.RXNORM, "--version", "01012099")
    assert f"3 concepts of {RXNORM}|01012099 are loaded." in said
    assert "rrf/RXNCONSO.RRF:7: 2 fields, not 18" in said
    assert (
        command.ask("CodeSystem/$lookup", system=RXNORM, code="20")[1]["display"]
        == "wonderol 5 MG Oral Tablet"
    )
    assert command.ask("CodeSystem/$validate-code", url=RXNORM, code="40")[1]["result"] is False
    assert RXNORM in command("list")
    assert "done" in command("status")
    found = httpx.get(f"{command.base}/CodeSystem", params={"url": RXNORM}, timeout=20).json()
    stub = found["entry"][0]["resource"]
    assert (stub["content"], stub["count"], stub["version"]) == ("not-present", 3, "01012099")


def test_a_server_on_another_database_is_refused_before_anything_is_written(
    command: Command, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = invented.write(tmp_path / "other", invented.CVX, "utf-8")
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", fresh_database_url)
    done = CliRunner().invoke(cli.app, ["terminology", "load", "cvx", str(path), "--base", command.base])
    assert done.exit_code == 1
    assert "does not use the database of these settings" in done.output
    assert "hl7.org/fhir/sid/cvx" not in command("list")


def test_a_removed_code_system_is_unknown_again(command: Command) -> None:
    command.load("cvx", invented.CVX)
    url = "http://hl7.org/fhir/sid/cvx"
    assert command.ask("CodeSystem/$lookup", system=url, code="901")[0] == 200
    assert "20990528" in command("remove", url, "--base", command.base)
    assert command.ask("CodeSystem/$lookup", system=url, code="901")[0] == 404
    found = httpx.get(f"{command.base}/CodeSystem", params={"url": url}, timeout=20).json()
    assert found["total"] == 0


def test_snomed_hierarchy_maps_and_expressions_answer(command: Command) -> None:
    assert "1 value sets and concept maps stored" in command.load("snomed", invented.SNOMED)
    sct = "http://snomed.info/sct"
    _, told = command.ask("CodeSystem/$subsumes", system=sct, codeA="138875005", codeB="200100005")
    assert told["outcome"] == "subsumes"
    url = f"{sct}?fhir_cm=447562003"
    _, told = command.ask("ConceptMap/$translate", url=url, system=sct, code="200100005")
    assert told["result"] is True
    for value_set, codes in (
        ("isa/100100005", {"100100005", "200100005"}),
        ("refset/777100005", {"200100005"}),
        ("ecl/<100100005", {"200100005"}),
    ):
        _, expanded = command.ask("ValueSet/$expand", url=f"{sct}?fhir_vs={value_set}")
        assert "expansion" in expanded, (value_set, expanded)
        assert {one["code"] for one in expanded["expansion"]["contains"]} == codes  # type: ignore[index]


def test_loinc_answer_lists_and_hierarchy_answer(command: Command) -> None:
    command.load("loinc", invented.LOINC, "--version", "9.99")
    _, expanded = command.ask("ValueSet/$expand", url="http://loinc.org/vs/LL9-1")
    assert [c["code"] for c in expanded["expansion"]["contains"]] == ["LA1-3", "LA2-1"]  # type: ignore[index]
    _, expanded = command.ask("ValueSet/$expand", url="http://loinc.org/vs/LP98-3")
    assert "99001-1" in {c["code"] for c in expanded["expansion"]["contains"]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "files", "url", "wanted", "codes"),
    [
        ("loinc", invented.LOINC, "http://loinc.org", ("ancestor", "LP98-3"), {"99001-1", "LP99-1"}),
        ("loinc", invented.LOINC, "http://loinc.org", ("parent", "LP99-1"), {"99001-1"}),
        ("loinc", invented.LOINC, "http://loinc.org", ("COMPONENT", "LP99-1"), {"99001-1"}),
        ("loinc", invented.LOINC, "http://loinc.org", ("COMPONENT", "Bygonin"), {"99002-9"}),
        ("loinc", invented.LOINC, "http://loinc.org", ("copyright", "3rdParty"), {"99002-9"}),
        ("rxnorm", invented.RXNORM, RXNORM, ("STY", "T200"), {"20"}),
        ("rxnorm", invented.RXNORM, RXNORM, ("SAB", "OTHER"), {"10"}),
        ("rxnorm", invented.RXNORM, RXNORM, ("TTY", "SCD"), {"20"}),
        ("rxnorm", invented.RXNORM, RXNORM, ("RO", "CUI:10"), {"20"}),
        ("rxnorm", invented.RXNORM, RXNORM, ("has_ingredient", "CUI:10"), {"20"}),
    ],
)
def test_filters_that_r4_defines_for_a_code_system(
    command: Command, kind: str, files: dict[str, str], url: str, wanted: tuple[str, str], codes: set[str]
) -> None:
    command.load(kind, files, "--version", "9.99")
    rule = {"system": url, "filter": [{"property": wanted[0], "op": "=", "value": wanted[1]}]}
    valueset = {"resourceType": "ValueSet", "status": "active", "compose": {"include": [rule]}}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "valueSet", "resource": valueset}]}
    answer = httpx.post(f"{command.base}/ValueSet/$expand", json=parameters, timeout=20)
    assert answer.status_code == 200, answer.text
    assert {one["code"] for one in answer.json()["expansion"]["contains"]} == codes


def test_a_kind_that_is_not_there_and_files_that_do_not_fit_are_told(command: Command) -> None:
    runner = CliRunner()
    refused = runner.invoke(cli.app, ["terminology", "load", "umls", str(command.folder)])
    assert (refused.exit_code, "There is no kind 'umls'" in refused.output) == (1, True)
    refused = runner.invoke(cli.app, ["terminology", "load", "loinc", str(command.folder)])
    assert (refused.exit_code, "There is no file Loinc.csv" in refused.output) == (1, True)
