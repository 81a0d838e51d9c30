"""`healthbuddy audit`: whether the trail is whole, and letting go of what is old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg import AsyncConnection
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fhir_server.access.grant import SYSTEM
from fhir_server.audit import retain as retention
from fhir_server.audit.checkpoint import key_of, new_key, public_text
from fhir_server.audit.signer import append, sign
from fhir_server.audit.trail import ChainedTrail
from fhir_server.audit.verify import Found, verify
from fhir_server.commands import database
from fhir_server.commands.terminal import err, fail, say
from fhir_server.crypto.files import SecretFileError, secret_file
from fhir_server.settings import Settings
from fhir_server.storage import binary

DAY_US = 86_400_000_000

audit = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
"""Verify the audit trail, and let go of what is old."""


@audit.callback()
def about() -> None:
    """Verify the audit trail, and let go of what is old."""


@audit.command("verify")
def verified(
    key: Annotated[
        list[str] | None,
        typer.Option(help="Public keys that count beside this machine's (`audit key` of others)"),
    ] = None,
    copy: Annotated[
        Path | None, typer.Option(help="The signer's copy [default: as the settings say]")
    ] = None,
) -> None:
    """Find what was removed, altered or put in another order; exits with 1 where there is anything."""
    settings = Settings()
    trusted = [_public(settings), *(key or [])]
    path = copy or copies(settings)
    with database.running(settings) as (running, _), psycopg.connect(running.database_url) as conn:
        total = conn.execute("SELECT count(*) FROM audit_entry").fetchone()
        with _bar() as bar:
            task = bar.add_task("Verifying", total=total[0] if total else 0)
            found = verify(conn, trusted, _lines(path), lambda done: bar.update(task, completed=done))
    _tell(found, path)


def _tell(found: Found, path: Path) -> None:
    say(
        f"{found.entries:,} entries under {found.checkpoints:,} signed checkpoints; {found.cut:,} let go by retention."
    )
    if found.unsigned:
        say(
            f"{found.unsigned:,} of them are younger than the last checkpoint: that something was removed from the end"
            " cannot be told until they are signed (within 5 seconds, while a server runs)."
        )
    if not path.exists():
        say(f"There is no copy at {path}: checkpoints removed together with their entries could not be told.")
    if found.problems:
        raise fail("\n".join(["The audit trail was tampered with:", *found.problems[:50]]))
    say("Nothing was removed, altered or reordered.")


@audit.command("key")
def key() -> None:
    """Show the public key that this machine's checkpoints are signed with."""
    say(_public(Settings()))


@audit.command("retain")
def retain(
    days: Annotated[int, typer.Option(min=1, help="Let go of entries older than so many days")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go")] = False,
) -> None:
    """Let old entries go; an entry of the trail itself says so, and the rest still verifies."""
    settings = Settings()
    before = time.time_ns() // 1000 - days * DAY_US
    with database.running(settings) as (running, _):
        gone = asyncio.run(_retain(running, before, dry_run=dry_run))
    say(f"{gone:,} entries older than {days} days {'would be' if dry_run else 'were'} let go.")


async def _retain(settings: Settings, before: int, *, dry_run: bool) -> int:
    async with await AsyncConnection.connect(settings.database_url) as conn:
        binary.register(conn.adapters)
        cuts = await retention.due(conn, before)
        if cuts and not dry_run:
            trail = ChainedTrail(settings.database_url)
            await trail.note("retention", SYSTEM, detail=retention.said(cuts))
            await trail.close()
            await retention.cut(conn, cuts)
            await conn.commit()
            made = await sign(conn, key_of(secret_file(signing_key(settings), new_key)))
            await conn.commit()
            if made is not None:
                append(copies(settings), made)
    return sum(cut.entries for cut in cuts)


def signing_key(settings: Settings) -> Path:
    """Return the file of the key that checkpoints are signed with."""
    return settings.data_dir / "keys" / "audit-signing"


def copies(settings: Settings) -> Path:
    """Return the file to which checkpoints are appended."""
    return settings.audit_copy or settings.data_dir / "audit-checkpoints.jsonl"


def _public(settings: Settings) -> str:
    try:
        return public_text(key_of(secret_file(signing_key(settings), new_key)).public_key())
    except (SecretFileError, ValueError) as error:
        raise fail(str(error)) from error


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())


def _bar() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
    )
    return Progress(*columns, TextColumn("{task.completed:,.0f} entries"), TimeElapsedColumn(), console=err)
