"""What a grant lets one see, resource by resource."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tests.security.judge.whose import NOBODYS, SHARED, World, reached

Json = dict[str, Any]
_SCOPE = re.compile(r"(patient|user|system)/(\w+|\*)\.([cruds]+)(?:\?(.+))?")

PHARMACY = frozenset(
    {"Patient", "Condition", "Observation", "Medication", "MedicationRequest", "Practitioner"}
) | {
    "Organization",
    "Location",
    "RelatedPerson",
    "Task",
    "Provenance",
    "Consent",
}


@dataclass(frozen=True)
class Asker:
    """Who asks: scopes as SMART writes them; `patient` the launch context; `user` 'Type/id'; one role or none."""

    scopes: tuple[str, ...]
    patient: str = ""
    user: str = ""
    role: str = ""
    acting_for: tuple[str, ...] = ()


def may_see(asker: Asker, key: str, world: World) -> bool:
    """Whether the asker may see a resource, consents left aside."""
    return any(_by(scope, asker, key, world) for scope in asker.scopes)


def proxied(asker: Asker, world: World) -> set[str]:
    """Return the patients for whom the asker really may act: as their RelatedPerson, by their Consent."""
    kin = world.get(asker.user, {})
    whose = kin.get("patient", {}).get("reference", "")
    permits = (
        actor["reference"]["reference"]
        for one in world.values()
        if one["resourceType"] == "Consent" and one["patient"]["reference"] == whose
        for rule in (one["provision"], *one["provision"].get("provision", ()))
        if rule["type"] == "permit"
        for actor in rule.get("actor", ())
    )
    return {whose} & set(asker.acting_for) if asker.user in permits else set()


def has_scope(asker: Asker, kind: str, letters: str) -> bool:
    """Whether any scope has one of `letters` for a type, as far as the role has to do with it."""
    for text in asker.scopes:
        level, of, actions, _ = _parts(text)
        if (
            of in ("*", kind)
            and set(actions) & set(letters)
            and (level != "user" or _role_reaches(asker.role, kind))
        ):
            return True
    return False


def _by(text: str, asker: Asker, key: str, world: World) -> bool:
    level, of, actions, query = _parts(text)
    kind = key.partition("/")[0]
    if of not in ("*", kind) or not set(actions) & set("rs") or not _matches(world[key], query):
        return False
    if level == "system":
        return True
    patients = {asker.patient} if level == "patient" else _users(asker, world)
    if level == "user" and not _role_reaches(asker.role, kind):
        return False
    if patients is None:
        return True
    if kind in SHARED:
        return True
    return kind not in NOBODYS and bool(reached(key, world) & patients)


def _users(asker: Asker, world: World) -> set[str] | None:
    """Return the ids of the patients that a user may see, None for all."""
    if asker.role in ("clinician", "pharmacist"):
        return None
    own = {asker.user} if asker.user.startswith("Patient/") else set()
    return {one.removeprefix("Patient/") for one in own | proxied(asker, world)}


def _role_reaches(role: str, kind: str) -> bool:
    return kind in PHARMACY if role == "pharmacist" else role in ("clinician", "patient", "caregiver")


def _parts(text: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    found = _SCOPE.fullmatch(text)
    assert found is not None, text
    level, of, actions, query = found.groups()
    return level, of, actions, parse_qsl(query or "")


def _matches(resource: Json, query: list[tuple[str, str]]) -> bool:
    """Whether a resource has each category that a granular scope asks for."""
    for name, value in query:
        assert name == "category", name
        system, _, code = value.rpartition("|")
        codings = [one for concept in resource.get("category", ()) for one in concept.get("coding", ())]
        if not any(one["code"] == code and system in ("", one["system"]) for one in codings):
            return False
    return True
