"""read: the current version. Source: http://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from fhir_server.access import seen
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations.published import definition
from fhir_server.storage import read as storage
from fhir_server.storage.rows import Row
from resources.codec.json import dump_json


async def read(session: Session, request: Request) -> Result:
    """Return the current version, or a definition of ours; 404 where there never was one, 410 where it is deleted."""
    type_name, id_ = request.path.split("/")
    async with session.connection() as conn:
        row = await seen.current(conn, type_name, id_)
    if type_name == "OperationDefinition" and (row is None or not row.live):
        own = definition(id_, request.base)
        if own is not None:
            return Result(200, dump_json(own))
    return shown(row, f"{type_name}/{id_}")


def shown(row: Row | None, what: str) -> Result:
    """Return the answer that shows `row`.

    Errors: 404 not-found, 410 deleted (with the ETag of the deletion)
    """
    found = storage.there(row, what)
    return Result(200, found.json(), found.version, found.updated)
