"""Which resources a condition names: what conditional interactions ask before they write."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.exchange import Session
from fhir_server.search import plan, recheck
from fhir_server.search.sql import Sql, all_of
from fhir_server.search.understand import understand
from fhir_server.storage.connection import RawCursor
from fhir_server.storage.read import FOR_WRITE, Old
from resources.outcome import FhirError

_COLUMNS = ", ".join(f"r.{column}" for column in FOR_WRITE)


async def match_ids(
    session: Session, type_name: str, pairs: Sequence[tuple[str, str]], limit: int = 2
) -> list[tuple[int, str]]:
    """Return (row number, id) of what `match_rows` finds."""
    return [(row.rid, row.id) for row in await match_rows(session, type_name, pairs, limit)]


async def match_rows(
    session: Session, type_name: str, pairs: Sequence[tuple[str, str]], limit: int = 2
) -> list[Old]:
    """Return up to `limit` resources that meet every criterion (our own uncommitted ones too), ready to be replaced.

    Errors: 400 for unknown parameters too, 412 where no criterion is given
    """
    query = await understand(session, type_name, pairs, strict=True)
    if not query.tests:
        raise FhirError(
            412, "invalid", f"A conditional request on {type_name} needs at least one search criterion"
        )
    if query.contained != "false":
        raise FhirError(400, "invalid", "A conditional request is about resources, not about contained ones")
    sql = Sql()
    rows = plan.source(sql, query.types, query.tests)
    chosen = f"FROM {rows.tables} WHERE {all_of(rows.conditions)}"
    text = f"SELECT {_COLUMNS} {chosen} ORDER BY {rows.rid_order} LIMIT {limit}"
    async with session.connection() as conn:
        cursor = RawCursor(conn)
        await cursor.execute(text, sql.args, binary=True)
        found = [Old(*row) for row in await cursor.fetchall()]
    return recheck.true_matches(query.tests, found)
