"""The look at every write under a policy: what was there before and what is there after it must be in reach.

It happens in the transaction of the write, on the rows themselves, so that a refusal undoes it. References in a write
tell nothing of what they point to: one to a hidden resource and one to nothing are judged alike.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import current
from fhir_server.access.belongs import table
from fhir_server.access.policy import Policy
from fhir_server.access.seen import chosen_by, out_of_reach, require_writable
from fhir_server.storage.rows import Row, type_name, type_number
from fhir_server.storage.write import Write

Conn = AsyncConnection[Any]

BINARY = "Binary"


def nothing_to_ask(one: Write) -> bool:
    """Whether whoever writes may do so to every resource of the type, so that no row has to be looked at."""
    policy = current.policy()
    if policy.unbounded:
        return True
    name = type_name(one.type)
    letter = "d" if one.tail is None else "u" if one.old is not None and one.old.live else "c"
    shows = one.tail is not None and name in table()[BINARY].shown_by
    return policy.whole(name, letter) and (not shows or policy.whole(BINARY))


async def before(conn: Conn, writes: Sequence[Write]) -> None:
    """Raise FhirError unless what `writes` replace may be written, and what they show is the writer's to show.

    Errors: 404 not-found for what may not be seen, 403 forbidden
    """
    policy = current.policy()
    if policy.unbounded:
        return
    old = [
        (one.old, "d" if one.tail is None else "u") for one in writes if one.old is not None and one.old.live
    ]
    await require_writable(conn, policy, old)
    own = {one.rid for one in writes}
    for one in writes:
        _adopt(policy, one)
        await _require_shown(conn, policy, one, own)


async def after(conn: Conn, writes: Sequence[Write], rows: Collection[Row]) -> None:
    """Raise FhirError 403 unless what was written may be written: as it is now, about whom it is now."""
    policy = current.policy()
    if policy.unbounded:
        return
    there = {one.rid for one in writes if one.old is not None and one.old.live}
    written = [(row, "u" if row.rid in there else "c") for row in rows if row.live]
    await require_writable(conn, policy, written, written=True)


def _adopt(policy: Policy, one: Write) -> None:
    """Make a Binary that says not whose it is that of the one patient for whom the grant may write."""
    if type_name(one.type) == BINARY and one.tail is not None and one.owners is None and not one.edges:
        patients = policy.writes_for(BINARY, "cu")
        one.owners = list(patients) if patients is not None and len(patients) == 1 else None


async def _require_shown(conn: Conn, policy: Policy, one: Write, own: Collection[int]) -> None:
    """Refuse attachments that are Binaries beyond reach: who shows one makes it belong to whom it is shown for."""
    name = type_name(one.type)
    if one.tail is None or name not in table()[BINARY].shown_by:
        return
    binaries = {id_ for _, kind, id_ in one.rows.edges if kind == BINARY}
    if not binaries:
        return
    number = type_number(BINARY)
    text = "SELECT rid FROM resource WHERE type = %s AND rid = ANY(%s)"
    cursor = await conn.execute(text, (number, [dst for _, dst in one.edges]))
    rids = [rid for (rid,) in await cursor.fetchall() if rid not in own]
    if rids and set(rids) != await chosen_by(conn, policy, rids, BINARY, name):
        raise out_of_reach(name)
