"""Labels, case by code system, addresses and hierarchies: `:text`, `:above`, `:below`, and what takes which modifier.

Source: http://hl7.org/fhir/R4/search.html#modifiers, #token, #uri and #recursive
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.search.criteria import MODIFIERS
from resources.outcome import FhirError
from tests.integration.search.conftest import Asker
from tests.integration.search.people import LOINC, MRN, observation, patient

Json = dict[str, Any]
EXACT, LOOSE = "http://example.org/exact", "http://example.org/loose"
URL = "http://acme.org/fhir"


def part_of(type_name: str, id_: str, element: str, above: str | None, **more: Any) -> Json:
    """Return a resource that is part of another of its type."""
    up = {element: {"reference": f"{type_name}/{above}"}} if above else {}
    return {"resourceType": type_name, "id": id_, **up, **more}


def at(id_: str, location: str) -> Json:
    """Return an Encounter at a location."""
    return {
        "resourceType": "Encounter",
        "id": id_,
        "status": "finished",
        "class": {"code": "AMB"},
        "location": [{"location": {"reference": location}}],
    }


def coded(id_: str, system: str | None, code: str, *more: tuple[str, str]) -> Json:
    """Return an Observation with codings."""
    codings = [{"code": code, **({"system": system} if system else {})}]
    codings += [{"system": other, "code": one} for other, one in more]
    return {**observation(id_, None, "x"), "code": {"coding": codings}}


def labelled(id_: str, patient_id: str, concept: Json, **more: Any) -> Json:
    """Return an Observation of a patient with a concept for its code."""
    return {**observation(id_, f"Patient/{patient_id}", "x", **more), "code": concept}


def codes(id_: str, url: str, **more: Any) -> Json:
    """Return a CodeSystem."""
    return {
        "resourceType": "CodeSystem",
        "id": id_,
        "url": url,
        "status": "active",
        "content": "complete",
        **more,
    }


def conformance(id_: str, url: str) -> Json:
    """Return a ValueSet with an address."""
    return {"resourceType": "ValueSet", "id": id_, "status": "active", "url": url}


WORLD = [
    {
        **patient("p1", "A", meta={"profile": [f"{URL}/StructureDefinition/us/patient|2.0"], "source": "urn:x"}),
        "identifier": [{"system": MRN, "value": "Ab1", "type": {"text": "Médical record"}}],
        "maritalStatus": {"text": "Living together"},
    },
    patient("p2", "B", meta={"profile": [f"{URL}/StructureDefinition"], "source": f"{URL}/feed#1"}),
    labelled("t1", "p1", {"text": "Heart Rate", "coding": [{"system": LOINC, "code": "1-1"}]}),
    labelled(
        "t2",
        "p2",
        {"coding": [{"system": LOINC, "code": "2-2", "display": "heart  RATE at rest"}]},
        component=[{"code": {"text": "Body weight"}}],
    ),
    labelled("t3", "p1", {"coding": [{"display": "Weight of body"}]}),
    codes("exact", EXACT, caseSensitive=True, concept=[{"code": "abc"}, {"code": "ABC"}]),
    codes("loose", LOOSE, caseSensitive=False, concept=[{"code": "abc"}]),
    coded("c1", EXACT, "abc"),
    coded("c2", EXACT, "ABC"),
    coded("c3", LOOSE, "Abc"),
    coded("c4", None, "aBC"),
    coded("c5", EXACT, "ABC", (LOOSE, "abc")),
    {"resourceType": "ValueSet", "id": "abc", "url": "urn:vs:abc", "status": "active",
     "compose": {"include": [{"system": EXACT, "concept": [{"code": "abc"}]}]}},
    conformance("v1", f"{URL}/ValueSet/123/_history/5"),
    conformance("v2", f"{URL}/ValueSet/123"),
    conformance("v3", f"{URL}/"),
    conformance("v4", URL),
    conformance("v5", f"{URL}ext/ValueSet/123"),
    conformance("v6", "urn:oid:1.2.3"),
    part_of("Location", "l1", "partOf", None),
    part_of("Location", "l2", "partOf", "l1"),
    part_of("Location", "l3", "partOf", "l2"),
    part_of("Location", "l4", "partOf", "unknown"),
    part_of("Location", "r1", "partOf", "r3"),
    part_of("Location", "r2", "partOf", "r1"),
    part_of("Location", "r3", "partOf", "r2"),
    at("e1", "Location/l1"),
    at("e3", "Location/l3"),
    at("e4", "Location/l4"),
    at("er", "Location/r2"),
    part_of("Specimen", "s1", "x", None),
    {**part_of("Specimen", "s2", "x", None), "parent": [{"reference": "Specimen/s1"}]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # texts of codes, from their start, like strings
        ("Observation?code:text=heart", "t1 t2"),
        ("Observation?code:text=Heart rate", "t1 t2"),
        ("Observation?code:text=HEART RATE AT", "t2"),
        ("Observation?code:text=weight", "t3"),
        ("Observation?code:text=weight,heart rate at", "t2 t3"),
        ("Observation?code:text=rate", ""),
        ("Observation?combo-code:text=body weight", "t2"),
        ("Observation?code:text=heart&patient=p1", "t1"),
        ("Patient?identifier:text=medical", "p1"),
        ("Patient?_has:Observation:patient:code:text=weight", "p1"),
        ("Observation?patient.identifier:text=medical", "t1 t3"),
        # case by the code system, also one stored here
        (f"Observation?code={EXACT}|abc", "c1"),
        (f"Observation?code={EXACT}|ABC", "c2 c5"),
        (f"Observation?code={EXACT}|Abc", ""),
        (f"Observation?code={LOOSE}|ABC", "c3 c5"),
        ("Observation?code=|abc", "c4"),
        ("Observation?code=abc", "c1 c3 c4 c5"),
        ("Observation?code=ABC", "c2 c3 c4 c5"),
        ("Observation?code=aBc", "c3 c4 c5"),
        (f"Observation?code={EXACT}|", "c1 c2 c5"),
        ("Observation?code:in=urn:vs:abc", "c1"),
        ("Observation?code:not-in=urn:vs:abc", "c2 c3 c4 c5 t1 t2 t3"),
        (f"Observation?code:not={EXACT}|ABC", "c1 c3 c4 t1 t2 t3"),
        # addresses by steps of their paths
        (f"ValueSet?url:below={URL}", "v1 v2 v3 v4"),
        (f"ValueSet?url:below={URL}/", "v1 v2 v3"),
        (f"ValueSet?url:below={URL}/ValueSet/123", "v1 v2"),
        (f"ValueSet?url:below={URL}/Val", ""),
        (f"ValueSet?url:above={URL}/ValueSet/123/_history/5", "v1 v2 v3 v4"),
        (f"ValueSet?url:above={URL}/ValueSet/99", "v3 v4"),
        (f"Patient?_profile:below={URL}/StructureDefinition", "p1 p2"),
        (f"Patient?_profile:below={URL}/StructureDefinition/us/patient", "p1"),
        (f"Patient?_source:below={URL}", "p2"),
        # hierarchies of resources
        ("Encounter?location=l1", "e1"),
        ("Encounter?location:below=l1", "e1 e3"),
        ("Encounter?location:below=Location/l2", "e3"),
        ("Encounter?location:above=l2", "e1"),
        ("Encounter?location:above=Location/l3", "e1 e3"),
        ("Encounter?location:below=unknown", "e4"),
        ("Encounter?location:below=nowhere", ""),
        ("Encounter?location:below=r1", "er"),
        ("Encounter?location:above=r1,l1", "e1 er"),
        ("Location?partof:below=l1", "l2 l3"),
        ("Location?partof:below=r1", "r1 r2 r3"),
        ("Location?partof:above=l2", "l2 l3"),
        ("Specimen?parent:below=s1", "s2"),
        ("Location?_has:Encounter:location:location:below=l1", "l1 l3"),
        # on columns
        ("Specimen?_id:not=s1", "s2"),
        ("Specimen?_id:missing=false", "s1 s2"),
        ("Specimen?_lastUpdated:missing=true", ""),
    ],
)  # fmt: skip
async def test_a_modifier_finds_exactly_these(world: Asker, query: str, expected: str) -> None:
    assert sorted(await world.ids(query + "&_count=100")) == expected.split()
    assert (await world.bundle(query + "&_summary=count"))["total"] == len(expected.split())


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Patient?active:text=x", "text"),
        ("Patient?gender:text=x", "text"),
        ("Patient?active:in=ValueSet/abc", "codes"),
        ("Patient?active:of-type=a|b|c", "identifiers"),
        ("Patient?active=|true", "no system"),
        ("Patient?telecom=a|b", "no system"),
        ("Observation?code:text= ", "no value"),
        ("ValueSet?url:below=urn:oid:1.2", "URL"),
        ("ValueSet?url:contains=acme", ":below"),
        ("Encounter?patient:below=p1", "hierarchy"),
        ("Encounter?location:below=Patient/p1", "hierarchy"),
        ("Encounter?location:below=https://elsewhere.example/Location/1", "this server"),
        ("Encounter?date:not=2020", ":missing"),
        ("Patient?name:text=x", ":exact"),
        ("Observation?code:exact=x", ":not-in"),
        ("Observation?value-quantity:missing=maybe", "true or false"),
        ("Patient?name:=a", "no modifier behind"),
        ("Observation?subject:.name=a", "no modifier behind"),
        ("Patient?_has:Observation:patient:code:=a", "no modifier behind"),
    ],
)
async def test_modifiers_that_do_not_fit_are_refused_by_name(world: Asker, query: str, named: str) -> None:
    with pytest.raises(FhirError) as refused:
        await world.bundle(query.replace("text= ", "text=,"), strict=False)
    assert refused.value.status == 400
    assert named in refused.value.issues[0].text


async def test_case_is_that_of_the_code_system_as_it_stands_now(ask: Asker) -> None:
    await ask.put(coded("a", EXACT, "abc"), coded("b", EXACT, "ABC"))
    assert await ask.ids(f"Observation?code={EXACT}|abc") == ["a", "b"]
    await ask.put(codes("exact", EXACT, caseSensitive=True))
    assert await ask.ids(f"Observation?code={EXACT}|abc") == ["a"]
    await ask.put(codes("exact", EXACT, caseSensitive=False))
    assert await ask.ids(f"Observation?code={EXACT}|abc") == ["a", "b"]


def test_every_official_modifier_is_answered_where_r4_allows_it() -> None:
    official = {
        "string": {"missing", "exact", "contains"},
        "token": {"missing", "text", "not", "above", "below", "in", "not-in", "of-type"},
        "reference": {"missing", "identifier", "above", "below"},
        "uri": {"missing", "above", "below"},
        "date": {"missing"},
        "number": {"missing"},
        "quantity": {"missing"},
    }
    assert {kind: set(MODIFIERS[kind]) for kind in official} == official
