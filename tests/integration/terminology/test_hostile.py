"""Whatever is sent, terminology answers with an OperationOutcome or Parameters, never with a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.terminology.made import ALL_PLANTS, MAP, PLANTS, TREES, parameters

TEXTS = (
    "\0",
    "a\0b",
    "\ud83c".encode("utf-8", "surrogatepass"),
    "'; DROP TABLE concept; --",
    "%s",
    "$1",
    "é" * 5_000,
    "|",
    "a|b|c",
)
CALLS = (
    ("CodeSystem/$lookup", {"system": PLANTS, "code": ...}),
    ("CodeSystem/$lookup", {"system": ..., "code": "oak"}),
    ("CodeSystem/$lookup", {"system": PLANTS, "code": "oak", "property": ...}),
    ("CodeSystem/$lookup", {"system": PLANTS, "code": "oak", "displayLanguage": ...}),
    ("CodeSystem/$subsumes", {"system": PLANTS, "codeA": "oak", "codeB": ...}),
    ("CodeSystem/$validate-code", {"url": PLANTS, "code": ..., "display": ...}),
    ("CodeSystem/$validate-code", {"url": ..., "code": "oak"}),
    ("ValueSet/$validate-code", {"url": TREES, "system": PLANTS, "code": ...}),
    ("ValueSet/$validate-code", {"url": TREES, "system": ..., "code": "oak"}),
    (
        "ValueSet/$validate-code",
        {
            "url": "http://hl7.org/fhir/ValueSet/ucum-units",
            "system": "http://unitsofmeasure.org",
            "code": ...,
        },
    ),
    ("ValueSet/$validate-code", {"context": ..., "code": "oak"}),
    ("ValueSet/$expand", {"url": ...}),
    ("ValueSet/$expand", {"url": ALL_PLANTS, "filter": ...}),
    ("ValueSet/$expand", {"url": ALL_PLANTS, "designation": ..., "property": ...}),
    ("ValueSet/$expand", {"url": ALL_PLANTS, "system-version": ...}),
    ("ValueSet/$expand", {"url": ALL_PLANTS, "date": ...}),
    ("ConceptMap/$translate", {"url": MAP, "system": PLANTS, "code": ...}),
    ("ConceptMap/$translate", {"system": ..., "code": "oak"}),
    ("ConceptMap/$translate", {"url": ..., "system": PLANTS, "code": "oak"}),
)


@pytest.mark.parametrize("path_and_query", CALLS, ids=str)
async def test_no_text_breaks_a_call(
    web: httpx.AsyncClient, path_and_query: tuple[str, dict[str, Any]]
) -> None:
    path, query = path_and_query
    for text in TEXTS:
        answer = await web.get(
            path, params={name: text if value is ... else value for name, value in query.items()}
        )
        assert answer.status_code < 500, (text, answer.text)
        assert answer.json()["resourceType"] in ("OperationOutcome", "Parameters", "ValueSet")


BODIES: tuple[Any, ...] = (
    parameters(coding=("Coding", {})),
    parameters(coding=("string", "x")),
    parameters(coding=("Coding", {"code": "a\0b", "system": PLANTS})),
    parameters(codeableConcept=("CodeableConcept", {})),
    parameters(codeableConcept=("CodeableConcept", {"coding": [{"system": PLANTS}]})),
    parameters(valueSet=("resource", {"resourceType": "Patient"})),
    parameters(valueSet=("resource", {"resourceType": "ValueSet", "status": "draft"})),
    parameters(
        valueSet=("resource", {"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{}]}})
    ),
    parameters(conceptMap=("resource", {"resourceType": "ConceptMap", "status": "draft"})),
    parameters(
        codeSystem=("resource", {"resourceType": "CodeSystem", "status": "draft", "content": "complete"})
    ),
    {"resourceType": "Parameters", "parameter": [{"name": "concept", "part": []}]},
    {"resourceType": "Parameters", "parameter": [{"name": "property", "part": [{"name": "code"}]}]},
    {"resourceType": "Patient"},
)
PATHS = (
    *("CodeSystem/$lookup", "CodeSystem/$subsumes", "CodeSystem/$validate-code", "CodeSystem/$find-matches"),
    *("ValueSet/$expand", "ValueSet/$validate-code", "ConceptMap/$translate", "$closure"),
)


@pytest.mark.parametrize("path", PATHS)
async def test_no_body_breaks_a_call(web: httpx.AsyncClient, path: str) -> None:
    for body in BODIES:
        for query in (
            "",
            f"?url={ALL_PLANTS}",
            f"?system={PLANTS}&code=oak",
            "?name=t",
            f"?url={MAP}&system={PLANTS}",
        ):
            answer = await web.post(path + query, json=body)
            assert answer.status_code < 500, (query, body, answer.text)
            assert answer.json()["resourceType"] in (
                "OperationOutcome",
                "Parameters",
                "ValueSet",
                "ConceptMap",
            )


async def test_value_sets_within_themselves_come_to_an_end(web: httpx.AsyncClient) -> None:
    url = "http://example.org/ValueSet/circle"
    circle = {"resourceType": "ValueSet", "id": "circle", "url": url, "status": "active"}
    await web.put("ValueSet/circle", json=circle | {"compose": {"include": [{"valueSet": [url]}]}})
    answer = await web.get(f"ValueSet/$expand?url={url}")
    assert answer.status_code == 404
    assert "itself" in answer.text


async def test_concepts_below_themselves_come_to_an_end(web: httpx.AsyncClient) -> None:
    url = "http://example.org/rings"
    rings = {
        "resourceType": "CodeSystem", "id": "rings", "url": url, "status": "active", "content": "complete",
        "property": [{"code": "parent", "type": "code"}],
        "concept": [
            {"code": code, "property": [{"code": "parent", "valueCode": parent}]}
            for code, parent in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"))
        ],
    }  # fmt: skip
    assert (await web.put("CodeSystem/rings", json=rings)).status_code == 201
    sent = {"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{"system": url}]}}
    body = parameters(valueSet=("resource", sent), excludeNested=("boolean", False))
    found = (await web.post("ValueSet/$expand", json=body)).json()["expansion"]
    seen: list[str] = []
    waiting = list(found["contains"])
    while waiting:
        one = waiting.pop()
        seen.append(one["code"])
        waiting += one.get("contains", [])
    assert sorted(seen) == ["a", "b", "c", "d"]
