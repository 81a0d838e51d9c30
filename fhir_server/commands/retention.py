"""`healthbuddy retention run`: end what has been kept as long as its rule says."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from fhir_server.commands import backup_steps as steps
from fhir_server.commands.key import opened, progress
from fhir_server.commands.terminal import fail, out, say
from fhir_server.operations.erase import carried_out
from fhir_server.settings import Settings
from fhir_server.storage import retention as keeping
from fhir_server.storage.retention import Rule, RuleError
from fhir_server.storage.store import Store

retention = typer.Typer(
    help="How long what is kept.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@retention.callback()
def rules() -> None:
    """How long what is kept."""


@retention.command("run")
def run(
    dry_run: Annotated[
        bool, typer.Option(help="Only count what each rule would end, those that are off too")
    ] = False,
) -> None:
    """End what the rules that are on end now."""
    settings = Settings()
    try:
        listed = keeping.rules(settings.retention_rules)
    except RuleError as error:
        raise fail(str(error)) from error
    with steps.ready() as (ready, _):
        steps.told(lambda: asyncio.run(_counted(ready, listed) if dry_run else _ended(ready, listed)))


async def _counted(settings: Settings, listed: list[Rule]) -> None:
    table = Table("Rule", "", "Ends now", "Age", "Source", box=None)
    store = await opened(settings)
    try:
        async with store.pool.connection() as conn:
            await conn.execute("SET statement_timeout = 0")
            for rule in listed:
                count = "" if rule.action == "expire-backups" else f"{await keeping.concerned(conn, rule):,}"
                table.add_row(rule.name, "on" if rule.on else "off", count, rule.age, rule.source)
    finally:
        await store.close()
    out.print(table)
    say("Nothing was ended.")


async def _ended(settings: Settings, listed: list[Rule]) -> None:
    store = await opened(settings)
    try:
        for rule in listed:
            if rule.on:
                say(f"{rule.name}: {await _one(store, rule):,} ended ({rule.source})")
    finally:
        await store.close()


async def _one(store: Store, rule: Rule) -> int:
    """Return how much a rule has ended."""
    if rule.action == "expire-backups":
        assert store.sealer is not None
        return await store.sealer.ring.store.expire()
    done = 0
    with progress() as bar:
        if rule.action == "erase-person":
            async with store.pool.connection() as conn:
                people = await keeping.people(conn, rule)
            for id_ in bar.track(people, description=rule.name):
                done += await carried_out(store, id_, "retention", f"{rule.name}: {rule.source}") is not None
            return done
        async with store.pool.connection() as conn:
            await conn.execute("SET statement_timeout = 0")
            task = bar.add_task(rule.name, total=await keeping.concerned(conn, rule))
            while count := await keeping.drop(conn, rule):
                done += count
                bar.update(task, completed=done)
    return done
