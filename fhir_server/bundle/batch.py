"""Batch: every entry on its own, and no entry's failure is another's."""

from __future__ import annotations

import asyncio
from typing import Any

from fhir_server.bundle.answer import response_bundle
from fhir_server.bundle.entries import Entry, parse_entry
from fhir_server.bundle.reads import carried_out
from fhir_server.exchange import Handler, Request, Result, Session
from fhir_server.faults import as_fhir_error
from resources.outcome import FhirError

AT_ONCE = 4
"""Entries of one batch that run side by side: a batch may not starve other clients of connections."""


async def batch(session: Session, request: Request, bundle: dict[str, Any], dispatch: Handler) -> Result:
    """Return the batch-response with each entry's own outcome."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def answered(index: int, json: dict[str, Any]) -> Result | FhirError:
        async with gate:
            try:
                entry = parse_entry(json, index, request.base)
                _refuse_nested(entry)
                return await carried_out(session, entry, request, dispatch)
            except Exception as error:  # a statement that took too long is that entry's outcome only
                return as_fhir_error(error, request.id)

    results = await asyncio.gather(
        *(answered(index, json) for index, json in enumerate(bundle.get("entry", ())))
    )
    return response_bundle("batch-response", results, request.base, request.wants_bodies)


def _refuse_nested(entry: Entry) -> None:
    if entry.route.interaction == "transaction":
        raise FhirError(400, "not-supported", "A batch has no place in a batch", f"{entry.where}.request")
