"""How long what is kept: rules as data (`retention.json`, or a file of the operator's), and what each concerns now.

Rules that end records are off until an operator with the law at hand switches one on, in a file of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from fhir_server.storage.rows import type_number

Conn = AsyncConnection[Any]
Action = Literal["expire-backups", "drop-deleted", "drop-versions", "erase-person"]

_AGE = re.compile(r"P(?:[1-9][0-9]{0,2}Y)?(?:[1-9][0-9]{0,2}M)?(?:[1-9][0-9]{0,4}D)?")
AT_ONCE = 1_000


class RuleError(ValueError):
    """A rule that cannot be; the text says which and why."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the rules.

    Units:  `age` an ISO 8601 duration in years, months and days since the last change; empty for backups, whose own
            settings say it
    """

    name: str
    action: Action
    age: str
    source: str
    reason: str
    on: bool


def rules(path: Path | None = None) -> list[Rule]:
    """Return the rules in a file, ours where none is given; raises RuleError."""
    file = path or Path(__file__).with_name("retention.json")
    try:
        found = msgspec.json.decode(file.read_bytes(), type=list[Rule])
    except (OSError, msgspec.DecodeError) as error:
        raise RuleError(f"{file}: {error}") from None
    for rule in found:
        whole = rule.age == "" if rule.action == "expire-backups" else len(rule.age) > 1
        if not whole or not (rule.age == "" or _AGE.fullmatch(rule.age)):
            raise RuleError(f"{file}: the age '{rule.age}' of '{rule.name}' is no duration such as P10Y")
        if not rule.source or not rule.reason:
            raise RuleError(f"{file}: '{rule.name}' needs a source and a reason")
    return found


_DELETED = (
    """FROM resource r WHERE NOT r.live AND r.version > 0 AND r.updated < clock_timestamp() - %s::interval"""
)
_VERSIONS = """FROM resource_version v WHERE COALESCE((SELECT n.updated FROM resource_version n WHERE n.rid = v.rid
AND n.version > v.version ORDER BY n.version LIMIT 1), (SELECT r.updated FROM resource r WHERE r.rid = v.rid))
< clock_timestamp() - %s::interval"""
_PEOPLE = """FROM resource p WHERE p.type = %s AND p.version > 0 AND p.updated < clock_timestamp() - %s::interval
AND NOT EXISTS (SELECT FROM resource r WHERE (r.pid = p.rid OR r.owners @> ARRAY[p.rid])
AND r.updated >= clock_timestamp() - %s::interval)"""


def _where(rule: Rule) -> tuple[str, tuple[Any, ...]]:
    if rule.action == "drop-deleted":
        return _DELETED, (rule.age,)
    if rule.action == "drop-versions":
        return _VERSIONS, (rule.age,)
    return _PEOPLE, (type_number("Patient"), rule.age, rule.age)


async def concerned(conn: Conn, rule: Rule) -> int:
    """Return how many rows (people, for `erase-person`) a rule would end now."""
    text, values = _where(rule)
    row = await (await conn.execute(f"SELECT count(*) {text}".encode(), values)).fetchone()
    return int(row[0]) if row else 0


async def people(conn: Conn, rule: Rule) -> list[str]:
    """Return the ids of the Patients whose records a rule ends now."""
    text, values = _where(rule)
    cursor = await conn.execute(f"SELECT p.id {text} ORDER BY p.rid".encode(), values)
    return [row[0] for row in await cursor.fetchall()]


async def drop(conn: Conn, rule: Rule) -> int:
    """Remove some of what a rule about deletions or versions ends; return how many, 0 at the end.

    What was deleted leaves its name alone, as if it were only referred to.
    """
    text, values = _where(rule)
    if rule.action == "drop-versions":
        statement = (
            "WITH k AS (SELECT v.rid, v.version " + text + f" LIMIT {AT_ONCE})"
            " DELETE FROM resource_version v USING k WHERE v.rid = k.rid AND v.version = k.version"
        )
    else:
        statement = (
            "WITH k AS (SELECT r.rid, r.version "
            + text
            + f" LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED), gone AS ("
            "DELETE FROM resource_version v USING k WHERE v.rid = k.rid)"
            " UPDATE resource r SET version = 0, pid = NULL, owners = NULL, labels = NULL, tail = NULL FROM k"
            " WHERE r.rid = k.rid AND r.version = k.version"
        )
    return (await conn.execute(statement.encode(), values)).rowcount
