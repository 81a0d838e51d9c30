"""Read resources as far as the policy in force lets them be seen: what it does not, is not there.

An older version is seen by who may see it and the current one; a deletion by who could see what was deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from psycopg import AsyncConnection, AsyncRawCursor

from fhir_server.access import current as in_force
from fhir_server.access.arguments import Numbered
from fhir_server.access.policy import Policy
from fhir_server.storage import read
from fhir_server.storage.read import Old
from fhir_server.storage.rows import Row
from resources.outcome import FhirError

R = TypeVar("R", bound=Row)
Conn = AsyncConnection[Any]


async def current(conn: Conn, type_name: str, id_: str) -> Row | None:
    """Return the current version (a deletion included), None where there is none to be seen.

    Errors: StalePolicyError where the policy in force is not any more
    """
    policy = in_force.policy()
    if policy.unbounded:
        found = await read.current(conn, type_name, id_)
        if found is not None:
            policy.note(found)
        return found
    row, epoch = await read.current_under(conn, type_name, id_)
    if row is None:
        return None
    policy.confirm(epoch)
    return row if await may_see(conn, policy, row) else None


async def version(conn: Conn, type_name: str, id_: str, number: int) -> Row | None:
    """Return one version, None where there is none to be seen."""
    row = await read.version(conn, type_name, id_, number)
    policy = in_force.policy()
    if row is None:
        return None
    if policy.unbounded:
        policy.note(row)
        return row
    latest = await read.current(conn, type_name, id_)
    if latest is None or not await may_see(conn, policy, latest):
        return None
    if latest.version == row.version:
        return row
    return row if await may_see(conn, policy, row, kept=True) else None


async def several(conn: Conn, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """Return the current versions of (type, id) keys that may be seen."""
    found = await read.several(conn, keys)
    policy = in_force.policy()
    rids = await seen_of(conn, policy, list(found.values()))
    return {key: row for key, row in found.items() if row.rid in rids}


async def may_see(conn: Conn, policy: Policy, row: Row, *, kept: bool = False) -> bool:
    """Whether a row may be seen; `kept` says that it is an older version. Whose it is is noted."""
    found = policy.verdict(row)
    if found is None:
        table = "resource_version" if kept else "resource"
        sql = Numbered()
        this = f"r.rid = {sql.big(row.rid)} AND r.version = {sql.big(row.version)}"
        where = policy.where(sql, row.type_name, "r", kept=kept) or "true"
        cursor = AsyncRawCursor(conn)
        await cursor.execute(f"SELECT FROM {table} r WHERE {this} AND ({where})", sql.args)
        found = await cursor.fetchone() is not None
    if found:
        policy.note(row)
    return found


async def seen_of(conn: Conn, policy: Policy, rows: Sequence[Row]) -> set[int]:
    """Return the row numbers of those of `rows`, all current ones, that may be seen."""
    told = {row.rid: policy.verdict(row) for row in rows}
    open_ = [rid for rid, found in told.items() if found is None]
    seen = {rid for rid, found in told.items() if found}
    if open_:
        seen |= await _seen_now(conn, policy, open_)
    for row in rows:
        if row.rid in seen:
            policy.note(row)
    return seen


async def _seen_now(conn: Conn, policy: Policy, rids: Sequence[int]) -> set[int]:
    """Return those row numbers whose current rows may be seen."""
    sql = Numbered()
    return await _those(conn, sql, rids, policy.where(sql, "", "r"))


async def _writable_now(conn: Conn, policy: Policy, rids: Sequence[int], letter: str) -> set[int]:
    """Return those row numbers whose current rows may be written by a scope with `letter`."""
    sql = Numbered()
    return await _those(conn, sql, rids, policy.where(sql, "", "r", letter, writes=True))


async def _those(conn: Conn, sql: Numbered, rids: Sequence[int], where: str) -> set[int]:
    these = f"r.rid = ANY({sql.bigs(rids)}) AND r.version > 0"
    cursor = AsyncRawCursor(conn)
    await cursor.execute(f"SELECT r.rid FROM resource r WHERE {these} AND ({where or 'true'})", sql.args)
    return {rid for (rid,) in await cursor.fetchall()}


async def chosen_by(conn: Conn, policy: Policy, rids: Sequence[int], type_name: str, writer: str) -> set[int]:
    """Return those rows of a type that belong to whom the grant may write resources of the type `writer` for."""
    sql = Numbered()
    return await _those(conn, sql, rids, policy.owned_by(sql, type_name, "r", writer, "cu"))


async def require_writable(
    conn: Conn, policy: Policy, rows: Sequence[tuple[Row, str]], *, written: bool = False
) -> None:
    """Raise FhirError unless each row (as it is now) may be written by a scope with its letter: c, u or d.

    Shape:  a row that may not even be seen counts as one that is not there, unless it has just been `written`
    Errors: 404 not-found, 403 forbidden
    """
    for letter in sorted({letter for _, letter in rows}):
        rids = [row.rid for row, own in rows if own == letter]
        allowed = await _writable_now(conn, policy, rids, letter)
        for row, own in rows:
            if own == letter and row.rid not in allowed:
                if not written and row.rid not in await _seen_now(conn, policy, [row.rid]):
                    raise unknown(row.type_name, row.id)
                raise out_of_reach(row.type_name)


def unknown(type_name: str, id_: str) -> FhirError:
    """Return the answer where there is nothing, or nothing to be seen."""
    return FhirError(404, "not-found", f"{type_name}/{id_} is not known here")


def out_of_reach(type_name: str) -> FhirError:
    """Return the refusal of a write that lies, before or after it, beyond what was granted."""
    text = (
        f"This token does not reach as far as this {type_name}: it must be about whom the token is for, alone"
    )
    challenge = 'Bearer realm="fhir", error="insufficient_scope"'
    return FhirError(403, "forbidden", text, headers={"WWW-Authenticate": challenge})


async def replaceable(conn: Conn, type_name: str, old: Old | None, id_: str) -> None:
    """Raise FhirError 404 where a policy that does not reach all of a type names an id that it does not reach."""
    policy = in_force.policy()
    if policy.whole(type_name) and policy.whole(type_name, "cud"):
        return
    if old is None or old.version == 0:
        raise unknown(type_name, id_)
    if not await may_see(conn, policy, old) and not await _writable_now(conn, policy, [old.rid], "ud"):
        raise unknown(type_name, id_)


def shown(row: Row) -> bytes | None:
    """Return the JSON of a row just written, None of a deletion, or where writing was granted and reading was not."""
    return row.json() if row.live and in_force.policy().verdict(row) is not False else None
