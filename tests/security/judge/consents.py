"""What patients' consents take away again.

The worlds' Consents do not contradict each other, so that no precedence is needed.
Source: http://hl7.org/fhir/R4/consent.html; everything is permitted that no Consent denies (opt-out)
"""

from __future__ import annotations

from typing import Any

from tests.security.judge.grants import Asker
from tests.security.judge.whose import World, owners, shows

Json = dict[str, Any]


def consented(asker: Asker, key: str, world: World) -> bool:
    """Whether no consent keeps a resource from the asker: each of its patients, and what it belongs through."""
    resource = world[key]
    if not _permitted(asker, resource, resource, world):
        return False
    if resource["resourceType"] == "Provenance":
        targets = [world[one["reference"]] for one in resource["target"] if one["reference"] in world]
        return all(_permitted(asker, one, one, world) for one in targets if owners(one))
    if resource["resourceType"] == "Binary":
        context = resource.get("securityContext", {}).get("reference", "")
        if context in world and not _permitted(asker, world[context], world[context], world):
            return False
        showing = [one for one in world.values() if shows(one, key)]
        return not showing or any(_permitted(asker, one, one, world) for one in showing)
    return True


def _permitted(asker: Asker, resource: Json, about: Json, world: World) -> bool:
    for patient in owners(about):
        if asker.user == f"Patient/{patient}":
            continue
        for consent in world.values():
            if (
                consent["resourceType"] == "Consent"
                and consent["patient"]["reference"] == f"Patient/{patient}"
            ):
                rules = [consent["provision"], *consent["provision"].get("provision", ())]
                if any(_denies(rule, asker, resource) for rule in rules):
                    return False
    return True


def _denies(rule: Json, asker: Asker, resource: Json) -> bool:
    if rule.get("type") != "deny":
        return False
    actors = [one["reference"]["reference"] for one in rule.get("actor", ())]
    classes = [one["code"] for one in rule.get("class", ())]
    codes = [one["coding"][0]["code"] for one in rule.get("code", ())]
    mine = {one["code"] for one in resource.get("code", {}).get("coding", ())}
    return (
        (not actors or asker.user in actors)
        and (not classes or resource["resourceType"] in classes)
        and (not codes or bool(mine & set(codes)))
    )
