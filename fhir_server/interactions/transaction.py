"""batch and transaction. Source: http://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

from fhir_server.bundle.batch import batch
from fhir_server.bundle.entries import check_bundle
from fhir_server.bundle.transaction import transaction as run_transaction
from fhir_server.exchange import Handler, Request, Result, Session
from resources.codec.json import parse_json


def bundle_handler(dispatch: Handler) -> Handler:
    """Return the handler of POST on the base, whose entries go through `dispatch`."""

    async def transaction(session: Session, request: Request) -> Result:
        """Return the response Bundle; raises FhirError where a transaction fails as a whole."""
        bundle = request.resource or parse_json(request.body)
        check_bundle(bundle, session.server.settings.bundle_entries_max)
        run = batch if bundle["type"] == "batch" else run_transaction
        return await run(session, request, bundle, dispatch)

    return transaction
