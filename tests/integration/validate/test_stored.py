"""Stored profiles, Questionnaires and codes: versions, chains, changes. Source: http://hl7.org/fhir/R4/profiling.html"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.validate.made import Json, errors, issues, observation, patient, profile

BASE = "http://stored.test/StructureDefinition/"


async def store(client: httpx.AsyncClient, *resources: Json) -> None:
    """Store resources under their ids."""
    for one in resources:
        answer = await client.put(f"{one['resourceType']}/{one['id']}", json=one)
        assert answer.is_success, answer.text


async def wrong(client: httpx.AsyncClient, canonical: str, **elements: Any) -> list[str]:
    """Return the texts of the errors of a Patient against a profile."""
    found = await issues(client, f"Patient/$validate?profile={canonical}", patient(**elements))
    return [one["diagnostics"] for one in found if one["severity"] == "error"]


async def test_a_version_means_that_version_and_none_the_newest(client: httpx.AsyncClient) -> None:
    url = BASE + "versions"
    old = profile("gender", url=url, version="1.9.0", id="v1")
    new = profile("birthDate", url=url, version="1.10.0", id="v2")
    await store(client, new, old)
    (plain,) = await wrong(client, url)
    assert "birthDate" in plain
    assert await wrong(client, f"{url}%7C1.10.0") == [plain]
    (former,) = await wrong(client, f"{url}%7C1.9.0")
    assert "gender" in former
    (unknown,) = await wrong(client, f"{url}%7C2.0.0")
    assert f"{url}|2.0.0" in unknown


async def test_profiles_derived_from_each_other_ask_for_all(client: httpx.AsyncClient) -> None:
    one = profile("gender", url=BASE + "one", id="one")
    two = profile("birthDate", url=BASE + "two", id="two", baseDefinition=BASE + "one")
    three = profile("telecom", url=BASE + "three", id="three", baseDefinition=BASE + "two")
    await store(client, three)
    assert "cannot be used" in (await wrong(client, BASE + "three"))[0]
    await store(client, one, two)
    assert len(await wrong(client, BASE + "three")) == 3
    phone = [{"system": "phone", "value": "1"}]
    assert await wrong(client, BASE + "three", gender="male", birthDate="2000", telecom=phone) == []


async def test_profiles_derived_in_a_circle_end(client: httpx.AsyncClient) -> None:
    one = profile(url=BASE + "c1", id="c1", baseDefinition=BASE + "c2")
    two = profile(url=BASE + "c2", id="c2", baseDefinition=BASE + "c1")
    await store(client, one, two)
    (found,) = await wrong(client, BASE + "c1")
    assert "cannot be used" in found


async def test_r4s_own_definitions_cannot_be_replaced(client: httpx.AsyncClient) -> None:
    own = "http://hl7.org/fhir/StructureDefinition/Patient"
    await store(client, profile("birthDate", url=own, id="fake"))
    assert await wrong(client, own) == []
    assert errors(await issues(client, "Patient/$validate", patient())) == []


async def test_an_expression_without_an_end_is_stopped_and_others_are_served(
    client: httpx.AsyncClient,
) -> None:
    endless = "'" + "a" * 60 + "!'.matches('^(a|aa|a?)+$')"
    rule = {"key": "x-1", "severity": "error", "human": "never", "expression": endless}
    evil = profile(url=BASE + "evil", id="evil")
    evil["differential"]["element"] = [{"id": "Patient", "path": "Patient", "constraint": [rule]}]
    await store(client, evil)
    slow = asyncio.create_task(issues(client, f"Patient/$validate?profile={BASE}evil", patient()))
    await asyncio.sleep(0.02)
    assert (await client.get("metadata?_summary=true")).is_success
    found = await asyncio.wait_for(slow, 20)
    assert [one for one in found if "x-1" in one["diagnostics"]], found


QUESTIONNAIRE: Json = {
    "resourceType": "Questionnaire",
    "id": "q",
    "url": "http://stored.test/Questionnaire/q",
    "status": "active",
    "item": [{"linkId": "a", "text": "How?", "type": "string", "required": True}],
}


def response(*items: Json, **more: Any) -> Json:
    """Return the answers to the Questionnaire."""
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": QUESTIONNAIRE["url"],
        "status": "completed",
        "item": list(items),
        **more,
    }


async def test_answers_are_compared_with_the_stored_questionnaire(client: httpx.AsyncClient) -> None:
    url = "QuestionnaireResponse/$validate"
    right = response({"linkId": "a", "answer": [{"valueString": "so"}]})
    strange = response({"linkId": "b", "answer": [{"valueString": "so"}]})
    assert errors(await issues(client, url, strange)) == []
    await store(client, QUESTIONNAIRE)
    assert errors(await issues(client, url, right)) == []
    assert errors(await issues(client, url, strange))
    await store(client, {**QUESTIONNAIRE, "item": [{"linkId": "b", "text": "How?", "type": "string"}]})
    assert errors(await issues(client, url, strange)) == []
    assert errors(await issues(client, url, right))


async def test_codes_are_those_of_stored_value_sets_and_a_change_counts(client: httpx.AsyncClient) -> None:
    system = {
        "resourceType": "CodeSystem",
        "id": "s",
        "url": "http://stored.test/s",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a"}, {"code": "b"}],
    }
    values = {
        "resourceType": "ValueSet",
        "id": "v",
        "url": "http://stored.test/v",
        "status": "active",
        "compose": {"include": [{"system": system["url"], "concept": [{"code": "a"}]}]},
    }
    bound = profile(url=BASE + "bound", id="bound", type="Observation")
    bound["baseDefinition"] = "http://hl7.org/fhir/StructureDefinition/Observation"
    binding = {"strength": "required", "valueSet": values["url"]}
    bound["differential"]["element"] = [
        {"id": "Observation.code", "path": "Observation.code", "binding": binding}
    ]
    await store(client, bound)

    async def said(code: str) -> list[str]:
        coded = observation(code={"coding": [{"system": system["url"], "code": code}]})
        found = await issues(client, f"Observation/$validate?profile={BASE}bound", coded)
        return [message for message, _ in errors(found)]

    assert await said("a") == []  # what is not here is never an error
    await store(client, system, values)
    assert (await said("a"), await said("b")) == ([], ["binding-required"])
    values["compose"]["include"][0]["concept"].append({"code": "b"})  # type: ignore[index]
    await store(client, values)
    assert (await said("b"), await said("c")) == ([], ["code-unknown", "binding-required"])


@pytest.mark.parametrize("mode", ["", "?mode=create"])
async def test_a_reference_is_followed_to_what_is_stored(client: httpx.AsyncClient, mode: str) -> None:
    await store(client, patient(id="ref"))
    url = f"Observation/$validate{mode}"
    assert errors(await issues(client, url, observation(subject={"reference": "Patient/ref"}))) == []
    other = await issues(client, url, observation(subject={"reference": "Practitioner/ref"}))
    assert len(errors(other)) == 1
