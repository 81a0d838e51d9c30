"""One entry carried out by its interaction: what HTTP does beside it is done here for entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fhir_server.bundle.entries import Entry
from fhir_server.bundle.patches import patch_request
from fhir_server.changes.conditions import entity_tags
from fhir_server.exchange import Handler, Request, Result, Session
from fhir_server.search.params.date import span
from fhir_server.subset import cut, subset_of
from resources.codec.json import dump_json, parse_json

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


async def carried_out(session: Session, entry: Entry, request: Request, dispatch: Handler) -> Result:
    """Return what the interaction of `entry` answers; raises its FhirError.

    Source: http://hl7.org/fhir/R4/http.html#cread, http://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request
    """
    subset = subset_of(entry.query)
    result = await dispatch(session, patch_request(entry, request))
    if _unchanged(entry, result):
        return Result(304, None, result.version, result.updated)
    if entry.method == "HEAD":
        result.body = None
    elif subset.cuts and result.body is not None and not entry.writes:
        result.body = dump_json(cut(parse_json(result.body), result.kind, subset))
    return result


def _unchanged(entry: Entry, result: Result) -> bool:
    """Whether the client has what it reads; If-None-Match, where given, is all that counts (RFC 9110, 13.1.3)."""
    if entry.writes or result.version is None or result.updated is None:
        return False
    tags = entry.headers.get("if-none-match")
    if tags is not None:
        return bool({"*", str(result.version)}.intersection(entity_tags("ifNoneMatch", tags)))
    since = entry.headers.get("if-modified-since")
    return since is not None and (result.updated - _EPOCH) // _MICROSECOND <= span(since)[1]
