"""People who write themselves more rights: into care teams, as relatives, by consents, roles, elevations.

After each try the record that they wanted is as closed to them as before.

Source: OWASP API Security 2023 API5 (broken function level authorization); NIST SP 800-53 AC-6
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from tests.integration.access.people import Clinic, clinic
from tests.unit.consent.make import actor, consent

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
BOB = {"reference": "Patient/bob"}
FULL = ("user/*.cruds",)
PEOPLE: dict[str, Json] = {
    "Ada": {"user": "Patient/ada", "roles": ("patient",), "scopes": FULL},
    "a caregiver": {"user": "RelatedPerson/mia", "roles": ("caregiver",), "scopes": FULL, "acting_for": ("Patient/bob",)},
    "a clinician of another team": {"user": "Practitioner/doc", "roles": ("clinician",), "scopes": FULL},
    "a researcher": {"user": "Practitioner/r", "roles": ("researcher",), "scopes": FULL},
    "an operator": {"user": "Practitioner/op", "roles": ("operator",), "scopes": FULL},
    "an auditor": {"user": "Practitioner/au", "roles": ("auditor",), "scopes": FULL},
    "somebody without a role": {"user": "Person/new", "roles": (), "scopes": FULL},
    "a service for Organizations": {"subject": "nightly", "scopes": ("system/Organization.cruds",)},
}  # fmt: skip


class Try(NamedTuple):
    """What was tried, with `{me}` for who tries."""

    tried: str
    method: str
    url: str
    body: Any = None


def _parameters(**said: Any) -> Json:
    kinds = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": name, kinds[type(value)]: value} for name, value in said.items()],
    }


def _permit(**more: Any) -> Json:
    found = consent({"type": "permit", "actor": [actor("{me}")]}, base="OPTIN", patient="Patient/bob", **more)
    return {name: value for name, value in found.items() if name != "id"}


TEAM = {
    "resourceType": "CareTeam",
    "status": "active",
    "subject": BOB,
    "participant": [{"member": {"reference": "{me}"}}],
}
RELATED = {
    "resourceType": "RelatedPerson",
    "active": True,
    "patient": BOB,
    "relationship": [{"text": "mother"}],
}
ROLE = {
    "resourceType": "PractitionerRole",
    "active": True,
    "practitioner": {"reference": "{me}"},
    "organization": {"reference": "Organization/clinic"},
}
SHOWN = {
    "resourceType": "DocumentReference",
    "status": "current",
    "subject": {"reference": "{me}"},
    "content": [{"attachment": {"url": "Binary/bob-binary"}}],
}

TRIES = [
    Try("into the care team", "POST", "CareTeam", TEAM),
    Try("into the care team under an id", "PUT", "CareTeam/own", {**TEAM, "id": "own"}),
    Try("into the care team by condition", "PUT", "CareTeam?name=own", TEAM),
    Try("into the care team by patch", "PATCH", "CareTeam?subject=Patient/bob", [{"op": "add", "path": "/participant/-", "value": {"member": {"reference": "{me}"}}}]),
    Try("into the care team in a batch", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": TEAM, "request": {"method": "POST", "url": "CareTeam"}}]}),
    Try("into the care team in a transaction", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": TEAM, "request": {"method": "POST", "url": "CareTeam"}}]}),
    Try("as a relative", "POST", "RelatedPerson", RELATED),
    Try("as the relative whom one is", "PUT", "RelatedPerson/mia", {**RELATED, "id": "mia"}),
    Try("by a consent of the other", "POST", "Consent", _permit()),
    Try("by a consent under an id", "PUT", "Consent/own", {**_permit(), "id": "own"}),
    Try("by a consent to research", "POST", "Consent", _permit(scope="research")),
    Try("by a role", "POST", "PractitionerRole", ROLE),
    Try("as the other", "PUT", "Patient/bob", {"resourceType": "Patient", "id": "bob", "link": [{"other": {"reference": "{me}"}, "type": "refer"}]}),
    Try("as the same person", "POST", "Person", {"resourceType": "Person", "link": [{"target": BOB}, {"target": {"reference": "{me}"}}]}),
    Try("by a link from oneself", "POST", "Patient", {"resourceType": "Patient", "link": [{"other": BOB, "type": "replaces"}]}),
    Try("by a document that shows the other's file", "POST", "DocumentReference", SHOWN),
    Try("by a group", "POST", "Group", {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": BOB}, {"entity": {"reference": "{me}"}}]}),
    Try("by a list", "POST", "List", {"resourceType": "List", "status": "current", "mode": "working", "subject": {"reference": "{me}"}, "entry": [{"item": {"reference": "Observation/bob-lab"}}]}),
    Try("by an episode of care", "POST", "EpisodeOfCare", {"resourceType": "EpisodeOfCare", "status": "active", "patient": BOB, "careManager": {"reference": "{me}"}}),
    Try("by a rule that is asked everywhere", "POST", "SearchParameter", {"resourceType": "SearchParameter", "url": "http://x.example/p", "name": "p", "status": "active", "description": "x", "code": "p", "base": ["Observation"], "type": "token", "expression": "Observation.code"}),
    Try("with more rights, asked for", "POST", "$elevate", _parameters(reason="Because I would like to see it")),
    Try("with more rights, agreed to by oneself", "POST", "$elevate-decide", _parameters(id="{elevation}", approve=True)),
    Try("with rights that are none", "POST", "$elevate-decide", _parameters(id="' OR '1'='1", approve=True)),
    Try("erasing", "POST", "Patient/bob/$erase", {"resourceType": "Parameters"}),
    Try("indexing anew", "POST", "$reindex", {"resourceType": "Parameters"}),
]  # fmt: skip

WANTED = ("Patient/bob", "Observation/bob-lab", "Binary/bob-binary", "DocumentReference/bob-document")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(database_url: str) -> AsyncIterator[Clinic]:
    """Yield a clinic where clinicians see the patients of their care teams."""
    async with clinic(database_url) as one:
        one.app.fhir.policies.care_teams = True
        async with one.client() as admin:
            mia = {"resourceType": "RelatedPerson", "id": "mia", "patient": {"reference": "Patient/ada"}}
            assert (await admin.put("RelatedPerson/mia", json=mia)).status_code == 201
            team = {**TEAM, "id": "bobs", "participant": [{"member": {"reference": "Practitioner/other"}}]}
            assert (await admin.put("CareTeam/bobs", json=team)).status_code == 201
        yield one


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    return known.get(value, value) if isinstance(value, str) else value


async def _seen(client: httpx.AsyncClient) -> list[int]:
    return [(await client.get(path)).status_code for path in WANTED]


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("attack", TRIES, ids=lambda one: one.tried)
async def test_nobody_writes_themselves_more_rights(here: Clinic, who: str, attack: Try) -> None:
    async with here.client(**PEOPLE[who]) as client:
        assert not {200} & {*await _seen(client)}
        asked = await client.post("$elevate", json=_parameters(reason="Ticket 12: a wrong merge"))
        said = {one["name"]: [*one.values()][-1] for one in asked.json().get("parameter", [])}
        elevation = str(said.get("id", "none"))
        known = {"{me}": PEOPLE[who].get("user", "Device/nightly"), "{elevation}": elevation}
        mime = "application/json-patch+json" if attack.method == "PATCH" else "application/fhir+json"
        answer = await client.request(
            attack.method, attack.url, json=_filled(attack.body, known), headers={"Content-Type": mime}
        )
        assert answer.status_code < 500, answer.text
        assert "secret of bob" not in answer.text
        assert not {200} & {*await _seen(client)}, answer.text
    async with here.client(
        scopes=("patient/*.rs",), patient="bob", **{k: v for k, v in PEOPLE[who].items() if k != "scopes"}
    ) as launched:
        assert not {200} & {*await _seen(launched)} or who == "a service for Organizations"
