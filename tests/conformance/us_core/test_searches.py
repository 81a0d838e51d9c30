"""Every search that US Core's CapabilityStatement asks for, over its own examples.

Source: http://hl7.org/fhir/us/core/STU6.1/CapabilityStatement-us-core-server.html
"""

from __future__ import annotations

import httpx
import pytest

from tests.conformance.us_core.world import examples, required_searches, statement, value

INTENTS = (
    "proposal",
    "plan",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)
SEARCHES = sorted(set(required_searches()))


async def found(
    guide: httpx.AsyncClient, kind: str, pairs: list[tuple[str, str]], post: bool = False
) -> set[str]:
    """Return the ids that a search finds."""
    wanted = [*pairs, ("_count", "500")]
    answer = await (
        guide.post(f"{kind}/_search", data=dict(wanted))
        if post
        else guide.get(kind, params=httpx.QueryParams(tuple(wanted)))
    )
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    return {one["resource"]["id"] for one in entries if one["search"]["mode"] == "match"}


@pytest.mark.parametrize("post", [False, True])
async def test_every_required_search_finds_its_examples(guide: httpx.AsyncClient, post: bool) -> None:
    without = set()
    assert len(SEARCHES) > 40
    for kind, names in SEARCHES:
        for one in examples():
            pairs = [(name, value(one, name)) for name in names] if one["resourceType"] == kind else []
            if pairs and all(text is not None for _, text in pairs):
                given = [(name, str(text)) for name, text in pairs]
                assert one["id"] in await found(guide, kind, given, post), given
                break
        else:
            without.add((kind, names))
    assert without == set()


async def test_provenance_comes_with_every_type_that_asks_for_it(guide: httpx.AsyncClient) -> None:
    asked = [
        one["type"]
        for one in statement()["rest"][0]["resource"]
        if "Provenance:target" in one.get("searchRevInclude", ())
    ]
    assert len(asked) > 15
    for kind in asked:
        target = next(one for one in examples() if one["resourceType"] == kind)
        reference = f"{kind}/{target['id']}"
        provenance = {
            "resourceType": "Provenance",
            "target": [{"reference": reference}],
            "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"who": {"display": "a"}}],
        }
        assert (await guide.post("Provenance", json=provenance)).status_code == 201
        answer = await guide.get(kind, params={"_id": target["id"], "_revinclude": "Provenance:target"})
        included = [one["resource"] for one in answer.json()["entry"] if one["search"]["mode"] == "include"]
        assert reference in [t["reference"] for one in included for t in one["target"]], kind


async def test_medications_come_with_their_requests(guide: httpx.AsyncClient) -> None:
    asked = {"_include": "MedicationRequest:medication", "_count": "500"}
    entries = (await guide.get("MedicationRequest", params=asked)).json()["entry"]
    medications = {
        f"Medication/{one['resource']['id']}" for one in entries if one["search"]["mode"] == "include"
    }
    wanted = {
        one["resource"]["medicationReference"]["reference"]
        for one in entries
        if not one["resource"].get("medicationReference", {"reference": "#"})["reference"].startswith("#")
    }
    assert wanted
    assert wanted <= medications


async def test_all_and_active_medications_are_found(guide: httpx.AsyncClient) -> None:
    requests = [one for one in examples() if one["resourceType"] == "MedicationRequest"]
    patient = requests[0]["subject"]["reference"]
    own = [one for one in requests if one["subject"]["reference"] == patient]
    intents = [("patient", patient), ("intent", ",".join(INTENTS))]
    assert await found(guide, "MedicationRequest", intents) == {one["id"] for one in own}
    active = {one["id"] for one in own if one["status"] == "active"}
    assert await found(guide, "MedicationRequest", [*intents, ("status", "active")]) == active


async def test_tokens_references_and_dates_are_taken_in_every_form(guide: httpx.AsyncClient) -> None:
    one = next(e for e in examples() if e["resourceType"] == "Encounter" and "period" in e)
    patient = one["subject"]["reference"]
    for form in (patient, patient.removeprefix("Patient/"), f"http://server.example/fhir/{patient}"):
        assert one["id"] in await found(guide, "Encounter", [("patient", form)]), form
    lab = next(e for e in examples() if e["id"] == "blood-glucose" or e["resourceType"] == "Observation")
    coding = lab["code"]["coding"][0]
    for form in (coding["code"], f"{coding['system']}|{coding['code']}"):
        assert lab["id"] in await found(guide, "Observation", [("code", form)])
    born = next(e for e in examples() if e["resourceType"] == "Patient" and "birthDate" in e)
    assert born["id"] in await found(guide, "Patient", [("birthdate", born["birthDate"])])
    start, end = one["period"]["start"], one["period"]["end"]
    for form in (f"ge{start[:10]}", f"ge{start}", f"le{end}"):
        assert one["id"] in await found(guide, "Encounter", [("patient", patient), ("date", form)]), form
