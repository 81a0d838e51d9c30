"""`_query`: named queries. Source: http://hl7.org/fhir/R4/search.html#query"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.interactions.capabilities import statement
from fhir_server.search import named
from fhir_server.search.named import TEMPLATE
from resources.codec.json import parse_json
from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker, ids, link, params_of
from tests.integration.search.people import observation, patient


def query(id_: str, template: str | None, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the OperationDefinition of a named query of patients."""
    extension = {} if template is None else {"extension": [{"url": TEMPLATE, "valueString": template}]}
    made: dict[str, Any] = {
        "resourceType": "OperationDefinition",
        "id": id_,
        **extension,
        "name": "Query",
        "status": "active",
        "kind": "query",
        "code": id_,
        "resource": ["Patient"],
        "system": False,
        "type": True,
        "instance": False,
        **more,
    }
    if parameters:
        made["parameter"] = list(parameters)
    return made


def parameter(name: str, least: int = 0, most: str = "1", **more: Any) -> dict[str, Any]:
    """Return a parameter that goes in."""
    return {"name": name, "use": "in", "min": least, "max": most, **({"type": "string"} | more)}


WORLD = [
    patient("ann", "Smith, Jones", "Ann", birthDate="1980-01-01", gender="female"),
    patient("bob", "Smith", "Bob", birthDate="1990-01-01", gender="male"),
    patient("cyd", 'O"Hara', "Cyd", birthDate="2000-01-01", gender="male"),
    observation("o1", "Patient/ann", "1", "2020"),
    query(
        "by-name",
        "family={who}&birthdate=ge{born}&_sort=-birthdate",
        parameter("who", 1),
        parameter("born", type="date"),
    ),
    query("any-gender", "gender={sex}", parameter("sex", type="code", searchType="token")),
    query("quoting", "_filter=family sw {start}", parameter("start", 1)),
    query("both", "given={part}", parameter("part", 1, "*")),
    query("grown", "birthdate=le{year}", parameter("year", 1, type="integer")),
    query("empty", None),
    query("looping", "_query=by-name"),
    query("wrong", "nonsense=1"),
    query("asking", "name={unknown}"),
    query("old", "name=x", status="retired"),
    query("twice", "name=x"),
    {**query("twice2", "name=x"), "code": "twice"},
]

ANSWERS = {
    "Patient?_query=by-name&who=smith": ["bob", "ann"],
    "Patient?_query=by-name&who=smith&born=1985": ["bob"],
    "Patient?_query=by-name&who=smith,": ["ann"],
    "Patient?_query=by-name&who=smith&gender=female": ["ann"],
    "Patient?_query=any-gender&sex=male,female&_sort=_id": ["ann", "bob", "cyd"],
    "Patient?_query=any-gender&_sort=_id": ["ann", "bob", "cyd"],
    "Patient?_query=quoting&start=o%22h": ["cyd"],
    "Patient?_query=quoting&start=x or gender eq male": [],
    "Patient?_query=both&part=ann": ["ann"],
    "Patient?_query=both&part=ann&part=bob": [],
    "Patient?_query=grown&year=1985": ["ann"],
}

REFUSED = {
    "Patient?_query=nonsense": "Patient has no query 'nonsense'",
    "Observation?_query=by-name&who=x": "Observation has no query 'by-name'",
    "Patient?_query=old": "has no query 'old'",
    "Patient?_query=twice": "Several active OperationDefinitions",
    "Patient?_query=by-name&_query=both": "only one '_query'",
    "Patient?_query=by-name": "needs 1 value(s) of 'who'",
    "Patient?_query=by-name&who=a&who=b": "takes 1 value(s) of 'who'",
    "Patient?_query=by-name&who=a&born=yesterday": "'yesterday' is no value for 'born'",
    "Patient?_query=grown&year=x": "'x' is no value for 'year'",
    "Patient?_query=empty": "has no extension",
    "Patient?_query=looping": "cannot name another",
    "Patient?_query=wrong": "'nonsense'",
    "Patient?_query=asking": "asks for 'unknown'",
}


@pytest.mark.parametrize(("asked", "found"), ANSWERS.items())
async def test_a_named_query_is_the_search_of_its_definition(
    world: Asker, asked: str, found: list[str]
) -> None:
    assert await world.ids(asked) == found


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("asked", "text"), REFUSED.items())
async def test_what_is_no_query_or_does_not_fit_it_is_refused(
    world: Asker, asked: str, text: str, strict: bool
) -> None:
    with pytest.raises(FhirError) as refused:
        await world.bundle(asked, strict=strict)
    assert refused.value.status == 400
    assert text in " ".join(issue.text for issue in refused.value.issues)


async def test_links_repeat_the_query_as_it_was_asked(world: Asker) -> None:
    bundle = await world.bundle("Patient?_count=1&_query=by-name&who=smith")
    own = link(bundle, "self")
    assert own is not None
    assert sorted(params_of(own)) == [("_count", "1"), ("_query", "by-name"), ("who", "smith")]
    after = link(bundle, "next")
    assert after is not None
    assert ids(await world.bundle(after)) == ["ann"]


async def test_an_unknown_parameter_beside_a_query_follows_prefer(world: Asker) -> None:
    bundle = await world.bundle("Patient?_query=by-name&who=smith&nonsense=1", strict=False)
    assert ids(bundle) == ["bob", "ann"]
    assert [e["search"]["mode"] for e in bundle["entry"]][-1] == "outcome"
    with pytest.raises(FhirError):
        await world.bundle("Patient?_query=by-name&who=smith&nonsense=1")


async def test_queries_are_listed_for_the_capability_statement(world: Asker) -> None:
    listed = await named.listed(world.session)
    assert ("Patient", "by-name", "OperationDefinition/by-name") in listed
    assert {name for _, name, _ in listed}.isdisjoint({"old", "empty"})
    body = parse_json(statement("full", BASE, frozenset({"search-type"}), frozenset(), 0, listed))
    resources = {one["type"]: one for one in body["rest"][0]["resource"]}
    assert {"name": "by-name", "definition": f"{BASE}/OperationDefinition/by-name"} in resources["Patient"][
        "operation"
    ]
    assert "operation" not in resources["Observation"]
