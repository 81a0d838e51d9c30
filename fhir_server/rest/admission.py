"""On whose behalf a call comes, and the policy that it is answered under.

Source: RFC 6750, section 3; http://hl7.org/fhir/R4/security.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.types import Scope

from fhir_server.access import attributes, current
from fhir_server.access.compiling import Policies
from fhir_server.access.grant import OPEN, Grant
from fhir_server.access.looking import Looking
from fhir_server.access.policy import Policy, StalePolicyError
from fhir_server.consent.stored import Book
from fhir_server.exchange import Result, Server, Session
from fhir_server.gate import require
from fhir_server.rest.call import Call
from fhir_server.search import consented
from fhir_server.search.granular import granular
from fhir_server.storage import epochs
from resources.outcome import FhirError

if TYPE_CHECKING:
    from fhir_server.settings import Settings

Authenticate = Callable[[Mapping[str, str], str], Awaitable[Grant]]
"""Takes the headers of a call and the address that it comes from; raises FhirError 401."""

PUBLIC = frozenset({"capabilities"})
"""Interactions that need no token."""


def policies_of(server: Server) -> Policies:
    """Return what compiles the policies of a server."""
    settings = server.settings
    consented.register()
    return Policies(
        granular(server),
        care_teams=settings.clinician_reach == "care-team",
        consents=Book(settings.consent_default).left_to,
        rules=attributes.read(settings.access_rules) if settings.access_rules else (),
        zone=settings.zone,
    )


def epoch_of(server: Server) -> Looking:
    """Return what looks up the epoch of policies."""

    async def look() -> int:
        async with Session(server).connection() as conn:
            return await epochs.current(conn, "policy")

    return Looking(look)


def unauthorized(text: str) -> FhirError:
    """Return the answer to a call without a token."""
    return FhirError(401, "login", text, headers={"WWW-Authenticate": 'Bearer realm="fhir"'})


async def granted(call: Call, scope: Scope, settings: Settings, authenticate: Authenticate | None) -> Grant:
    """Return on whose behalf a call comes.

    Errors: 401 login
    """
    if call.route.interaction in PUBLIC:
        return OPEN
    if authenticate is not None:
        return await authenticate(call.headers, address_of(scope))
    if settings.authorization == "open":
        return OPEN
    raise unauthorized("This server answers to access tokens only")


def address_of(scope: Scope) -> str:
    """Return the address that a call comes from, empty where there is none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def answered(
    server: Server, epoch: Looking, call: Call, answer: Callable[[], Awaitable[Result]], path: str
) -> Result:
    """Return what `answer` does under the policy of the call's grant, which `call.policy` is from then on.

    Shape:  a policy that is remembered serves where it is still in force: a read finds that out itself, for the others
            it is looked up
    Errors: 403 forbidden, and those of `answer`
    """
    known = server.policies.remembered(call.grant)
    if known is not None:
        reads = call.route.interaction == "read" and _allows(known, call, path)
        try:
            if not reads and not call.grant.unbounded:
                known.confirm(await epoch.now())
            return await _under(known, call, answer, path)
        except StalePolicyError:
            pass
    async with Session(server).connection() as conn:
        policy = await server.policies.of(conn, call.grant)
    return await _under(policy, call, answer, path)


def _allows(policy: Policy, call: Call, path: str) -> bool:
    """Whether a policy that may not be in force any more grants what is asked for: a refusal is for one that is."""
    try:
        require(policy, call.route, path)
    except FhirError:
        return False
    return True


async def _under(policy: Policy, call: Call, answer: Callable[[], Awaitable[Result]], path: str) -> Result:
    call.policy = policy
    call.grant = policy.grant
    require(policy, call.route, path)
    with current.entered(policy):
        return await answer()
