"""Grants compiled to policies: scopes, roles, the facts of the database, and patients' consents.

A policy holds as long as the epoch 'policy' does, which ends with every write of what it was made of. It is compiled
once for all tokens of the same rights.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.access import facts
from fhir_server.access.arguments import Condition
from fhir_server.access.attributes import Now, Rule, counting, until
from fhir_server.access.attributes import own as own_rules
from fhir_server.access.grant import Grant
from fhir_server.access.policy import OPENED, UNBOUND, Consents, Policy, Way
from fhir_server.access.reach import Patients
from fhir_server.access.roles import Role
from fhir_server.access.roles import table as roles
from fhir_server.access.scopes import BadScopeError, Scope, clinical
from fhir_server.consent import stored
from fhir_server.consent.actors import actors
from fhir_server.consent.purposes import usual
from fhir_server.storage import epochs
from resources.definitions import definitions

KEPT = 1_000
"""Policies that are remembered."""

OPERATOR = "operator"

Granular = Callable[[AsyncConnection[Any], str, tuple[tuple[str, str], ...]], Awaitable[Condition | None]]
"""Takes a type and search parameters and returns what these mean, None where the type has not got them."""

Asking = Callable[[AsyncConnection[Any], Grant, Patients], Awaitable[Consents]]


class Policies:
    """The policies of one process, compiled as they are asked for.

    Shape:  `care_teams` says that clinicians see the patients of their care teams only
    """

    def __init__(
        self,
        granular: Granular,
        *,
        care_teams: bool = False,
        consents: Asking | None = None,
        rules: Sequence[Rule] = (),
        zone: tzinfo = UTC,
    ) -> None:
        self.rules = (*own_rules(), *rules)
        self.zone = zone
        self.granular = granular
        self.care_teams = care_teams
        self.consents = consents
        self._kept: OrderedDict[Grant, tuple[int, float, Policy]] = OrderedDict()

    async def of(self, conn: AsyncConnection[Any], grant: Grant, epoch: int | None = None) -> Policy:
        """Return the policy of a grant under the epoch in force (asked for where it is not given)."""
        if grant.unbounded:
            return (UNBOUND if grant.client == "system" else OPENED).fresh(grant)
        now = await epochs.current(conn, "policy") if epoch is None else epoch
        key = _rights(grant)
        kept = self._kept.get(key)
        if kept is None or kept[0] != now or (kept[1] and kept[1] <= time.time()):
            standing = await stored.standing(conn, grant)
            counted, again = await self._counted(conn, raised(grant, standing))
            policy, lasting = await self._compiled(conn, counted)
            if not lasting:
                return policy
            ends = min(filter(None, (policy.consents.until, standing.until, again)), default=0.0)
            self._kept[key] = kept = (now, ends, policy)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept[2].fresh(grant)

    async def _counted(self, conn: AsyncConnection[Any], grant: Grant) -> tuple[Grant, float]:
        """Return a grant with the roles that count now, and when to look again; without any left it allows nothing."""
        if not any(rule.role in grant.roles for rule in self.rules):
            return grant, 0.0
        moment = datetime.now(self.zone)
        named = any(rule.organizations and rule.role in grant.roles for rule in self.rules)
        groups = await actors(conn, grant.user, moment.timestamp()) if named else frozenset()
        purpose = grant.purpose or usual(grant.user, grant.roles)
        roles_now = counting(grant.roles, self.rules, Now(purpose, grant.address, moment, groups))
        scopes = grant.scopes if roles_now else ()
        again = until(grant.roles, self.rules, moment)
        return msgspec.structs.replace(grant, roles=roles_now, scopes=scopes, purpose=purpose), again

    def remembered(self, grant: Grant) -> Policy | None:
        """Return the policy that a grant had last, None without one; whoever uses it has to look up its `epoch`."""
        if grant.unbounded:
            return (UNBOUND if grant.client == "system" else OPENED).fresh(grant)
        kept = self._kept.get(_rights(grant))
        if kept is None or (kept[1] and kept[1] <= time.time()):
            return None
        return kept[2].fresh(grant, kept[0])

    async def _compiled(self, conn: AsyncConnection[Any], grant: Grant) -> tuple[Policy, bool]:
        """Return a new policy, and whether it lasts: one with facts missing is made anew each time."""
        try:
            scopes = clinical(grant.scopes)
        except BadScopeError:
            scopes = []
        known = await facts.gathered(conn, grant, care_teams=self._by_care_team(grant))
        ways: dict[str, list[Way]] = {}
        for name in definitions().resource_types:
            found = [way for one in scopes for way in await self._ways(conn, one, name, grant, known)]
            if found:
                ways[name] = found
        reach = _reach(ways)
        consents = await self.consents(conn, grant, reach) if self.consents is not None and ways else None
        return Policy(grant, ways, consents, administers=_administers(grant, scopes)), known.complete

    def _by_care_team(self, grant: Grant) -> bool:
        return self.care_teams and any(
            _row(name).patients == "care" for name in grant.roles if name in roles()
        )

    async def _ways(
        self, conn: AsyncConnection[Any], one: Scope, name: str, grant: Grant, known: facts.Facts
    ) -> list[Way]:
        """Return the ways that a scope opens to a type."""
        if one.type not in ("*", name):
            return []
        condition = await self.granular(conn, name, one.query) if one.query else None
        if one.query and condition is None:
            return []
        if one.level == "system":
            return [] if grant.user else [Way(one.actions, None, condition)]
        found = []
        for patients, actions in _levels(one, name, grant, known, self.care_teams):
            shared = "".join(action for action in one.actions if action in actions)
            found += [Way(shared, patients, condition)] if shared else []
        return found


def raised(grant: Grant, standing: stored.Standing) -> Grant:
    """Return a grant with what its user's rights are by now: elevations on record, and whom a proxy still acts for."""
    acting = grant.acting_for
    if grant.user.startswith(("RelatedPerson/", "Person/")):
        acting = tuple(one for one in acting if one in standing.acting_for)
    return msgspec.structs.replace(grant, elevations=standing.elevations, acting_for=acting)


