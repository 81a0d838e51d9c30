"""Erasing a person: everything that is about this patient alone goes, and what is also about others forgets them.

Order: the keys first (what remains anywhere is unreadable from then on, backups too), then the rows in one transaction,
then a second look for what a writer may have stored meanwhile. Every step may be repeated.

What belongs to a patient is `pid` and `owners` of each row and version (`access/belongs.json`), and besides what hangs
on such rows alone: Provenance of nothing else, Binary that nothing else shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.crypto import envelope
from fhir_server.storage.binary import Byteas, Int4s, Int8s
from fhir_server.storage.rows import param_id, type_name, type_number

Conn = AsyncConnection[Any]

INDEXES = ("idx_string", "idx_date", "idx_number", "idx_composite", "idx_position", "idx_text")
"""Index tables whose rows hang on a row number alone."""

AT_ONCE = 500

_OWN = """
INSERT INTO erased SELECT rid FROM resource WHERE rid = %(s)s OR (pid = %(s)s AND owners IS NULL)
OR owners @> ARRAY[%(s)s]::bigint[] AND owners <@ ARRAY[%(s)s]::bigint[]
"""
_PROVENANCE = f"""
INSERT INTO erased SELECT DISTINCT e.src FROM edge e JOIN erased x ON x.rid = e.dst JOIN resource r ON r.rid = e.src
WHERE e.param = {param_id("Provenance", "target")} AND r.type = %s AND NOT EXISTS (SELECT FROM edge o
WHERE o.src = e.src AND o.param = e.param AND o.dst NOT IN (SELECT rid FROM erased)) ON CONFLICT DO NOTHING
"""
_BINARY = """
INSERT INTO erased SELECT DISTINCT e.dst FROM edge e JOIN erased x ON x.rid = e.src JOIN resource r ON r.rid = e.dst
WHERE r.type = %s AND r.pid IS NULL AND NOT EXISTS (SELECT FROM edge o WHERE o.dst = e.dst
AND o.src NOT IN (SELECT rid FROM erased)) ON CONFLICT DO NOTHING
"""
_POSTINGS = """
DELETE FROM posting p USING (SELECT r.rid, r.d0, unnest(r.posts) AS h FROM resource r JOIN erased USING (rid)
UNION ALL SELECT c.rid, c.d0, unnest(c.posts) FROM contained c JOIN erased x ON x.rid = c.container) k
WHERE p.h = k.h AND p.d0 = k.d0 AND p.rid = k.rid
"""
_TEXTS = """
CREATE TEMP TABLE text_used ON COMMIT DROP AS SELECT DISTINCT l.h FROM (
SELECT unnest(r.tokens) AS h FROM resource r JOIN erased USING (rid)
UNION SELECT unnest(c.tokens) FROM contained c JOIN erased x ON x.rid = c.container) t JOIN label l USING (h)
"""
_LABELS = """
DELETE FROM label l USING text_used u WHERE l.h = u.h
AND NOT EXISTS (SELECT FROM resource r WHERE r.tokens @> ARRAY[l.h])
AND NOT EXISTS (SELECT FROM contained c WHERE c.tokens @> ARRAY[l.h])
"""


async def rows(conn: Conn, subject: int) -> tuple[dict[str, int], list[int]]:
    """Remove all rows about a patient alone, within a transaction; return what was removed, and the row numbers.

    Shape:  counts by what they count: resource types, `versions`, index tables, `shared` (kept for others)
    """
    await conn.execute("SET LOCAL statement_timeout = 0")
    await conn.execute("CREATE TEMP TABLE erased (rid BIGINT PRIMARY KEY) ON COMMIT DROP")
    await conn.execute(_OWN, {"s": subject})
    await conn.execute(_PROVENANCE, (type_number("Provenance"),))
    await conn.execute(_BINARY, (type_number("Binary"),))
    await conn.execute(
        "SELECT FROM resource WHERE rid IN (SELECT rid FROM erased) ORDER BY type, id FOR UPDATE"
    )
    cursor = await conn.execute("SELECT type, count(*) FROM resource JOIN erased USING (rid) GROUP BY type")
    removed = {type_name(number): int(count) for number, count in await cursor.fetchall()}
    removed |= await _index(conn)
    removed["versions"] = await _count(
        conn,
        "DELETE FROM resource_version v WHERE v.rid IN (SELECT rid FROM erased) OR (v.pid = %(s)s AND v.owners IS NULL)"
        " OR (v.owners @> ARRAY[%(s)s]::bigint[] AND v.owners <@ ARRAY[%(s)s]::bigint[])",
        {"s": subject},
    )
    rids = [row[0] for row in await (await conn.execute("SELECT rid FROM erased")).fetchall()]
    await conn.execute("DELETE FROM resource WHERE rid IN (SELECT rid FROM erased)")
    removed["label"] = await _count(conn, _LABELS)
    removed["shared"] = await _shared(conn, subject)
    return {name: count for name, count in removed.items() if count}, rids


async def _index(conn: Conn) -> dict[str, int]:
    """Remove the index rows of what is erased, and of what that contains."""
    await conn.execute(_TEXTS)
    found = {"posting": await _count(conn, _POSTINGS)}
    inner = (
        "SELECT c.rid FROM contained c JOIN erased x ON x.rid = c.container UNION ALL SELECT rid FROM erased"
    )
    for table in INDEXES:
        found[table] = await _count(conn, f"DELETE FROM {table} WHERE rid IN ({inner})")
    found["edge"] = await _count(
        conn, f"DELETE FROM edge WHERE src IN ({inner}) OR dst IN (SELECT rid FROM erased)"
    )
    found["contained"] = await _count(
        conn, "DELETE FROM contained WHERE container IN (SELECT rid FROM erased)"
    )
    return found


async def _count(conn: Conn, text: str, values: Any = None) -> int:
    return (await conn.execute(text.encode(), values)).rowcount


async def _shared(conn: Conn, subject: int) -> int:
    """Make what is also about others forget the patient: owner, wraps and the columns that name them."""
    count = 0
    for table in ("resource", "resource_version"):
        cursor = await conn.execute(
            f"SELECT rid, version, tail FROM {table} WHERE owners @> ARRAY[%s]::bigint[]", (subject,)
        )
        found = await cursor.fetchall()
        count += len(found) if table == "resource" else 0
        await _forget(conn, table, subject, found)
    return count


async def _forget(conn: Conn, table: str, subject: int, found: Sequence[Any]) -> None:
    for start in range(0, len(found), AT_ONCE):
        part = found[start : start + AT_ONCE]
        tails = [
            envelope.without(bytes(tail), subject) if tail is not None and envelope.is_sealed(tail) else tail
            for _, _, tail in part
        ]
        rids = Int8s([rid for rid, _, _ in part])
        await conn.execute(
            f"UPDATE {table} t SET owners = array_remove(t.owners, %s), pid = NULLIF(t.pid, %s), tail = k.tail"
            " FROM unnest(%s, %s, %s) AS k(rid, version, tail) WHERE t.rid = k.rid AND t.version = k.version",
            (subject, subject, rids, Int4s([version for _, version, _ in part]), Byteas(tails)),
        )
        if table == "resource":
            for other, column in (("posting", "rid"), ("contained", "container")):
                await conn.execute(
                    f"UPDATE {other} SET pid = NULL WHERE pid = %s AND {column} = ANY(%s)", (subject, rids)
                )


_ACCOUNT = "SELECT id FROM account WHERE fhir_user = %s AND fhir_user <> ''"
_MESSAGES = """DELETE FROM account_outbox o USING account a WHERE a.fhir_user = %s AND a.fhir_user <> ''
AND o.recipient <> '' AND o.recipient IN (a.email, a.phone)"""
_OF_ACCOUNT = ("account_session", "account_factor", "account_ticket", "account_identity")


async def account(conn: Conn, name: str) -> int:
    """Remove the account of an erased person, with all that belongs to it; return how many there were."""
    await conn.execute(_MESSAGES, (name,))
    for table in _OF_ACCOUNT:
        await conn.execute(f"DELETE FROM {table} WHERE account IN ({_ACCOUNT})", (name,))
    return (await conn.execute("DELETE FROM account WHERE fhir_user = %s", (name,))).rowcount


async def left(conn: Conn, subject: int, rids: Sequence[int]) -> dict[str, int]:
    """Return how many rows of each table still name an erased patient or their rows; empty where none does."""
    await conn.execute("SET LOCAL statement_timeout = 0")
    listed, found = list(rids), {}
    asked = {
        "resource": (
            "rid = ANY(%s) OR pid = %s OR owners @> ARRAY[%s]::bigint[]",
            (listed, subject, subject),
        ),
        "resource_version": (
            "rid = ANY(%s) OR pid = %s OR owners @> ARRAY[%s]::bigint[]",
            (listed, subject, subject),
        ),
        "posting": ("pid = %s OR rid = ANY(%s)", (subject, listed)),
        "edge": ("src = ANY(%s) OR dst = ANY(%s)", (listed, listed)),
        "contained": ("container = ANY(%s) OR pid = %s", (listed, subject)),
        **dict.fromkeys(INDEXES, ("rid = ANY(%s)", (listed,))),
    }
    for table, (condition, values) in asked.items():
        cursor = await conn.execute(f"SELECT count(*) FROM {table} WHERE {condition}", values)
        row = await cursor.fetchone()
        if row and row[0]:
            found[table] = int(row[0])
    return found


_DELIVERED = """
SELECT agent, kind, interaction, count(*), to_timestamp(min(at) / 1e6), to_timestamp(max(at) / 1e6) FROM audit_entry
WHERE patients @> ARRAY[%s]::bigint[] AND status < 400 GROUP BY 1, 2, 3 ORDER BY max(at) DESC LIMIT 1000
"""


async def delivered(conn: Conn, subject: int) -> list[tuple[Any, ...]]:
    """Return to whom data about a patient went before, by the audit trail.

    Shape:  (agent, kind, interaction, count, first, last)
    """
    return await (await conn.execute(_DELIVERED, (subject,))).fetchall()


async def audited(conn: Conn, subject: int) -> int:
    """Return how many entries of the audit trail tell of a patient; they stay as long as the law asks."""
    cursor = await conn.execute(
        "SELECT count(*) FROM audit_entry WHERE patients @> ARRAY[%s]::bigint[]", (subject,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
