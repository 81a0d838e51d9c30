"""Code systems, value sets and concept maps that the tests of terminology are about; all invented."""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]

PLANTS = "http://example.org/plants"
TREES = "http://example.org/ValueSet/trees"
ALL_PLANTS = "http://example.org/ValueSet/all-plants"
COLOURS = "http://example.org/colours"
MAP = "http://example.org/ConceptMap/plants-to-colours"
NOWHERE = "http://example.org/nowhere"


def concept(code: str, display: str, *children: Json, **more: Any) -> Json:
    """Return a concept with its children."""
    return {"code": code, "display": display, **more, **({"concept": list(children)} if children else {})}


def named(value: str, language: str = "", use: str = "") -> Json:
    """Return a designation."""
    said: Json = {"value": value} | ({"language": language} if language else {})
    return said | ({"use": {"system": "http://example.org/uses", "code": use}} if use else {})


PLANT_SYSTEM: Json = {
    "resourceType": "CodeSystem",
    "id": "plants",
    "url": PLANTS,
    "version": "2",
    "name": "Plants",
    "status": "active",
    "content": "complete",
    "caseSensitive": True,
    "hierarchyMeaning": "is-a",
    "property": [
        {"code": "height", "type": "integer"},
        {"code": "edible", "type": "boolean"},
        {"code": "inactive", "type": "boolean", "uri": "http://hl7.org/fhir/concept-properties#inactive"},
        {
            "code": "notSelectable",
            "type": "boolean",
            "uri": "http://hl7.org/fhir/concept-properties#notSelectable",
        },
    ],
    "concept": [
        concept(
            "plant",
            "Plant",
            concept(
                "tree",
                "Tree",
                concept(
                    "oak",
                    "Oak tree",
                    definition="A tree with acorns",
                    designation=[named("Eiche", "de"), named("Chêne", "fr"), named("Quercus", use="latin")],
                    property=[
                        {"code": "height", "valueInteger": 30},
                        {"code": "edible", "valueBoolean": False},
                    ],
                ),
                concept(
                    "apple",
                    "Apple tree",
                    property=[
                        {"code": "height", "valueInteger": 8},
                        {"code": "edible", "valueBoolean": True},
                    ],
                ),
                concept("elm", "Elm", property=[{"code": "inactive", "valueBoolean": True}]),
            ),
            concept("fern", "Fern", property=[{"code": "height", "valueInteger": 1}]),
            property=[{"code": "notSelectable", "valueBoolean": True}],
        ),
    ],
}

COLOUR_SYSTEM: Json = {
    "resourceType": "CodeSystem",
    "id": "colours",
    "url": COLOURS,
    "status": "active",
    "content": "complete",
    "concept": [{"code": code} for code in ("green", "red", "brown", "grey")],
}

TREE_SET: Json = {
    "resourceType": "ValueSet",
    "id": "trees",
    "url": TREES,
    "version": "1",
    "status": "active",
    "compose": {
        "include": [{"system": PLANTS, "filter": [{"property": "concept", "op": "is-a", "value": "tree"}]}]
    },
}

ALL_SET: Json = {
    "resourceType": "ValueSet",
    "id": "all-plants",
    "url": ALL_PLANTS,
    "status": "active",
    "compose": {"include": [{"system": PLANTS}]},
}

BROKEN_SET: Json = {
    "resourceType": "ValueSet",
    "id": "broken",
    "url": "http://example.org/ValueSet/broken",
    "status": "active",
    "compose": {"include": [{"system": PLANTS}, {"system": NOWHERE}]},
}

COLOUR_MAP: Json = {
    "resourceType": "ConceptMap",
    "id": "plants-to-colours",
    "url": MAP,
    "version": "1",
    "status": "active",
    "sourceCanonical": ALL_PLANTS,
    "targetCanonical": "http://example.org/ValueSet/colours",
    "group": [
        {
            "source": PLANTS,
            "target": COLOURS,
            "element": [
                {"code": "oak", "target": [{"code": "brown", "equivalence": "wider"}]},
                {"code": "fern", "target": [{"code": "green", "equivalence": "equivalent"}]},
                {
                    "code": "apple",
                    "target": [
                        {
                            "code": "red",
                            "equivalence": "relatedto",
                            "dependsOn": [{"property": "http://example.org/season", "value": "autumn"}],
                            "product": [{"property": "http://example.org/part", "value": "fruit"}],
                        },
                        {"code": "green", "equivalence": "relatedto", "comment": "in summer"},
                    ],
                },
                {"code": "elm"},
            ],
            "unmapped": {"mode": "fixed", "code": "grey", "display": "No colour"},
        }
    ],
}

WORLD = (PLANT_SYSTEM, COLOUR_SYSTEM, TREE_SET, ALL_SET, BROKEN_SET, COLOUR_MAP)


async def settle(web: httpx.AsyncClient) -> None:
    """Store the world of these tests."""
    for resource in WORLD:
        answer = await web.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
        assert answer.status_code in (200, 201), answer.text


def said(answer: httpx.Response) -> Json:
    """Return the single values of an answered Parameters by name; parts and repeats are left to `repeated`."""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["resourceType"] == "Parameters"
    return {one["name"]: value_of(one) for one in found["parameter"] if "part" not in one}


def repeated(answer: httpx.Response, name: str) -> list[Json]:
    """Return the parts of every parameter called `name`."""
    return [
        {part["name"]: value_of(part) for part in one["part"]}
        for one in answer.json()["parameter"]
        if one["name"] == name
    ]


def value_of(parameter: Json) -> Any:
    """Return the value of a parameter, its parts where it has parts instead."""
    found = [value for key, value in parameter.items() if key.startswith("value")]
    return found[0] if found else parameter.get("part")


def parameters(**given: tuple[str, Any]) -> Json:
    """Return a Parameters with values, each with the name of its type ('Coding', 'uri' …; 'resource')."""
    listed = []
    for name, (kind, value) in given.items():
        key = kind if kind == "resource" else f"value{kind[0].upper()}{kind[1:]}"
        listed.append({"name": name.replace("_", "-"), key: value})
    return {"resourceType": "Parameters", "parameter": listed}