def _rights(grant: Grant) -> Grant:
    """Return a grant without what tells tokens of the same rights apart."""
    return msgspec.structs.replace(grant, session="", token="", expires=0.0)


def _levels(
    one: Scope, name: str, grant: Grant, known: facts.Facts, care_teams: bool
) -> Iterable[tuple[Patients, str]]:
    """Return the patients whom a scope of a person reaches by each role, and the actions that the role has."""
    listed = [roles()[role] for role in grant.roles if role in roles()]
    if not grant.roles and one.level == "patient" and grant.user == f"Patient/{grant.patient}":
        yield known.patient, "cruds"
    if OPERATOR in grant.elevations and OPERATOR in grant.roles and name != "AuditEvent":
        yield (None if one.level == "user" else known.patient), "rs"
    for role in listed:
        if role.reaches(name):
            reached = _patients(role, known, care_teams)
            yield (reached if one.level == "user" else _both(reached, known.patient)), role.actions


def _patients(role: Role, known: facts.Facts, care_teams: bool) -> Patients:
    if role.patients == "own":
        return known.own
    if role.patients == "care" and care_teams:
        return tuple(sorted({*known.cared_for, *known.broken}))
    return () if role.patients == "none" else None


def _both(reached: Patients, patient: tuple[int, ...]) -> Patients:
    return patient if reached is None else tuple(rid for rid in patient if rid in reached)


def _row(name: str) -> Role:
    return roles()[name]


def _reach(ways: dict[str, list[Way]]) -> Patients:
    """Return all patients in reach by any way."""
    found: set[int] = set()
    for listed in ways.values():
        for way in listed:
            if way.patients is None:
                return None
            found.update(way.patients)
    return tuple(sorted(found))


def _administers(grant: Grant, scopes: list[Scope]) -> bool:
    """Whether a grant may run the server: an operator's, or a backend service's for everything."""
    service = not grant.user and any(
        (one.level, one.type, one.actions, one.query) == ("system", "*", "cruds", ()) for one in scopes
    )
    return service or OPERATOR in grant.roles
