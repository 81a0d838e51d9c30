"""`healthbuddy ig`: implementation guides into a server, listed, and out of it again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table

from fhir_server.commands.lent import lent_server
from fhir_server.commands.terminal import err, fail, out, say
from fhir_server.commands.tokens import Target
from fhir_server.packages import compare as checking
from fhir_server.packages import install as installing
from fhir_server.packages.client import Client, HttpCarrier
from fhir_server.packages.install import Summary
from fhir_server.packages.sources import Registry, in_folder
from fhir_server.settings import Settings
from ig import guide
from ig.packages.archive import read_manifest
from ig.packages.manifest import CORE, Manifest, asked, best, manifest, satisfies
from ig.packages.resolve import Find, Plan, plan
from resources.outcome import FhirError

ig = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
"""Install, list and remove implementation guides (FHIR packages)."""

Base = Annotated[str | None, typer.Option(help="FHIR base of a running server [default: the local one]")]
OWN = "health-buddy"
"""The name under which our own guide is installed."""


@ig.callback()
def about() -> None:
    """Install, list and remove implementation guides (FHIR packages)."""


@ig.command("install")
def install(
    packages: Annotated[
        list[str], typer.Argument(help="FILE.tgz, NAME@VERSION, or health-buddy for our own guide")
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Folder with packages that others depend on [setting package_folder]")
    ] = None,
    examples: Annotated[bool, typer.Option(help="Also the examples that a package brings")] = False,
    complete: Annotated[bool, typer.Option(help="Refuse where a dependency cannot be found")] = False,
    base: Base = None,
) -> None:
    """Install packages and what they depend on; to be repeated at any time."""
    settings = Settings()
    refused = 0
    with _told(), lent_server(settings, base) as server, _client(server) as client:
        find = _find(settings, folder)
        there = installing.installed(client)
        for text in packages:
            if text == OWN:
                refused += _own(client)
                continue
            chosen = _planned(text, find, there)
            _tell_missing(chosen, complete)
            for found, path in chosen.packages:
                refused += _install(client, found, path, examples)
    if refused:
        raise fail(f"{refused} resources were refused")


@ig.command("list")
def listed(base: Base = None) -> None:
    """List the installed packages."""
    settings = Settings()
    with _told(), lent_server(settings, base) as server, _client(server) as client:
        table = Table(Column("package", no_wrap=True), "title", Column("canonical", no_wrap=True))
        for label, guides in sorted(installing.installed(client).items()):
            first = guides[0]
            table.add_row(label, first.get("title") or first.get("name", ""), first.get("url", ""))
    out.print(table)


@ig.command("remove")
def remove(
    package: Annotated[str, typer.Argument(help="NAME@VERSION as `ig list` shows it")], base: Base = None
) -> None:
    """Remove a package; what another one brought too, or somebody has changed, is kept and told."""
    settings = Settings()
    with _told(), lent_server(settings, base) as server, _client(server) as client:
        if package not in installing.installed(client):
            raise fail(f"{package} is not installed; `healthbuddy ig list` shows what is")
        with _bar(f"Removing {package}", None) as advance:
            summary = installing.remove(client, package, advance)
    say(f"{summary.removed} resources removed")
    _tell(summary)
    if summary.refused:
        raise fail(f"{len(summary.refused)} resources could not be removed")


@ig.command("check")
def check(
    guide: Annotated[
        str, typer.Argument(help="NAME@VERSION of an installed package, or the url of a CapabilityStatement")
    ],
    base: Base = None,
) -> None:
    """Show what the server lacks for a guide's CapabilityStatements; 1 is returned where it is a SHALL."""
    settings = Settings()
    with _told(), lent_server(settings, base) as server, _client(server) as client:
        found = list(checking.compared(client, guide))
    if not found:
        raise fail(f"Nothing here has a CapabilityStatement for servers under the name {guide}")
    for statement, lacking in found:
        rows = [one for one in lacking if not one.differs]
        table = Table("", "of", "lacks", title=f"{statement}: {len(rows)}")
        for one in rows:
            table.add_row(one.expectation, one.where, one.text)
        out.print(table if rows else f"{statement}: nothing is missing")
    if any(one.expectation == "SHALL" and not one.differs for _, lacking in found for one in lacking):
        raise typer.Exit(1)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Tell an error without a stack trace."""
    try:
        yield
    except FhirError as error:
        raise fail("; ".join(issue.text for issue in error.issues)) from error


@contextlib.contextmanager
def _client(server: Target) -> Iterator[Client]:
    carrier = HttpCarrier(server.base, server.auth)
    try:
        yield Client(carrier)
    finally:
        carrier.close()


def _find(settings: Settings, folder: Path | None) -> Find:
    """Return what finds packages: in the folder first, then in the registry."""
    chosen = folder or settings.package_folder
    if chosen is not None and not chosen.is_dir():
        raise fail(f"{chosen} is no folder")
    sources: list[Find] = [in_folder(chosen)] if chosen is not None else []
    sources.append(_core(settings))
    if settings.package_registry:
        sources.append(Registry(settings.package_registry, settings.cache_dir / "packages").find)

    def find(name: str, wanted: str) -> tuple[Manifest, Path] | None:
        return next((found for one in sources if (found := one(name, wanted)) is not None), None)

    return find


def _core(settings: Settings) -> Find:
    """Return what finds the package of R4 itself, which set-up has fetched."""
    path = settings.cache_dir / f"{CORE}.tgz"

    def find(name: str, wanted: str) -> tuple[Manifest, Path] | None:
        if name != CORE or not path.is_file():
            return None
        found = read_manifest(path)
        return (found, path) if satisfies(found.version, wanted) else None

    return find


def _planned(text: str, find: Find, there: dict[str, list[dict[str, object]]]) -> Plan:
    """Return what to install for a file or NAME@VERSION."""
    path = Path(text)
    if path.suffix == ".tgz" or path.is_file():
        if not path.is_file():
            raise fail(f"There is no file {text}")
        root = read_manifest(path)
    else:
        name, wanted = asked(text)
        found = find(name, wanted)
        if found is None:
            raise fail(
                f"There is no package {name}@{wanted}: give a .tgz file, a --folder that has it, or set"
                " HEALTHBUDDY_PACKAGE_REGISTRY"
            )
        root, path = found
    if not root.for_r4:
        raise fail(f"{root.label} is for FHIR {', '.join(root.fhir)}; this server speaks R4 (4.0.1)")

    def installed(name: str, wanted: str) -> bool:
        versions = [label.partition("@")[2] for label in there if label.partition("@")[0] == name]
        return best(versions, wanted) is not None

    return plan(root, path, find, installed)


def _tell_missing(chosen: Plan, complete: bool) -> None:
    if not chosen.missing:
        return
    table = Table("missing", "wanted by", title="Dependencies that cannot be found", title_style="yellow")
    for label, wanted_by in chosen.missing.items():
        table.add_row(label, wanted_by)
    err.print(table)
    if complete:
        raise fail("Nothing was installed, since dependencies are missing")
    say("Installed without them: what refers to them cannot be checked, and validation says so each time.")


def _install(client: Client, found: Manifest, path: Path, examples: bool) -> int:
    """Return how many resources of a package were refused."""
    total = sum(1 for _ in installing.content(found, path, examples))
    with _bar(f"Installing {found.label}", total) as advance:
        summary = installing.install(client, found, installing.content(found, path, examples), advance)
    return _installed(found, summary)


def _own(client: Client) -> int:
    found, content = manifest(guide.manifest()), guide.resources()
    with _bar(f"Installing {found.label}", len(content)) as advance:
        summary = installing.install(client, found, content, advance)
    return _installed(found, summary)


def _installed(found: Manifest, summary: Summary) -> int:
    say(f"{found.label}: {summary.written} resources written, {summary.same} were there already")
    _tell(summary)
    return len(summary.refused)


def _tell(summary: Summary) -> None:
    for title, rows in (("Kept as they are", summary.kept), ("Refused", summary.refused)):
        if rows:
            table = Table("resource", "why", title=f"{title}: {len(rows)}", title_style="yellow")
            for resource, why in rows[:20]:
                table.add_row(resource, why)
            err.print(table)


@contextlib.contextmanager
def _bar(what: str, total: int | None) -> Iterator[installing.Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err, refresh_per_second=4) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, advance=count)
