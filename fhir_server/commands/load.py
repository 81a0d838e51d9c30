"""`healthbuddy load` and `healthbuddy demo`: data into a running server, or into one started for the purpose."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from fhir_server.commands.lent import lent_server
from fhir_server.commands.terminal import err, fail, say
from fhir_server.commands.tokens import Target
from fhir_server.demo import generate
from fhir_server.demo.caregiver import agreement, caregiver
from fhir_server.loader.files import discover
from fhir_server.loader.pieces import Piece, Refusal, pieces
from fhir_server.loader.run import Loader, Summary
from fhir_server.loader.send import Sender
from fhir_server.loader.state import State, state_path
from fhir_server.settings import Settings
from resources.codec.json import dump_json

Base = Annotated[str | None, typer.Option(help="FHIR base of a running server [default: the local one]")]
Parallel = Annotated[int, typer.Option("--parallel", "-j", min=1, max=64, help="Requests at a time")]


def load(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: .json .ndjson .xml, also .gz")],
    base: Base = None,
    parallel: Parallel = 4,
    anew: Annotated[bool, typer.Option(help="Forget what an interrupted load has done")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write each refusal as a line of JSON to this file")
    ] = None,
) -> None:
    """Load Bundles, resources and NDJSON into the server."""
    settings = Settings()
    try:
        stages = discover(paths)
    except FileNotFoundError as error:
        raise fail(str(error)) from error
    if not stages:
        raise fail(
            "There is no .json, .ndjson or .xml file (nor .gz of one) in " + ", ".join(map(str, paths))
        )
    total = sum(path.stat().st_size for stage in stages for path in stage)
    with lent_server(settings, base) as server:
        name = _state(settings, base, (str(path.resolve()) for path in paths))
        chosen = report or name.with_suffix(".refused.ndjson")
        _load(server, [pieces(stage) for stage in stages], total, State(name, anew=anew), parallel, chosen)


def demo(
    patients: Annotated[int, typer.Option(min=0, help="How many people")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people")] = 7,
    out: Annotated[
        Path | None, typer.Option(help="Write the Bundles into this folder instead of loading")
    ] = None,
    base: Base = None,
    parallel: Parallel = 4,
) -> None:
    """Load demo data: fictional people with plausible lives."""
    bundles = generate(patients, seed)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for number, bundle in enumerate(bundles):
            (out / f"{number:05d}.json").write_bytes(dump_json(bundle))
        say(f"{patients} patients written to {out}")
        return
    settings = Settings()
    with lent_server(settings, base) as server:
        name = _state(settings, base, ("demo", str(patients), str(seed)))
        stream = (
            Piece(dump_json(bundle), (f"demo bundle {number}",), len(bundle["entry"]), 1)
            for number, bundle in enumerate(bundles)
        )
        world = [piece for _, piece in zip(range(1), stream, strict=False)]
        related = caregiver(patients, seed)
        last = [Piece(dump_json(agreement(related)), ("caregiver's Consent",), 1, 1)] if related else []
        _load(
            server,
            [world, stream, last],
            patients + 1 + len(last),
            State(name, anew=True),
            parallel,
            name.with_suffix(".refused.ndjson"),
        )


def _state(settings: Settings, base: str | None, what: Iterable[str]) -> Path:
    """Return the state file of loading `what`: beside the embedded database, so that it goes when that goes."""
    local = base is None and settings.embedded
    folder = settings.postgres_dir if local else settings.data_dir
    return state_path(folder / "load", base or settings.database_url, what)


def _load(
    server: Target,
    stages: Iterable[Iterable[Piece | Refusal]],
    total: int,
    state: State,
    parallel: int,
    report: Path,
) -> None:
    if len(state):
        say(
            f"Going on with an interrupted load: {len(state)} pieces are done already (--anew loads them again)."
        )
    sender = Sender(server.base, connections=parallel, auth=server.auth)
    report.unlink(missing_ok=True)
    finished = False
    try:
        with _bar(total) as bar, contextlib.ExitStack() as stack:
            task = bar.add_task("Loading", total=total, resources=0)

            def progress(weight: int, resources: int) -> None:
                bar.update(task, advance=weight, resources=bar.tasks[task].fields["resources"] + resources)

            def refuse(refusal: Refusal) -> None:
                stack.enter_context(report.open("ab")).write(dump_json(dict(refusal._asdict())) + b"\n")

            summary = Loader(sender, state, parallel=parallel, progress=progress, report=refuse).run(stages)
            bar.update(task, completed=total)
        finished = not summary.refused
    finally:
        state.close(finished=finished)
        sender.close()
    _tell(summary, report)


def _tell(summary: Summary, report: Path) -> None:
    done = f"{summary.loaded:,} resources loaded"
    say(done + (f", {summary.skipped:,} were there already" if summary.skipped else ""))
    if not summary.refused:
        return
    table = Table("from", "status", "why", title=f"{summary.refused:,} refused", title_style="bold red")
    for refusal in summary.first:
        table.add_row(Text(refusal.source), str(refusal.status or "–"), Text(refusal.reason))
    err.print(table)
    raise fail(f"All {summary.refused:,} refusals: {report}")


class _Rate(ProgressColumn):
    """Resources loaded, and how many per second."""

    def render(self, task: Task) -> Text:
        """Return '12,345 resources, 2,500/s'."""
        resources = task.fields["resources"]
        rate = resources / task.elapsed if task.elapsed else 0
        return Text(f"{resources:,} resources, {rate:,.0f}/s")


def _bar(_total: int) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
    )
    return Progress(*columns, _Rate(), TimeElapsedColumn(), console=err, refresh_per_second=4)
