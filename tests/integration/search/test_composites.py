"""Composites: a pair is found in one element, never across two.

Source: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.registry import install
from resources.definitions import SearchParam
from resources.outcome import FhirError
from tests.integration.search.conftest import Asker
from tests.integration.search.people import LOINC, UCUM, observation, quantity

Json = dict[str, Any]
BASE = "http://hl7.org/fhir/SearchParameter/"
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"
SNOMED = "http://snomed.info/sct"


def concept(code: str, system: str = LOINC) -> Json:
    """Return a CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def pressure(id_: str, systolic: int, diastolic: int) -> Json:
    """Return a blood pressure."""
    found = ((SYSTOLIC, systolic), (DIASTOLIC, diastolic))
    parts = [{"code": concept(code), "valueQuantity": quantity(value, "mm[Hg]")} for code, value in found]
    return observation(id_, None, "85354-9", component=parts)


def group(id_: str, *pairs: tuple[str, Json]) -> Json:
    """Return a Group with characteristics."""
    found = [{"code": concept(code), **value, "exclude": False} for code, value in pairs]
    return {
        "resourceType": "Group",
        "id": id_,
        "type": "person",
        "actual": False,
        "characteristic": found,
    }


def value_set(id_: str, *contexts: tuple[str, Json]) -> Json:
    """Return a ValueSet with contexts of use."""
    found = [{"code": {"system": "urn:kind", "code": code}, **value} for code, value in contexts]
    return {"resourceType": "ValueSet", "id": id_, "status": "draft", "useContext": found}


def document(id_: str, *relations: tuple[str, str]) -> Json:
    """Return a DocumentReference with relations to others."""
    return {
        "resourceType": "DocumentReference",
        "id": id_,
        "status": "current",
        "content": [{"attachment": {"title": "x"}}],
        "relatesTo": [{"code": code, "target": {"reference": target}} for code, target in relations],
    }


def sequence(id_: str, chromosome: str, *variants: tuple[int, int]) -> Json:
    """Return a MolecularSequence with variants."""
    return {
        "resourceType": "MolecularSequence",
        "id": id_,
        "coordinateSystem": 0,
        "referenceSeq": {
            "chromosome": concept(chromosome, "urn:chromosome"),
            "referenceSeqId": concept("NC_" + chromosome, "urn:ncbi"),
            "windowStart": 10,
            "windowEnd": 500,
        },
        "variant": [{"start": start, "end": end} for start, end in variants],
    }


