"""What the operations on elevations share: their parameters, and how an elevation is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fhir_server.access import current
from fhir_server.access.grant import Grant
from fhir_server.access.policy import forbidden
from fhir_server.consent.elevations import Elevation
from fhir_server.consent.raising import Raising, shortest_reason
from fhir_server.exchange import Result
from fhir_server.operations.parameters import Call
from fhir_server.operations.published import Parameter
from fhir_server.storage.rows import instant
from resources.codec.json import dump_json
from resources.outcome import FhirError

LONGEST_REASON = 1_000

REASON = Parameter("reason", "in", 1, "1", "string", "Why: at least ten characters; it stays on record")
OUT = (
    Parameter("id", "out", 1, "1", "id", "The elevation"),
    Parameter("kind", "out", 1, "1", "code", "break-glass | operator"),
    Parameter("state", "out", 1, "1", "code", "requested | refused | active | ended | expired"),
    Parameter("person", "out", 0, "1", "string", "Who gets it"),
    Parameter("patient", "out", 0, "1", "string", "Whose record"),
    Parameter("reason", "out", 1, "1", "string", "Why"),
    Parameter("minutes", "out", 1, "1", "integer", "For how long"),
    Parameter("asked", "out", 1, "1", "instant", "When it was asked for"),
    Parameter("decided", "out", 0, "1", "instant", "When it was decided on"),
    Parameter("decidedBy", "out", 0, "1", "string", "Who decided"),
    Parameter("decision", "out", 0, "1", "string", "What whoever decided said"),
    Parameter("expires", "out", 0, "1", "instant", "Until when it holds"),
    Parameter("ended", "out", 0, "1", "instant", "When it was ended before that"),
    Parameter("endedBy", "out", 0, "1", "string", "Who ended it"),
)


def asker(rule: Raising) -> Grant:
    """Return the grant in force, of a person who may ask for an elevation of that kind.

    Errors: 403 forbidden
    """
    grant = current.policy().grant
    if not grant.user or not rule.asks(grant.roles):
        raise forbidden(f"Only these may ask for it: {', '.join(rule.roles)}")
    return grant


def reason(call: Call) -> str:
    """Return why; raises FhirError 400 where that is missing, or too short or long to be one."""
    said = (call.text("reason") or "").strip()
    if not shortest_reason() <= len(said) <= LONGEST_REASON:
        text = f"{call.operation} needs a 'reason' of {shortest_reason()} to {LONGEST_REASON} characters"
        raise FhirError(400, "required", text, "reason")
    return said


def minutes(call: Call, rule: Raising) -> int:
    """Return for how long; raises FhirError 400 for longer than may be."""
    found = call.whole("minutes", 1) or rule.minutes
    if found > rule.most:
        raise FhirError(400, "value", f"{call.operation} lasts {rule.most} minutes at most", "minutes")
    return found


def told(one: Elevation) -> dict[str, Any]:
    """Return an elevation as a Parameters resource."""
    given: list[dict[str, Any]] = [
        {"name": "id", "valueId": one.id},
        {"name": "kind", "valueCode": one.kind},
        {"name": "state", "valueCode": one.state(datetime.now(UTC))},
        {"name": "reason", "valueString": one.reason},
        {"name": "minutes", "valueInteger": one.minutes},
        {"name": "asked", "valueInstant": instant(one.asked)},
    ]
    texts = {"person": one.person, "patient": one.patient, "decidedBy": one.decided_by}
    texts |= {"decision": one.decision, "endedBy": one.ended_by}
    given += [{"name": name, "valueString": value} for name, value in texts.items() if value]
    moments = {"decided": one.decided, "expires": one.expires, "ended": one.ended}
    given += [{"name": name, "valueInstant": instant(value)} for name, value in moments.items() if value]
    return {"resourceType": "Parameters", "parameter": given}


def answer(one: Elevation, status: int = 200) -> Result:
    """Return the answer that is an elevation."""
    return Result(status, dump_json(told(one)), headers={"Cache-Control": "no-store"})
