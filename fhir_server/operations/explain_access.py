"""`[type]/[id]/$explain-access`: why somebody could or could not see this resource, rule by rule.

For auditors, on any resource, and for patients (and those who act for them) on resources of their own. The decision is
that of the gate itself; the steps are what led to it.
Source: Regulation (EU) 2016/679, articles 12 and 15; docs/explanation/consent.md
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import current, seen
from fhir_server.access.grant import Grant
from fhir_server.access.policy import SEEING, forbidden
from fhir_server.access.scopes import BadScopeError, normalized
from fhir_server.consent import elevations
from fhir_server.consent.stored import acting_for
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.explained import Json, consented, fallen, ownership, part
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.storage import read
from fhir_server.storage.rows import Row
from fhir_server.version import CANONICAL
from resources.codec.json import dump_json
from resources.outcome import FhirError

NAME = "$explain-access"
_KNOWN = frozenset({"user", "client", "role", "scope", "purpose", "patient"})
_USUAL_ROLES = {"Patient": "patient", "RelatedPerson": "caregiver", "Practitioner": "clinician"}
_PEOPLE = frozenset({*_USUAL_ROLES, "PractitionerRole", "Person"})


async def explain_access(session: Session, request: Request) -> Result:
    """Return whether somebody could see the resource, and each rule that had a say.

    Errors: 403 for whoever is neither an auditor nor concerned; 404, 410; 400 for a caller that cannot be
    """
    call = read_call(request, NAME, _KNOWN)
    type_name, id_ = request.segments[0], request.segments[1]
    async with session.connection() as conn:
        row, whose = await _row(conn, type_name, id_)
        grant = await _grant(conn, call)
        policy = await session.server.policies.of(conn, grant)
        with current.entered(policy):
            permitted = policy.allows("r", type_name) and await seen.may_see(conn, policy, row)
        steps = [
            *_scopes(grant, policy.allows("r", type_name) or policy.allows("s", type_name), type_name),
            await ownership(conn, row),
            *(part("elevation", "permit", f"In force: {name}") for name in policy.grant.elevations),
            *await consented(conn, session.server.settings.consent_default, policy.grant, row, whose),
        ]
    steps += fallen(permitted, steps)
    decision = {"name": "decision", "valueCode": "permit" if permitted else "deny"}
    who = {"name": "caller", "valueString": grant.user or grant.client}
    body = {"resourceType": "Parameters", "parameter": [decision, who, *steps]}
    return Result(200, dump_json(body), headers={"Cache-Control": "no-store"})


async def _row(conn: AsyncConnection[Any], type_name: str, id_: str) -> tuple[Row, frozenset[int] | None]:
    """Return the row in question, and the patients of whom rules may be told; None: of all.

    Errors: 404, 410; 403 where the resource is not about whoever asks
    """
    policy = current.policy()
    if policy.unbounded or "auditor" in policy.grant.roles:
        return read.there(await read.current(conn, type_name, id_), f"{type_name}/{id_}"), None
    own = {one for one in (policy.grant.user, *policy.grant.acting_for) if one.startswith("Patient/")}
    if not own:
        raise forbidden(f"{NAME} is for auditors, and for patients on their own record")
    row = read.there(await seen.current(conn, type_name, id_), f"{type_name}/{id_}")
    found = [await read.current(conn, "Patient", one.partition("/")[2]) for one in sorted(own)]
    mine = frozenset(one.rid for one in found if one is not None)
    if mine.isdisjoint(row.owners if row.owners is not None else [row.pid]):
        raise forbidden("This resource is not a part of your record")
    return row, mine


async def _grant(conn: AsyncConnection[Any], call: Call) -> Grant:
    """Return the grant of whom the call asks about: what is not said is what is usual.

    Errors: 400
    """
    user, client = call.text("user") or "", call.text("client") or ""
    kind, _, id_ = user.partition("/")
    if not user and not client:
        raise FhirError(400, "required", f"{NAME} needs a 'user' (Practitioner/1) or a 'client'", "user")
    if user and (kind not in _PEOPLE or not id_ or "/" in id_):
        raise FhirError(
            400, "value", f"'{user[:80]}' is no reference to a person such as Practitioner/1", "user"
        )
    roles = tuple(str(one.value) for one in call.all("role")) or (
        (_USUAL_ROLES[kind],) if kind in _USUAL_ROLES else ()
    )
    said = " ".join(str(one.value) for one in call.all("scope")) or ("user/*.rs" if user else "system/*.rs")
    try:
        scopes = normalized(said)
    except BadScopeError as error:
        raise FhirError(400, "value", str(error), "scope") from None
    raised = await elevations.of_person(conn, user) if user else ()
    return Grant(
        raised[0].subject if raised else user or client,
        client,
        scopes,
        user,
        patient=(call.text("patient") or "").removeprefix("Patient/"),
        roles=roles,
        purpose=call.text("purpose") or "",
        acting_for=await acting_for(conn, user),
    )


def _scopes(grant: Grant, granted: bool, type_name: str) -> list[Json]:
    text = f"Scopes {' '.join(grant.scopes)}, roles {', '.join(grant.roles) or 'none'}"
    does = "let" if granted else "do not let"
    letters = " or ".join(SEEING)
    return [part("scope", "permit" if granted else "deny", f"{text} {does} {type_name} be seen ({letters})")]


register(
    Operation(
        NAME,
        explain_access,
        f"{CANONICAL}/OperationDefinition/explain-access",
        frozenset({"instance"}),
    )
)
describe(
    NAME,
    "Why somebody could or could not see this resource, rule by rule. For auditors, and for patients on their own"
    " record.",
    (
        Parameter("user", "in", 0, "1", "string", "Who: Practitioner/1, Patient/1, RelatedPerson/1"),
        Parameter("client", "in", 0, "1", "string", "Or which backend service"),
        Parameter("role", "in", 0, "*", "string", "Roles; without any the usual one of such a person"),
        Parameter("scope", "in", 0, "*", "string", "Scopes; without any user/*.rs, of a service system/*.rs"),
        Parameter("purpose", "in", 0, "1", "string", "Purpose of use; without one the usual one"),
        Parameter("patient", "in", 0, "1", "string", "The patient in context"),
        Parameter("decision", "out", 1, "1", "code", "permit | deny"),
        Parameter("caller", "out", 1, "1", "string", "Who it was asked about"),
        Parameter(
            "step", "out", 0, "*", "Element", "A rule: kind, result, text, and where a Consent says it"
        ),
    ),
)