SAMPLED = {"origin": {"value": 5, "system": UCUM, "code": "g"}, "period": 1, "dimensions": 1, "data": "0 1 2"}
WORLD = [
    pressure("bp1", 120, 80),
    pressure("bp2", 80, 120),
    observation("g5", None, "mass", valueQuantity=quantity(Decimal("5.4"), "g")),
    observation("s5", None, "mass", valueSampledData=SAMPLED),
    observation("m5", None, "mass", valueQuantity=quantity(5400, "mg")),
    observation("other", None, "volume", valueQuantity=quantity(Decimal("5.4"), "g")),
    observation("none", None, "mass"),
    observation("yes", None, "finding", valueCodeableConcept=concept("y", SNOMED)),
    observation("text", None, "finding", valueString="Réd $ 1, or more"),
    observation("concept-text", None, "finding", valueCodeableConcept={"text": "Red"}),
    observation("day", None, "since", valueDateTime="2020-05-05"),
    observation("days", None, "since", valuePeriod={"start": "2020-05-01", "end": "2020-05-31"}),
    observation(
        "parts", None, "panel",
        component=[
            {"code": concept("a"), "valueCodeableConcept": concept("x", SNOMED)},
            {"code": concept("b"), "valueCodeableConcept": concept("y", SNOMED)},
            {"code": concept("c")},
        ],
    ),
    group("g1", ("sex", {"valueCodeableConcept": concept("f")}), ("smoker", {"valueBoolean": True})),
    group("g2", ("sex", {"valueCodeableConcept": concept("m")}), ("smoker", {"valueBoolean": False})),
    group("g3", ("age", {"valueQuantity": quantity(5, "a")})),
    value_set("v1", ("age", {"valueRange": {"low": quantity(10, "a"), "high": quantity(20, "a")}})),
    value_set("v2", ("focus", {"valueCodeableConcept": concept("x")}), ("age", {"valueQuantity": quantity(5, "a")})),
    document("d1", ("replaces", "DocumentReference/d0"), ("signs", "DocumentReference/d9")),
    document("d2", ("replaces", "DocumentReference/d9"), ("signs", "http://elsewhere.example/DocumentReference/d0")),
    sequence("s1", "1", (100, 110), (200, 300)),
    sequence("s2", "2", (100, 300)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # pairs are matched within one component
        (f"component-code-value-quantity={SYSTOLIC}$120", "bp1"),
        (f"component-code-value-quantity={SYSTOLIC}$gt100", "bp1"),
        (f"component-code-value-quantity={LOINC}|{DIASTOLIC}$gt100|{UCUM}|mm[Hg]", "bp2"),
        (f"component-code-value-quantity={SYSTOLIC}$gt10|{UCUM}|kPa", "bp1 bp2"),
        (f"component-code-value-quantity={SYSTOLIC}$gt15|{UCUM}|kPa", "bp1"),
        (f"component-code-value-quantity={SYSTOLIC}$120||mm[Hg]", "bp1"),
        (f"component-code-value-quantity={SYSTOLIC}$120||kPa", ""),
        (f"component-code-value-quantity={SYSTOLIC}$120,{DIASTOLIC}$120", "bp1 bp2"),
        (f"component-code-value-quantity={SYSTOLIC}$ne120", "bp2"),
        (
            f"component-code-value-quantity={SYSTOLIC}$gt100&component-code-value-quantity={DIASTOLIC}$lt100",
            "bp1",
        ),
        (f"combo-code-value-quantity={SYSTOLIC}$120", "bp1"),
        ("combo-code-value-quantity=mass$5.4", "g5"),
        (f"combo-code-value-quantity={SYSTOLIC}$120,mass$5.4", "bp1 g5"),
        (f"combo-code-value-quantity={LOINC}|mass$5.4|{UCUM}|g", "g5 m5"),
        # the element is the resource: SampledData is a value-quantity, and yet no Quantity
        ("value-quantity=gt5", "bp1? g5 m5 other s5"),
        ("code-value-quantity=mass$gt5", "g5 m5"),
        ("code-value-quantity=mass$gt5,volume$gt5", "g5 m5 other"),
        (f"code-value-quantity=mass$5.4|{UCUM}|g", "g5 m5"),
        (f"code-value-quantity={LOINC}|mass$lt5", ""),
        (f"code-value-concept=finding${SNOMED}|y", "yes"),
        (f"combo-code-value-concept=finding${SNOMED}|y", "yes"),
        ("code-value-concept=finding$x", ""),
        ("combo-code-value-concept=b$y", "parts"),
        ("combo-code-value-concept=a$y", ""),
        ("component-code-value-concept=a$x", "parts"),
        ("component-code-value-concept=finding$y", ""),
        ("code-value-string=finding$red", "text"),
        (r"code-value-string=finding$red \$ 1\, or", "text"),
        ("code-value-date=since$2020-05", "day days"),
        ("code-value-date=since$eb2020-05-06", "day"),
        ("code-value-date=since$2021", ""),
        # presence
        ("code-value-quantity:missing=false", "g5 m5 other"),
        ("code=mass&code-value-quantity:missing=true", "none s5"),
        ("component-code-value-concept:missing=false", "parts"),
        ("combo-code-value-concept:missing=false", "concept-text parts yes"),
    ],
)
async def test_observations_are_found_by_pairs(world: Asker, query: str, expected: str) -> None:
    found = set(await world.ids(f"Observation?{query.replace('+', '%2B')}"))
    assert found == {id_ for id_ in expected.split() if not id_.endswith("?")}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Group?characteristic-value=sex$f", "g1"),
        ("Group?characteristic-value=smoker$true", "g1"),
        ("Group?characteristic-value=smoker$false", "g2"),
        ("Group?characteristic-value=sex$true", ""),
        ("Group?characteristic-value:missing=true", "g3"),
        (f"ValueSet?context-type-quantity=age$lt12|{UCUM}|a", "v1 v2"),
        (f"ValueSet?context-type-quantity=urn:kind|age$ge60|{UCUM}|mo", "v1 v2"),
        (f"ValueSet?context-type-quantity=age$ge61|{UCUM}|mo", "v1"),
        ("ValueSet?context-type-value=focus$x", "v2"),
        ("ValueSet?context-type-value=age$x", ""),
        ("DocumentReference?relationship=replaces$DocumentReference/d0", "d1"),
        ("DocumentReference?relationship=replaces$d9", "d2"),
        ("DocumentReference?relationship=signs$d0", ""),
        ("DocumentReference?relationship=signs$http://elsewhere.example/DocumentReference/d0", "d2"),
        ("DocumentReference?relationship=replaces$http://example.org/fhir/DocumentReference/d0", "d1"),
        ("MolecularSequence?chromosome-variant-coordinate=1$100$110", "s1"),
        ("MolecularSequence?chromosome-variant-coordinate=1$100$300", ""),
        ("MolecularSequence?chromosome-variant-coordinate=2$100$300", "s2"),
        ("MolecularSequence?chromosome-variant-coordinate=1$ge150$le400", "s1"),
        ("MolecularSequence?referenceseqid-variant-coordinate=urn:ncbi|NC_2$lt150$gt150", "s2"),
        ("MolecularSequence?chromosome-window-coordinate=2$10$500", "s2"),
        ("MolecularSequence?referenceseqid-window-coordinate=NC_1$10$500,NC_2$1$2", "s1"),
        ("MolecularSequence?_has:Group:member:characteristic-value=sex$f", None),
    ],
)  # fmt: skip
async def test_other_types_are_found_by_pairs(world: Asker, query: str, expected: str | None) -> None:
    if expected is None:
        assert await world.ids(query) == []
    else:
        assert set(await world.ids(query)) == set(expected.split())


