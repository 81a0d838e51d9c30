"""`healthbuddy reindex`: have a running server index its resources anew, and watch."""

from __future__ import annotations

import time
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fhir_server.commands.terminal import err, fail, say
from fhir_server.commands.tokens import target
from fhir_server.settings import Settings

POLL_S = 0.5
TIMEOUT_S = 60


def reindex(
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A resource type; may be repeated [default: all]")
    ] = None,
    rewrite: Annotated[bool, typer.Option(help="Also write index rows that look right")] = False,
    base: Annotated[
        str | None, typer.Option(help="FHIR base of a running server [default: the local one]")
    ] = None,
) -> None:
    """Index stored resources anew; Ctrl-C stops watching, not the job."""
    settings = Settings()
    asked = {"type": types or [], "rewrite": ["true"] if rewrite else []}
    try:
        server = target(settings, base or settings.own_base)
        headers = {"Accept": "application/fhir+json"}
        with httpx.Client(timeout=TIMEOUT_S, headers=headers, auth=server.auth) as client:
            answer = _checked(client.post(f"{server.base}/$reindex", params=asked))
            job = answer.headers["content-location"]
            say(f"The job is {job}")
            done = _watch(client, job)
    except httpx.HTTPError as error:
        raise fail(f"The server does not answer: {error}") from error
    except KeyboardInterrupt:
        say("The job goes on without being watched.")
        return
    say(
        f"{int(done['done']):,} resources looked at, {int(done['changed']):,} of them had other index rows before"
    )
    if "problem" in done:
        raise fail(str(done["problem"]))


def _watch(client: httpx.Client, job: str) -> dict[str, Any]:
    """Return the figures of a job at its end."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, refresh_per_second=4) as bar:
        task = bar.add_task("Indexing", total=0)
        while True:
            answer = _checked(client.get(job))
            figures = _figures(answer.json())
            bar.update(task, total=float(figures["total"]), completed=float(figures["done"]))
            if answer.status_code == httpx.codes.OK:
                return figures
            time.sleep(POLL_S)


def _figures(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return {name: value} of a Parameters resource."""
    return {
        one["name"]: value
        for one in parameters.get("parameter", ())
        for key, value in one.items()
        if key.startswith("value")
    }


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        reason = "; ".join(issue["diagnostics"] for issue in answer.json()["issue"])
    except (ValueError, KeyError, TypeError):
        reason = answer.text[:200]
    raise fail(f"The server refuses ({answer.status_code}): {reason}")
