"""`healthbuddy validate FILE…`: what is wrong in files, without a server, a database or the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fhir_server.commands.terminal import err, fail, out, say
from fhir_server.commands.validate_report import REPORTS, Checked, Report
from fhir_server.commands.validate_texts import Text, read_json_files, texts
from fhir_server.loader.files import discover
from fhir_server.settings import Settings
from fhir_server.setup.definitions import SetupError, ensure_definitions
from ig.offline import Offline
from resources import fhirpath
from resources.codec.json import parse_json
from resources.codec.positions import located
from resources.codec.xml import parse_xml
from resources.outcome import FhirError, Issue
from resources.validate.narrative import div_problem
from resources.validate.options import Options
from resources.validate.validator import validate as validated
from terminology import ucum

MANY = 20
"""Files from which on a progress bar is shown."""

LEVELS = ("error", "warning", "information")


class Format(StrEnum):
    """How results are written."""

    text = "text"
    json = "json"
    outcome = "outcome"


class Level(StrEnum):
    """The least severity that is told."""

    error = "error"
    warning = "warning"
    information = "information"


def validate(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: .json .ndjson .xml, also .gz")],
    profile: Annotated[list[str] | None, typer.Option(help="Canonical of a profile; may be repeated")] = None,
    package: Annotated[
        list[Path] | None, typer.Option(help="A package (.tgz) with profiles and codes")
    ] = None,
    resources: Annotated[
        list[Path] | None, typer.Option("--with", help="Files or folders of further profiles, value sets …")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How results are written")] = Format.text,
    level: Annotated[Level, typer.Option(help="The least severity that is told")] = Level.warning,
    best_practice: Annotated[bool, typer.Option(help="Tell best-practice recommendations, too")] = False,
    must_support: Annotated[bool, typer.Option(help="Tell which must-support elements are missing")] = False,
) -> None:
    """Validate resources and Bundles; 1 is returned where there is an error."""
    _prepare()
    options = Options(
        profiles=tuple(profile or ()),
        best_practice=best_practice,
        must_support=must_support,
    )
    try:
        files = [path for stage in discover(paths) for path in stage]
        asks = Offline(package or (), read_json_files(resources or []))
    except FhirError as error:
        raise fail("; ".join(issue.text for issue in error.issues), 2) from error
    except OSError as error:
        raise fail(str(error), 2) from error
    if not files:
        raise fail(
            "There is no .json, .ndjson or .xml file (nor .gz of one) in " + ", ".join(map(str, paths)), 2
        )
    report = REPORTS[form.value](LEVELS[: LEVELS.index(level.value) + 1])
    found = _run(files, asks, options, report)
    say(_summary(found))
    raise typer.Exit(1 if found["error"] + found["fatal"] else 0)


def _prepare() -> None:
    try:
        ensure_definitions(Settings().cache_dir, say=say)
    except SetupError as error:
        raise fail(str(error), 2) from error
    fhirpath.register(canonical=ucum.canonical, html_problem=div_problem)


def _run(files: list[Path], asks: Offline, options: Options, report: Report) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in _shown(files):
        issues = checked(text, asks, options)
        found["resources"] += 1
        found.update(issue.severity for issue in issues)
        for line in report.lines(Checked(text.source, issues)):
            out.print(line, soft_wrap=True)
    return found


def _shown(files: list[Path]) -> Iterator[Text]:
    """Yield the texts of `files`, a progress bar beside them where there are many."""
    if len(files) < MANY or not err.is_terminal:
        yield from (text for path in files for text in texts(path))
        return
    columns = (
        TextColumn("Validating"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=len(files))
        for path in files:
            yield from texts(path)
            bar.advance(task)


def checked(text: Text, asks: Offline, options: Options) -> list[Issue]:
    """Return everything that is to be said of one text, with line and column."""
    try:
        resource = parse_xml(text.data) if text.xml else parse_json(text.data)
    except FhirError as error:
        issues = list(error.issues)
    else:
        issues = located(validated(resource, asks, options), text.data)
    return [text.moved(issue) for issue in issues]


def _summary(found: Counter[str]) -> str:
    wrong = found["error"] + found["fatal"]
    return (
        f"{found['resources']:,} validated: {wrong:,} errors, {found['warning']:,} warnings,"
        f" {found['information']:,} hints"
    )
