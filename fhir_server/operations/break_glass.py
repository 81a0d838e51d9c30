"""`Patient/[id]/$break-glass`: a clinician opens a record in an emergency, for a while, and the patient is told.

The elevation, the Communication to the patient and its Provenance are written together or not at all.
Source: http://hl7.org/fhir/R4/security-labels.html#break-the-glass; 45 CFR 164.312(a)(2)(ii)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_server.access import current
from fhir_server.changes.ids import new_id
from fhir_server.changes.prepare import link, prepare
from fhir_server.consent import elevations
from fhir_server.consent.elevations import Ask, Elevation
from fhir_server.consent.raising import rule
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.operations.raised import OUT, REASON, asker, minutes, reason, told
from fhir_server.storage import read, write
from fhir_server.storage.rows import POST, instant
from fhir_server.storage.write import Write
from fhir_server.version import CANONICAL
from resources.codec.json import dump_json
from resources.outcome import FhirError

Json = dict[str, Any]

NAME = "$break-glass"
_REASON = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "BTG",
    "display": "break the glass",
}
_CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": "notification"}


async def break_glass(session: Session, request: Request) -> Result:
    """Return the elevation, in force at once, and the notice that the patient gets of it.

    Errors: 403 for others than clinicians; 400 without a reason; 404, 410 where there is no such patient
    """
    call = read_call(request, NAME, {"reason", "minutes"})
    row = rule("break-glass")
    grant = asker(row)
    why, lasting = reason(call), minutes(call, row)
    patient = f"Patient/{request.segments[1]}"
    async with session.connection() as conn:
        whose = read.there(await read.current(conn, "Patient", request.segments[1]), patient)
    current.touched([whose.rid])
    detail = {"reason": why, "minutes": str(lasting)}
    said = {
        "type": "Patient",
        "id": whose.id,
        "interaction": NAME,
        "patients": (whose.rid,),
        "detail": detail,
    }
    await session.server.trail.note("emergency", grant, **said)
    ask = Ask(new_id(), "break-glass", grant.subject, grant.user, grant.client, why, lasting, patient)
    notice, writes = await _notice(session, ask)
    async with session.store.transaction() as conn:
        if await write.apply(conn, writes) is None:
            raise FhirError(503, "transient", "Search parameters are changing; please try again")
        made = await elevations.ask(conn, ask, at_once=True)
    return _answer(made, notice)


def _answer(made: Elevation, notice: str) -> Result:
    body = told(made)
    body["parameter"].append({"name": "notice", "valueReference": {"reference": notice}})
    return Result(201, dump_json(body), headers={"Cache-Control": "no-store"})


async def _notice(session: Session, ask: Ask) -> tuple[str, list[Write]]:
    """Return the reference of a new Communication to the patient, and its write with that of its Provenance."""
    now = datetime.now(UTC)
    notice = _communication(ask, now, now + timedelta(minutes=ask.minutes))
    name = f"Communication/{notice['id']}"
    made = [prepare(one, one["id"]) for one in (notice, _provenance(ask, name, now))]
    rids = await session.store.identities.allocate(len(made))
    writes = [
        write.created(rid, one.type, one.id, one.tail, one.rows, POST)
        for rid, one in zip(rids, made, strict=True)
    ]
    own = {(one.type, one.id): one.rid for one in writes}
    await link(session.store, list(zip(writes, made, strict=True)), own)
    return name, writes


def _communication(ask: Ask, now: datetime, until: datetime) -> Json:
    text = (
        f"{ask.person} opened your record in an emergency at {instant(now)}, until {instant(until)} at the latest."
        f" The reason given: {ask.reason}"
    )
    return {
        "resourceType": "Communication",
        "id": new_id(),
        "identifier": [{"system": f"{CANONICAL}/elevation", "value": ask.id}],
        "status": "completed",
        "category": [{"coding": [_CATEGORY]}],
        "subject": {"reference": ask.patient},
        "sent": instant(now),
        "recipient": [{"reference": ask.patient}],
        "sender": {"reference": ask.person},
        "reasonCode": [{"coding": [_REASON]}],
        "payload": [{"contentString": text}],
    }


def _provenance(ask: Ask, target: str, now: datetime) -> Json:
    role = {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "author"}
    return {
        "resourceType": "Provenance",
        "id": new_id(),
        "target": [{"reference": target}],
        "recorded": instant(now),
        "reason": [{"coding": [_REASON], "text": ask.reason}],
        "agent": [{"type": {"coding": [role]}, "who": {"reference": ask.person}}],
    }


register(
    Operation(
        NAME,
        break_glass,
        f"{CANONICAL}/OperationDefinition/break-glass",
        frozenset({"instance"}),
        frozenset({"Patient"}),
        affects_state=True,
    )
)
describe(
    NAME,
    "Open the record of a patient in an emergency, as a clinician: at once, for a while, whatever consents say unless"
    " they deny emergencies themselves. The patient is told by a Communication; all of it is on record.",
    (
        REASON,
        Parameter("minutes", "in", 0, "1", "integer", "For how long: 60 by default, 240 at most"),
        *OUT,
        Parameter("notice", "out", 1, "1", "Reference", "The Communication to the patient"),
    ),
)
