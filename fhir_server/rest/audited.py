"""From an answered call to its entry in the audit trail."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode

from fhir_server.access.grant import Grant
from fhir_server.audit.entry import Entry, entry
from fhir_server.rest.call import Call, Reply

_SILENT = frozenset({"capabilities", "job-status", ""})
"""What is no access to anybody's data; a request that no route fits is told where it was refused."""

QUERY_MOST = 4_000
"""Characters of a query that an entry keeps."""


def of_call(call: Call, grant: Grant, reply: Reply, touched: Collection[int]) -> Entry | None:
    """Return the entry of an answered call, None where it is no access."""
    route = call.route
    if route.interaction in _SILENT and reply.status not in (401, 403):
        return None
    operation = route.interaction == "operation"
    query = urlencode(call.query, safe=":/,$|") if call.query else ""
    return entry(
        "rest",
        grant,
        request=call.id,
        interaction=route.operation if operation else route.interaction,
        type=route.type,
        id=route.id or _made(call, reply),
        version=int(route.vid) if route.vid.isdigit() and len(route.vid) < 9 else 0,
        query=query if len(query) <= QUERY_MOST else query[:QUERY_MOST] + " …",
        status=reply.status,
        patients=tuple(sorted(touched)),
    )


def _made(call: Call, reply: Reply) -> str:
    """Return the id under which a create has stored something."""
    if call.route.interaction != "create" or reply.status not in (200, 201):
        return ""
    location = next((value for name, value in reply.headers if name.lower() == b"location"), b"")
    parts = location.decode("latin-1").split(f"/{call.route.type}/", 1)
    return parts[1].split("/", 1)[0] if len(parts) == 2 else ""
