"""`Observation/$lastn`: the latest observations of each code.

Source: http://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

LAB = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]
}


def coded(*codes: str, text: str = "") -> dict[str, Any]:
    """Return a code with one coding for each of `codes`."""
    coding = {"coding": [{"system": "http://codes.test", "code": code} for code in codes]} if codes else {}
    return coding | ({"text": text} if text else {})


async def store(
    client: httpx.AsyncClient, patient: str, observations: dict[str, tuple[dict[str, Any], str]]
) -> None:
    """Store observations {id: (code, date)} of a patient."""
    for id_, (code, date) in observations.items():
        body: dict[str, Any] = {
            "resourceType": "Observation",
            "id": f"{patient}-{id_}",
            "status": "final",
            "category": [LAB],
            "code": code,
            "subject": {"reference": f"Patient/{patient}"},
        }
        if date:
            body["effectiveDateTime"] = date
        answer = await client.put(f"Observation/{patient}-{id_}", json=body)
        assert answer.status_code in (200, 201), answer.text


async def found(client: httpx.AsyncClient, patient: str, **more: str) -> list[str]:
    """Return the ids that $lastn answers, without the patient's part."""
    query = {"patient": patient, "category": "laboratory", **more}
    answer = await client.get("Observation/$lastn", params=query)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert bundle["total"] == len(bundle.get("entry", ()))
    return [entry["resource"]["id"].removeprefix(f"{patient}-") for entry in bundle.get("entry", ())]


async def test_the_latest_of_each_code_comes_newest_first(client: httpx.AsyncClient) -> None:
    a, b = coded("a"), coded("b")
    await store(
        client,
        "ln1",
        {"a1": (a, "2024-01-01"), "a2": (a, "2024-03-01"), "b1": (b, "2024-02-01"), "b0": (b, "2020-02-01")},
    )
    assert await found(client, "ln1") == ["a2", "b1"]
    assert await found(client, "ln1", max="2") == ["a2", "b1", "a1", "b0"]
    assert await found(client, "ln1", max="2", code="http://codes.test|b") == ["b1", "b0"]


async def test_a_tie_comes_whole(client: httpx.AsyncClient) -> None:
    a, day = coded("a"), "2024-03-01T10:00:00Z"
    await store(client, "ln2", {"x": (a, day), "y": (a, day), "z": (a, "2024-01-01")})
    assert sorted(await found(client, "ln2")) == ["x", "y"]
    assert sorted(await found(client, "ln2", max="2")) == ["x", "y"]


@pytest.mark.parametrize(
    ("codes", "groups"),
    [
        ([coded("a"), coded("b"), coded("c")], 3),
        ([coded("a"), coded("b"), coded("a", "c")], 2),
        ([coded("a"), coded("b"), coded("a", "b")], 1),
        ([coded(text="text"), coded(text="Text"), coded(text="t e x t")], 3),
        ([coded("a", text="text"), coded("a", text="other")], 1),
    ],
)
async def test_codes_that_occur_together_are_one_group(
    client: httpx.AsyncClient, codes: list[dict[str, Any]], groups: int
) -> None:
    patient = f"lng{abs(hash(str(codes))) % 10**8}"
    await store(client, patient, {str(n): (code, f"2024-01-0{n + 1}") for n, code in enumerate(codes)})
    assert len(await found(client, patient)) == groups


async def test_one_without_a_date_is_the_oldest(client: httpx.AsyncClient) -> None:
    await store(client, "ln3", {"none": (coded("a"), ""), "old": (coded("a"), "1950-01-01")})
    assert await found(client, "ln3") == ["old"]
    assert await found(client, "ln3", max="2") == ["old", "none"]


async def test_the_parameters_may_be_posted(client: httpx.AsyncClient) -> None:
    await store(client, "ln4", {"a": (coded("a"), "2024-01-01")})
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "valueReference": {"reference": "Patient/ln4"}},
            {"name": "category", "valueCoding": LAB["coding"][0]},
            {"name": "max", "valuePositiveInt": 3},
        ],
    }
    answer = await client.post("Observation/$lastn", json=body)
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == ["ln4-a"]


async def test_includes_come_along(client: httpx.AsyncClient) -> None:
    await client.put("Patient/ln5", json={"resourceType": "Patient", "id": "ln5"})
    await store(client, "ln5", {"a": (coded("a"), "2024-01-01")})
    query = {"patient": "ln5", "code": "a", "_include": "Observation:subject"}
    bundle = (await client.get("Observation/$lastn", params=query)).json()
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "include"]


async def test_nobody_has_no_observations_and_that_is_no_error(client: httpx.AsyncClient) -> None:
    assert await found(client, "nobody") == []


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("category=laboratory", "patient"),
        ("patient=x", "category"),
        ("patient=x&date=2024", "category"),
        ("patient=x&code=a&max=0", "max"),
        ("patient=x&code=a&max=two", "max"),
        ("patient=x&code=a&_sort=date", "_sort"),
        ("patient=x&code:bogus=a", "bogus"),
    ],
)
async def test_a_wrong_call_is_told_what_is_wrong(client: httpx.AsyncClient, query: str, word: str) -> None:
    answer = await client.get(f"Observation/$lastn?{query}")
    assert answer.status_code == 400
    assert word in answer.text
