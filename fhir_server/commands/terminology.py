"""`healthbuddy terminology`: code systems from their publishers' files, listed, and out of it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import psycopg
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
from rich.table import Column, Table
from rich.text import Text

from fhir_server.commands import database
from fhir_server.commands.lent import answered_by, lent_server
from fhir_server.commands.stored import Keeper
from fhir_server.commands.terminal import err, fail, out, say
from fhir_server.commands.tokens import Target
from fhir_server.concepts import jobs
from fhir_server.concepts.jobs import BusyError, Loaded
from fhir_server.concepts.model import Conn
from fhir_server.concepts.stubs import stub
from fhir_server.settings import Settings
from fhir_server.storage.store import identity
from terminology.loaders.kinds import KINDS
from terminology.loaders.release import Asked, LoadError, Problems, Release
from terminology.loaders.source import Source

T = TypeVar("T")

terminology = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
"""Load, list and remove code systems."""

Base = Annotated[str | None, typer.Option(help="FHIR base of a running server [default: the local one]")]


@terminology.callback()
def about() -> None:
    """Load, list and remove code systems."""


@terminology.command("load")
def load(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    path: Annotated[Path, typer.Argument(help="The publisher's zip, its folder once unpacked, or a file")],
    version: Annotated[str, typer.Option(help="The version, where the files do not tell it")] = "",
    url: Annotated[str, typer.Option(help="The code system's url (csv)")] = "",
    name: Annotated[str, typer.Option(help="The code system's name (csv)")] = "",
    strict: Annotated[bool, typer.Option(help="Stop at the first broken line")] = False,
    anew: Annotated[bool, typer.Option(help="Write also what is there already")] = False,
    base: Base = None,
) -> None:
    """Load a code system; once more after an interruption goes on where that was."""
    if kind not in KINDS:
        raise fail(f"There is no kind '{kind}'; there are {', '.join(KINDS)}")
    problems = Problems(strict)
    settings = Settings()
    with _told(), database.running(settings) as (running, _), _server(running, base) as server, _bar() as bar:
        source = Source(path, problems, _advance(bar, "Reading", _bytes))
        release = KINDS[kind](source, Asked(version, url, name))
        loaded = _run(running, _work(kind, source, release, anew, _advance(bar, "Writing", _concepts)))
        bar.stop()
        _store(server, release, loaded)
    _tell(release, loaded, problems)


def _work(
    kind: str, source: Source, release: Release, anew: bool, told: Callable[[int, int], None]
) -> Callable[[Conn], Coroutine[Any, Any, Loaded]]:
    id_ = jobs.name(kind, source.fingerprint, release.header)

    async def work(conn: Conn) -> Loaded:
        return await jobs.run(
            *(conn, kind, str(source.path), id_, release),
            progress=lambda done: told(done, max(done, release.count)),
            anew=anew,
        )

    return work


@contextlib.contextmanager
def _server(settings: Settings, base: str | None) -> Iterator[Target]:
    """Lend a server on the database of `settings`: where concepts go."""
    database.migrate(settings)
    with lent_server(settings, base) as server:
        if answered_by(server.base) != _run(settings, identity):
            raise fail(
                f"The server at {server.base} does not use the database of these settings, into which the concepts"
                " would go: run this with that server's settings (HEALTHBUDDY_DATABASE_URL or HEALTHBUDDY_DATA_DIR)"
            )
        yield server


def _store(server: Target, release: Release, loaded: Loaded) -> None:
    """Store the CodeSystem, and the value sets and concept maps that came with it."""
    with Keeper(server.base, server.auth) as keeper:
        keeper.keep(stub(release.header, loaded.concepts))
        for resource in release.resources():
            keeper.keep(resource)
        keeper.end()
        if keeper.kept > 1:
            say(f"{keeper.kept - 1:,} value sets and concept maps stored")
        for text in keeper.refused:
            say(f"Refused: {text}")
        if keeper.refused:
            raise fail(f"{len(keeper.refused)} resources were refused; the concepts are loaded")


def _tell(release: Release, loaded: Loaded, problems: Problems) -> None:
    before = f" ({loaded.resumed:,} of them were there already)" if loaded.resumed else ""
    say(f"{loaded.concepts:,} concepts of {release.header.url}|{release.header.version} are loaded{before}.")
    for problem in problems.first:
        say(f"  {problem}")
    if problems.count:
        say(f"{problems.count:,} lines could not be read; the first are above.")


@terminology.command("list")
def listed() -> None:
    """List the code systems whose concepts are in the tables."""
    with _told(), database.running(Settings()) as (settings, _):
        database.migrate(settings)
        found = _run(settings, jobs.systems)
    table = Table(
        Column("code system", overflow="fold"), "version", Column("concepts", justify="right"), "from", ""
    )
    for url, version, count, origin, problem in found:
        table.add_row(url, Text(version), f"{count:,}", origin, Text(problem))
    out.print(table)


@terminology.command("status")
def status() -> None:
    """Show the loads, also those that were interrupted."""
    with _told(), database.running(Settings()) as (settings, _):
        database.migrate(settings)
        found = _run(settings, jobs.jobs)
    table = Table(
        "kind", Column("file", overflow="fold"), "version", "state", Column("concepts", justify="right"), "at"
    )
    for job in found:
        table.add_row(job.kind, job.source, Text(job.version), job.state, f"{job.rows:,}", job.updated)
    out.print(table)


@terminology.command("remove")
def remove(
    url: Annotated[str, typer.Argument(help="The code system's url, as `terminology list` shows it")],
    version: Annotated[str, typer.Option(help="One version [default: all]")] = "",
    base: Base = None,
) -> None:
    """Remove a code system that was loaded from files; its value sets and concept maps stay."""
    with _told(), database.running(Settings()) as (running, _), _server(running, base) as server:
        gone = _run(running, lambda conn: jobs.remove(conn, url, version))
        if not gone:
            raise fail(f"No code system {url}{'|' + version if version else ''} was loaded from files")
        with Keeper(server.base, server.auth) as keeper:
            for one in gone:
                keeper.drop("CodeSystem", url, one)
    say(f"Removed {url}: {', '.join(gone)}")


def _run(settings: Settings, work: Callable[[Conn], Coroutine[Any, Any, T]]) -> T:
    """Return what `work` returns, done on a connection of its own."""

    async def run() -> T:
        async with jobs.connected(settings.database_url) as conn:
            return await work(conn)

    return asyncio.run(run())


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Tell people what went wrong."""
    try:
        yield
    except (LoadError, BusyError) as error:
        raise fail(str(error)) from error
    except (psycopg.Error, httpx.HTTPError) as error:
        raise fail(f"Interrupted: {error}. The same command goes on from here.") from error
    except KeyboardInterrupt:
        raise fail("Interrupted. The same command goes on from here.", 130) from None


class _Rate(ProgressColumn):
    """How much is done, and how much in a second."""

    def render(self, task: Task) -> Text:
        """Return '12,345 concepts, 2,500/s'."""
        told: Callable[[float], str] = task.fields["told"]
        rate = task.completed / task.elapsed if task.elapsed else 0
        return Text(f"{told(task.completed)}, {told(rate)}/s")


def _bytes(number: float) -> str:
    return f"{number / 1_000_000:,.1f} MB"


def _concepts(number: float) -> str:
    return f"{number:,.0f} concepts"


def _bar() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
    )
    return Progress(*columns, _Rate(), TimeElapsedColumn(), console=err, refresh_per_second=4)


def _advance(bar: Progress, what: str, told: Callable[[float], str]) -> Callable[[int, int], None]:
    """Return what moves a bar, which is there from its first move on."""
    task: list[Any] = []

    def advance(done: int, total: int) -> None:
        if not task:
            task.append(bar.add_task(what, total=total, told=told))
        bar.update(task[0], completed=done, total=total)

    return advance
