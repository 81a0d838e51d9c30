"""The Consents of the database, read once and kept as long as they are what is there; compiled for one grant.

Source: docs/explanation/consent.md
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.consent import elevations
from fhir_server.consent.actors import actors, current, named, persons, rids
from fhir_server.consent.compiled import Compiled, Held, compiled, denied
from fhir_server.consent.facts import Asking
from fhir_server.consent.parsing import directive
from fhir_server.consent.purposes import usual, widened
from fhir_server.consent.redaction import redaction
from fhir_server.consent.rules import Rule
from fhir_server.storage import epochs
from fhir_server.storage.binary import Int8s
from fhir_server.storage.read import COLUMNS
from fhir_server.storage.rows import Row, type_number
from resources.codec.json import parse_json

if TYPE_CHECKING:
    from fhir_server.access.grant import Grant

BREAK_GLASS = "break-glass:"
LOOK_AGAIN_S = 60.0
"""Periods of roles, care teams and relations end unseen: those who have any are looked at again after so long."""

_VERSIONS = "SELECT rid, version FROM resource WHERE type = %s AND live"
_TAILS = f"SELECT {COLUMNS} FROM resource WHERE rid = ANY(%s) AND live"
_OF_PATIENTS = "SELECT rid FROM resource WHERE type = %s AND live AND pid = ANY(%s)"


class Standing(msgspec.Struct, frozen=True):
    """What somebody's rights are by now, whatever a token said when it was made.

    Shape:  `elevations` and `acting_for` as in a Grant; `until` when the first of them ends, 0 where none does
    """

    elevations: tuple[str, ...] = ()
    acting_for: tuple[str, ...] = ()
    until: float = 0.0


class Book:
    """The Consents of one database, as one process knows them."""

    def __init__(self, default: str = "opt-out") -> None:
        self.default = default
        self._held: dict[int, tuple[int, Held | None]] = {}
        self._epoch = -1

    async def left_to(
        self, conn: AsyncConnection[Any], grant: Grant, _patients: tuple[int, ...] | None
    ) -> Compiled:
        """Return what all Consents leave to a grant."""
        held = await self.held(conn)
        asking = await self.asking(conn, grant)
        own = await rids(conn, asking.own | asking.opened | asking.proxied)
        found = compiled(asking, held, own)
        if any(_of_actions(rule) for one in held for rule in one.directive.rules):
            found.writing = compiled(msgspec.structs.replace(asking, action="write"), held, own)
        found.veil = redaction(grant.roles)
        if len(asking.actors) > 1 or asking.proxied:
            found.until = min(found.until or float("inf"), asking.now + LOOK_AGAIN_S)
        return found

    async def held(self, conn: AsyncConnection[Any]) -> Sequence[Held]:
        """Return every Consent that says who may see what, as it is now."""
        epoch = await epochs.current(conn, "policy")
        if epoch != self._epoch:
            found = await (await conn.execute(_VERSIONS, (type_number("Consent"),))).fetchall()
            versions = {int(rid): int(version) for rid, version in found}
            known = {rid: one for rid, one in self._held.items() if versions.get(rid) == one[0]}
            self._held = known | await read(conn, [rid for rid in versions if rid not in known])
            self._epoch = epoch
        return [one for _, one in self._held.values() if one is not None]

    async def asking(self, conn: AsyncConnection[Any], grant: Grant) -> Asking:
        """Return who asks, by a grant."""
        now = time.time()
        purpose = grant.purpose or usual(grant.user, grant.roles)
        opened = {one.removeprefix(BREAK_GLASS) for one in grant.elevations if one.startswith(BREAK_GLASS)}
        own = {one for one in await persons(conn, grant.user) if one.startswith("Patient/")}
        return Asking(
            await actors(conn, grant.user, now),
            purpose,
            now=now,
            opened=frozenset(opened),
            own=frozenset(own if not grant.purpose or "PATRQT" in widened(grant.purpose) else ()),
            proxied=frozenset(set(grant.acting_for) - own),
            default=self.default,
        )


async def read(conn: AsyncConnection[Any], wanted: Sequence[int]) -> dict[int, tuple[int, Held | None]]:
    """Return Consents by row number, each with its version; None where it says nothing of who may see what."""
    if not wanted:
        return {}
    rows = await (await conn.execute(_TAILS.encode(), (Int8s(wanted),), binary=True)).fetchall()
    found: dict[int, tuple[int, Held | None]] = {}
    for row in (Row(*each) for each in rows):
        one = directive(parse_json(row.json()))
        if one is None or row.pid is None or not one.patient:
            found[row.rid] = row.version, None
        else:
            mentioned = [value.partition(" ")[2] for rule in one.rules for value in _data(rule)]
            found[row.rid] = row.version, Held(one, row.pid, await rids(conn, mentioned))
    return found


def _of_actions(rule: Rule) -> bool:
    return any(one.kind == "action" for one in rule.criteria)


def _data(rule: Rule) -> list[str]:
    return [value for one in rule.criteria if one.kind == "data" for value in one.values]


async def standing(conn: AsyncConnection[Any], grant: Grant) -> Standing:
    """Return the rights of whoever has a grant, by now.

    Shape:  elevations are those on record alone; patients to act for those whose Consents still say so
    """
    raised = await elevations.in_force(conn, grant.subject)
    until = min((one.expires.timestamp() for one in raised if one.expires is not None), default=0.0)
    acting = await acting_for(conn, grant.user)
    return Standing(tuple(one.name for one in raised), acting, until)


async def acting_for(conn: AsyncConnection[Any], user: str) -> tuple[str, ...]:
    """Return the patients for whom somebody may act: as a RelatedPerson of theirs whom their Consents let act."""
    if not user.startswith(("RelatedPerson/", "Person/")):
        return ()
    now = time.time()
    related = [one for one in await persons(conn, user) if one.startswith("RelatedPerson/")]
    found = []
    for name, resource in (await named(conn, related)).items():
        patient = str(resource.get("patient", {}).get("reference", ""))
        active = resource.get("active", True) and current(resource.get("period"), now)
        if active and patient.startswith("Patient/") and await _agreed(conn, name, patient, now):
            found.append(patient)
    return tuple(sorted(set(found)))


async def _agreed(conn: AsyncConnection[Any], proxy: str, patient: str, now: float) -> bool:
    """Whether a patient's Consents name a proxy in a permit, and do not take all of it back."""
    own = await rids(conn, [patient])
    if patient not in own:
        return False
    held = await of_patients(conn, [own[patient]])
    rules = [rule for one in held for rule in one.directive.rules]
    if not any(rule.effect == "permit" and rule.in_force(now) and _names(rule, proxy) for rule in rules):
        return False
    asking = Asking(frozenset({proxy}), "FAMRQT", now=now, proxied=frozenset({patient}))
    return denied(asking, held, patient) is not True


async def of_patients(conn: AsyncConnection[Any], pids: Sequence[int]) -> list[Held]:
    """Return the Consents of patients that say who may see what."""
    values = type_number("Consent"), Int8s(pids)
    wanted = [rid for (rid,) in await (await conn.execute(_OF_PATIENTS, values)).fetchall()]
    return [one for _, one in (await read(conn, wanted)).values() if one is not None]


def _names(rule: Rule, actor: str) -> bool:
    return any(one.kind == "actor" and actor in one.values for one in rule.criteria)
