"""An id alone that names resources of several types, looked up before a search is read.

Source: http://hl7.org/fhir/R4/search.html#reference ("Servers SHOULD reject a search where the logical id refers to
more than one matching resource across different types")
"""

from __future__ import annotations

from fhir_server.exchange import Session
from fhir_server.search import plan
from fhir_server.search.codeset import Answer, CodeSet, Key
from fhir_server.search.run import run
from fhir_server.search.sql import Sql, all_of, of_types
from fhir_server.storage.rows import type_name
from resources.outcome import FhirError

IDS = "ids"
"""The kind of the question; its key goes on with the types, joined by commas, and the ids."""


async def answer(session: Session, key: Key) -> Answer:
    """Return no codes, or the error that an id names resources of several of the types."""
    sql = Sql()
    seen = plan.visible("", "r", sql)
    text = all_of(
        [
            of_types("r", key[1].split(",")),
            f"r.id = ANY({sql.texts(key[2:])})",
            plan.LIVE,
            *([seen] if seen else []),
        ]
    )
    statement = (
        f"SELECT r.id, array_agg(r.type ORDER BY r.type) FROM resource r WHERE {text}"
        " GROUP BY r.id HAVING count(*) > 1 LIMIT 1"
    )
    async with session.connection() as conn:
        found = await run(conn, statement, sql.args)
    if not found:
        return CodeSet.of(())
    id_, types = found[0]
    named = ", ".join(f"{type_name(number)}/{id_}" for number in types)
    return FhirError(400, "value", f"The id '{id_}' alone may mean {named}: say which")
