"""Queries made to hurt: each is refused as too costly, or finds what it names and nothing else.

Source: http://hl7.org/fhir/R4/security.html
"""

from __future__ import annotations

import time

import httpx
import pytest

from tests.integration.graphql.world import ask, post, refused

AT = "Patient/example"


def nested(levels: int) -> str:
    """Return a query that follows references `levels` deep."""
    return "{ extension " * levels + "{ url }" + "}" * levels


def doubling(levels: int) -> str:
    """Return fragments each of which spreads the next one twice, under two names."""
    each = (
        f"fragment f{n} on Patient {{ a: contained {{ ...f{n + 1} }} b: contained {{ ...f{n + 1} }} }}"
        for n in range(levels)
    )
    return "{ ...f0 }" + " ".join(each) + f" fragment f{levels} on Patient {{ id }}"


COSTLY = {
    "10,000 aliases": "{" + " ".join(f"a{n}: id" for n in range(10_000)) + "}",
    "very long": "{ id #" + "x" * 200_000 + "\n}",
    "deep": nested(30),
    "very deep": nested(2_400),
    "deep list value": "{ name(use: " + "[" * 3_000 + "a" + "]" * 3_000 + ") { text } }",
    "many values": "{ name(use: [" + " ".join(f"v{n}" for n in range(2_000)) + "]) { text } }",
    "many searches": "{"
    + " ".join(f"a{n}: ConditionList(_reference: patient, _count: {n}) {{ id }}" for n in range(200))
    + "}",
    "one name many ways": "{" + " ".join(f"name(_count: {n}) @flatten {{ text }}" for n in range(300)) + "}",
    "slow FHIRPath": "{ name(fhirpath: \"'" + "a" * 200 + "'.matches('(a|aa)+b') or "
    '(1|2|3|4|5|6|7|8|9).repeat($this | ($this + 1)).count() > 3") { text } }',
}


@pytest.mark.parametrize("name", COSTLY)
async def test_what_costs_too_much_is_refused(web: httpx.AsyncClient, name: str) -> None:
    started = time.monotonic()
    status, code, _ = await refused(web, COSTLY[name], AT)
    assert (status, code) == (400, "too-costly")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "query",
    [
        "{ ...a } fragment a on Patient { ...a }",
        "{ ...a } fragment a on Patient { id ...b } fragment b on Patient { name { text } ...a }",
    ],
)
async def test_circular_fragments_are_refused(web: httpx.AsyncClient, query: str) -> None:
    status, _, text = await refused(web, query, AT)
    assert status == 400
    assert "itself" in text


async def test_fragments_that_double_stay_bounded(web: httpx.AsyncClient) -> None:
    started = time.monotonic()
    answer = await post(web, doubling(22), AT)
    assert answer.status_code in (200, 400)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "value",
    [
        "x&_include=Condition:subject",
        "x&_id=c1",
        "' OR 1=1 --",
        "x,c1",
        "x\\\\,c1",
        "c1%00",
        "?_id=c1",
        "x|c1",
    ],
)
async def test_a_value_is_only_a_value(web: httpx.AsyncClient, value: str) -> None:
    found = await ask(web, f'{{ ConditionList(_id: "{value}") {{ id }} }}')
    assert found == {"ConditionList": []}


async def test_a_comma_belongs_to_the_value(web: httpx.AsyncClient) -> None:
    for name in ('PatientList(family: "Petrov,Chalmers")', 'PatientList(family: "nobody,Petrov")'):
        assert await ask(web, f"{{ p: {name} {{ id }} }}") == {"p": []}
    both = await ask(web, '{ p: PatientList(family: ["Petrov", "Chalmers"]) { id } }')
    assert len(both["p"]) == 2


@pytest.mark.parametrize(
    "argument", ["_revinclude", "_contained", "_summary", "_elements", "name:exact", "_has"]
)
async def test_what_is_no_argument_is_refused(web: httpx.AsyncClient, argument: str) -> None:
    status, _, _ = await refused(web, f'{{ PatientList({argument}: "x") {{ id }} }}')
    assert status == 400


async def test_a_cursor_serves_no_other_search(web: httpx.AsyncClient) -> None:
    first = await ask(web, "{ ConditionConnection(patient: example, _count: 1) { next } }")
    cursor = first["ConditionConnection"]["next"]
    status, _, text = await refused(web, f'{{ PatientConnection(_cursor: "{cursor}") {{ count }} }}')
    assert status == 400
    assert "cursor" in text
    changed = cursor[:-3] + ("AAA" if cursor[-3:] != "AAA" else "BBB")
    status, _, _ = await refused(
        web, f'{{ ConditionConnection(_cursor: "{changed}") {{ edges {{ mode }} }} }}'
    )
    assert status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"query": 1}', b'{"query": "{id}", "more": 1}', b"\xff"]
)
async def test_a_broken_body_is_answered_as_graphql(web: httpx.AsyncClient, body: bytes) -> None:
    answer = await web.post("$graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["data"] is None