OWN = (
    SearchParam("urn:a", "own-a", "composite", ("Patient",), "Patient.contact.where(gender.exists())",
                components=((BASE + "individual-gender", "gender"), (BASE + "individual-family", "name.family"))),
    SearchParam("urn:b", "own-b", "composite", ("Patient",), "Patient.identifier.tail()",
                components=((BASE + "Patient-identifier", "$this"), (BASE + "individual-birthdate", "period"))),
    SearchParam("urn:c", "own-c", "composite", ("Patient",), "Patient",
                components=((BASE + "individual-gender", "gender"), (BASE + "individual-birthdate", "birthDate"))),
)  # fmt: skip


@pytest.fixture
def own() -> Iterator[None]:
    """Serve composites of someone's making."""
    install(1, {"Patient": OWN})
    yield
    install(0, {})


@pytest.mark.usefixtures("own")
async def test_stored_composites_are_served_too(ask: Asker) -> None:
    await ask.put(
        {
            "resourceType": "Patient",
            "id": "p",
            "gender": "male",
            "birthDate": "2000-01-01",
            "contact": [
                {"gender": "female", "name": {"family": "Ann"}},
                {"gender": "male", "name": {"family": "Bob"}},
                {"name": {"family": "Cy"}},
            ],
            "identifier": [
                {"system": "urn:x", "value": "1", "period": {"start": "2019"}},
                {"system": "urn:x", "value": "2", "period": {"start": "2020", "end": "2020"}},
            ],
        }
    )
    for query, found in (
        ("own-a=female$ann", True),
        ("own-a=http://hl7.org/fhir/administrative-gender|male$bo", True),
        ("own-a=male$ann", False),
        ("own-b=urn:x|2$2020", True),
        ("own-b=urn:x|1$ge2019", False),
        ("own-b=1$2019", False),
        ("own-c=male$2000", True),
        ("own-c=male$gt2000", False),
        ("own-c:missing=false", True),
    ):
        assert await ask.ids(f"Patient?{query}") == (["p"] if found else []), query


async def test_a_composite_is_asked_across_types(ask: Asker) -> None:
    library = {
        "resourceType": "Library",
        "id": "l",
        "status": "draft",
        "type": concept("x"),
        "useContext": [
            {"code": {"system": "urn:kind", "code": "focus"}, "valueCodeableConcept": concept("x")}
        ],
    }
    await ask.put(value_set("v", ("focus", {"valueCodeableConcept": concept("y")})), library)
    query = "?_type=ValueSet,Library&context-type-value"
    assert await ask.ids(f"{query}=focus$x") == ["l"]
    assert sorted(await ask.ids(f"{query}=focus$x,focus$y")) == ["l", "v"]
    assert sorted(await ask.ids(f"{query}:missing=false")) == ["l", "v"]
    assert await ask.ids("ValueSet?_filter=context-type-value eq focus$y") == ["v"]


async def test_a_total_counts_what_a_composite_finds(world: Asker) -> None:
    bundle = await world.bundle("Observation?combo-code-value-quantity=mass$gt5&_summary=count")
    assert bundle["total"] == 2
    bundle = await world.bundle(
        f"Observation?component-code-value-quantity={SYSTOLIC}$gt1&_count=1&_total=accurate"
    )
    assert (bundle["total"], len(bundle["entry"])) == (2, 1)


async def test_pairs_follow_an_update(ask: Asker) -> None:
    await ask.put(pressure("bp", 120, 80))
    query = f"Observation?component-code-value-quantity={SYSTOLIC}$120"
    assert await ask.ids(query) == ["bp"]
    await ask.put(pressure("bp", 130, 120))
    assert await ask.ids(query) == []
    assert await ask.ids(query.replace("120", "130")) == ["bp"]


@pytest.mark.parametrize(
    "query",
    [
        "code-value-quantity=mass",
        "code-value-quantity=mass$",
        "code-value-quantity=$5",
        "code-value-quantity=mass$5$6",
        "code-value-quantity=mass$much",
        "code-value-quantity=mass$5|g",
        r"code-value-quantity=mass\$5",
        "code-value-date=since$yesterday",
        "code-value-quantity:exact=mass$5",
        "code-value-quantity:not=mass$5",
        "component-code-value-quantity:missing=perhaps",
    ],
)
async def test_what_is_no_pair_is_refused(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as refused:
        await world.ids(f"Observation?{query}")
    assert refused.value.status == 400
