"""`Patient/[id]/$access-log`: who looked at my record, for the patient and for those who act for the patient.

The answer is a searchset of AuditEvents, newest first. Others, those who treat the patient among them, are refused:
who else looked is for the patient to know, and for auditors, who search AuditEvents.
Source: 45 CFR 164.528 (accounting of disclosures); Regulation (EU) 2016/679, article 15(1)(c)
"""

from __future__ import annotations

from fhir_server.access import current, seen
from fhir_server.access.policy import forbidden
from fhir_server.audit.reading import Wanted
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.audit_pages import RENDERING, answered
from fhir_server.operations.parameters import read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.search.params.date import span
from fhir_server.storage import read
from fhir_server.version import CANONICAL
from resources.outcome import FhirError

NAME = "$access-log"
KNOWN = frozenset({"start", "end", "_count", "_cursor", *RENDERING})


async def access_log(session: Session, request: Request) -> Result:
    """Return the page of AuditEvents that touched the patient's data, or were the patient's own doing.

    Errors: 404, 410 where there is no such patient to be seen; 403 for others than the patient and who acts for
            the patient (and this machine's own commands); 400 for wrong dates; 404 where nothing is audited
    """
    if not session.server.settings.audited:
        raise FhirError(404, "not-supported", "This server keeps no audit trail (setting `audit`)")
    call = read_call(request, NAME, KNOWN)
    wanted = Wanted()
    for name, end in (("start", 0), ("end", 1)):
        text = call.text(name)
        if text is None:
            continue
        try:
            moment = span(text)[end]
        except (ValueError, OverflowError):
            raise FhirError(400, "value", f"'{text[:60]}' is no date for '{name}'", name) from None
        wanted.during.append((None, moment + 1) if end else (moment, None))
    _, id_, _ = request.segments
    async with session.connection() as conn:
        row = read.there(await seen.current(conn, "Patient", id_), f"Patient/{id_}")
        _require_own(f"Patient/{id_}")
        wanted.patients = [(row.rid, id_)]
        return await answered(session, conn, request, wanted)


def _require_own(patient: str) -> None:
    policy = current.policy()
    grant = policy.grant
    own = grant.user == patient or patient in grant.acting_for
    if not own and not policy.administers:
        raise forbidden(
            "A patient's access log is for the patient and who acts for the patient; auditors search AuditEvents"
        )


register(
    Operation(
        NAME,
        access_log,
        f"{CANONICAL}/OperationDefinition/access-log",
        frozenset({"instance"}),
        frozenset({"Patient"}),
    )
)
describe(
    NAME,
    "Who has looked at, or changed, the record of a patient: the audit trail's AuditEvents, newest first.",
    (
        Parameter("start", "in", 0, "1", "date", "Only what happened from then on"),
        Parameter("end", "in", 0, "1", "date", "Only what happened until then"),
        Parameter("_count", "in", 0, "1", "integer", "Events of a page"),
        Parameter("return", "out", 1, "1", "Bundle", "A searchset of AuditEvents"),
    ),
)
