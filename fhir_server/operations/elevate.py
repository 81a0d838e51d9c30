"""Just-in-time elevation of operators: asked for with a reason, decided on by another person, over by itself.

`$elevate` asks, `$elevate-decide` approves or refuses, `$elevate-end` ends one early (one's own, or as an approver),
`$elevations` lists what was.
Source: OWASP ASVS 4.0.3, V1.4 and V4; NIST SP 800-53 AC-6
"""

from __future__ import annotations

from fhir_server.access import current
from fhir_server.access.grant import Grant
from fhir_server.access.policy import forbidden
from fhir_server.changes.ids import new_id
from fhir_server.consent import elevations
from fhir_server.consent.elevations import Ask, Elevation
from fhir_server.consent.raising import rule
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.operations.raised import OUT, REASON, answer, asker, minutes, reason, told
from fhir_server.version import CANONICAL
from resources.codec.json import dump_json
from resources.outcome import FhirError

ASK, DECIDE, END, LIST = "$elevate", "$elevate-decide", "$elevate-end", "$elevations"


async def elevate(session: Session, request: Request) -> Result:
    """Return 202 with the request for an elevation, on which another person has to decide.

    Errors: 403 for others than operators; 400 without a reason
    """
    call = read_call(request, ASK, {"reason", "minutes"})
    row = rule("operator")
    grant = asker(row)
    ask = Ask(new_id(), "operator", grant.subject, grant.user, grant.client, reason(call), minutes(call, row))
    async with session.connection() as conn:
        made = await elevations.ask(conn, ask, at_once=False)
    await _noted(session, grant, made, "requested")
    return answer(made, 202)


async def decide(session: Session, request: Request) -> Result:
    """Return the elevation as decided.

    Errors: 403 for whoever may not decide, above all whoever asked; 404, 409 where nothing is open
    """
    call = read_call(request, DECIDE, {"id", "approve", "comment"})
    grant = current.policy().grant
    if not grant.user or not rule("operator").approves(grant.roles):
        raise forbidden("Only operators and auditors may decide on an elevation")
    if call.one("approve") is None:
        raise FhirError(400, "required", f"{DECIDE} needs 'approve', true or false", "approve")
    approved, said = call.flag("approve"), (call.text("comment") or "")[:1_000]
    async with session.store.transaction() as conn:
        one = await _known(session, call.text("id"))
        if one.subject == grant.subject or one.person == grant.user:
            raise forbidden("Nobody decides on an elevation of their own")
        decided = await elevations.decide(conn, one.id, grant.user, approved=approved, said=said)
    if decided is None:
        raise FhirError(409, "conflict", "This elevation has been decided on, or was asked for too long ago")
    await _noted(session, grant, decided, "approved" if approved else "refused")
    return answer(decided)


async def finish(session: Session, request: Request) -> Result:
    """Return the elevation that ends here.

    Errors: 403 for whoever neither has it nor may decide on it; 404, 409 where it is not in force
    """
    call = read_call(request, END, {"id"})
    grant = current.policy().grant
    one = await _known(session, call.text("id"))
    if one.subject != grant.subject and not rule("operator").approves(grant.roles):
        raise FhirError(404, "not-found", f"There is no elevation '{one.id}'")
    async with session.store.transaction() as conn:
        ended = await elevations.end(conn, one.id, grant.user or grant.subject)
    if ended is None:
        raise FhirError(409, "conflict", "This elevation is not in force")
    await _noted(session, grant, ended, "ended")
    return answer(ended)


async def listed(session: Session, request: Request) -> Result:
    """Return the newest elevations of operators and clinicians, for operators and auditors.

    Errors: 403 for others
    """
    read_call(request, LIST, ())
    if not rule("operator").approves(current.policy().grant.roles):
        raise forbidden("Only operators and auditors may see the elevations")
    async with session.connection() as conn:
        found = [*await elevations.listed(conn, "operator"), *await elevations.listed(conn, "break-glass")]
    parts = [{"name": "elevation", "part": told(one)["parameter"]} for one in found]
    body = {"resourceType": "Parameters", **({"parameter": parts} if parts else {})}
    return Result(200, dump_json(body), headers={"Cache-Control": "no-store"})


async def _known(session: Session, id_: str | None) -> Elevation:
    if not id_:
        raise FhirError(400, "required", "The 'id' of an elevation is needed", "id")
    async with session.connection() as conn:
        found = await elevations.get(conn, id_)
    if found is None:
        raise FhirError(404, "not-found", f"There is no elevation '{id_[:64]}'")
    return found


async def _noted(session: Session, grant: Grant, one: Elevation, what: str) -> None:
    detail = {"elevation": one.id, "what": what, "kind": one.name, "person": one.person, "reason": one.reason}
    await session.server.trail.note("elevation", grant, interaction=ASK, detail=detail)


_OURS = f"{CANONICAL}/OperationDefinition/"
_ID = Parameter("id", "in", 1, "1", "id", "The elevation")
for _name, _handler, _writes in (
    (ASK, elevate, True),
    (DECIDE, decide, True),
    (END, finish, True),
    (LIST, listed, False),
):
    register(Operation(_name, _handler, _OURS + _name[1:], frozenset({"system"}), affects_state=_writes))
describe(
    ASK,
    "Ask for sight of clinical content for a while, as an operator. Another operator, or an auditor, must approve it.",
    (REASON, Parameter("minutes", "in", 0, "1", "integer", "For how long: 60 by default, 480 at most"), *OUT),
)
describe(
    DECIDE,
    "Approve or refuse an operator's elevation within a day. Nobody decides on their own.",
    (
        _ID,
        Parameter("approve", "in", 1, "1", "boolean", "Whether it is approved"),
        Parameter("comment", "in", 0, "1", "string", "Why"),
        *OUT,
    ),
)
describe(END, "End an elevation before it is over: one's own, or any as an operator or auditor.", (_ID, *OUT))
describe(
    LIST,
    "The newest elevations and emergencies, for operators and auditors.",
    (Parameter("elevation", "out", 0, "*", "Element", "One of them, with parts as $elevate answers"),),
)
