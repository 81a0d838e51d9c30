"""`_filter`: every operator on every type of parameter, with answers worked out from R4's table.

Source: http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import Asker
from tests.integration.search.people import LOINC, MRN, observation, patient, quantity

SNOMED = "http://snomed.info/sct"


def risk(id_: str, probability: str) -> dict[str, object]:
    """Return a RiskAssessment with one probability."""
    prediction = [{"probabilityDecimal": Decimal(probability)}]
    return {
        "resourceType": "RiskAssessment",
        "id": id_,
        "status": "final",
        "subject": {"display": "x"},
        "prediction": prediction,
    }


def condition(id_: str, code: str) -> dict[str, object]:
    """Return a Condition with a code of the hierarchy."""
    coded = {"coding": [{"system": "urn:tree", "code": code}]}
    return {"resourceType": "Condition", "id": id_, "subject": {"display": "x"}, "code": coded}


def document(id_: str, *relations: tuple[str, str]) -> dict[str, object]:
    """Return a DocumentReference that relates to others."""
    relates = [{"code": code, "target": {"reference": f"DocumentReference/{to}"}} for code, to in relations]
    made: dict[str, object] = {
        "resourceType": "DocumentReference",
        "id": id_,
        "status": "current",
        "content": [{"attachment": {"title": "x"}}],
    }
    return {**made, "relatesTo": relates} if relates else made


def group(id_: str, *traits: tuple[str, str]) -> dict[str, object]:
    """Return a Group with characteristics."""
    each = [
        {
            "code": {"coding": [{"code": code}]},
            "valueCodeableConcept": {"coding": [{"code": value}]},
            "exclude": False,
        }
        for code, value in traits
    ]
    return {"resourceType": "Group", "id": id_, "type": "person", "actual": False, "characteristic": each}


WORLD = [
    {
        "resourceType": "Practitioner",
        "id": "doc",
        "name": [{"family": "Petrov"}],
        "gender": "male",
    },
    {"resourceType": "Practitioner", "id": "nurse", "name": [{"family": "Ng"}], "gender": "female"},
    patient(
        "ann",
        "Petersen",
        "Ann",
        "Bea",
        gender="female",
        birthDate="1980-05-06",
        identifier=[{"system": MRN, "value": "A1"}],
        generalPractitioner=[{"reference": "Practitioner/doc"}],
    ),
    patient(
        "bob",
        "Müller",
        "Bob",
        gender="male",
        birthDate="1990",
        identifier=[{"system": MRN, "value": "B1"}, {"system": "urn:other", "value": "B2"}],
        generalPractitioner=[{"reference": "Practitioner/nurse"}],
    ),
    patient(
        "cyd", "(Odd) ]Name", birthDate="2000-02", generalPractitioner=[{"reference": "Practitioner/nurse"}]
    ),
    {"resourceType": "Patient", "id": "nobody"},
    observation("o1", "Patient/ann", "1234-5", "2020-06-15", valueQuantity=quantity(Decimal("5.4"), "mg")),
    observation("o2", "Patient/bob", "1234-5", "2020", valueQuantity=quantity(54, "g")),
    observation("o3", "Patient/cyd", "9999-9", "2021-06-15", valueString="Some text"),
    {
        **observation("o4", "Patient/ann", "1234-5"),
        "code": {"coding": [{"system": LOINC, "code": "1234-5"}, {"system": SNOMED, "code": "77"}]},
    },
    risk("r1", "0.5"),
    risk("r2", "0.52"),
    {
        "resourceType": "CodeSystem",
        "id": "tree",
        "url": "urn:tree",
        "status": "active",
        "content": "complete",
        "hierarchyMeaning": "is-a",
        "concept": [{"code": "top", "concept": [{"code": "mid", "concept": [{"code": "leaf"}]}]}],
    },
    {
        "resourceType": "ValueSet",
        "id": "codes",
        "url": "http://example.org/vs/codes",
        "status": "draft",
        "compose": {"include": [{"system": LOINC, "concept": [{"code": "9999-9"}]}]},
    },
    condition("c1", "mid"),
    condition("c2", "leaf"),
    condition("c3", "top"),
    document("d1"),
    document("d2", ("replaces", "d1"), ("appends", "d3")),
    document("d3", ("replaces", "d4")),
    document("d4"),
    group("g1", ("size", "big"), ("colour", "red")),
    group("g2", ("size", "red")),
    {"resourceType": "ValueSet", "id": "v1", "status": "draft", "url": "http://example.org/vs/One"},
    {"resourceType": "ValueSet", "id": "v2", "status": "draft", "url": "http://example.org/vs/two%"},
]

PATIENTS = {
    'name co "pet"': ["ann"],
    'given eq "ann" and birthdate ge 1980-01-01': ["ann"],
    "given eq an": [],
    "given sw an": ["ann"],
    "given ew EA": ["ann"],
    "given ne ann": ["ann", "bob"],
    "not (given eq ann)": ["bob", "cyd", "nobody"],
    "family eq muller": ["bob"],
    'family eq "(odd) ]name"': ["cyd"],
    "family gt müller": ["ann"],
    "family ge müller": ["ann", "bob"],
    "family lt muller": ["cyd"],
    "family le muller": ["bob", "cyd"],
    "name pr true": ["ann", "bob", "cyd"],
    "name pr false": ["nobody"],
    "gender eq male": ["bob"],
    "gender ne male": ["ann"],
    "gender ne http://hl7.org/fhir/administrative-gender|male": ["ann"],
    "gender ne http://example.org|male": ["ann", "bob"],
    f"identifier eq {MRN}|A1": ["ann"],
    f"identifier ne {MRN}|B1": ["ann", "bob"],
    "identifier ne A1": ["bob"],
    "identifier ne a1": ["ann", "bob"],
    f"identifier ne {MRN}|": ["bob"],
    "_id eq ann": ["ann"],
    "_id ne ann": ["bob", "cyd", "nobody"],
    "_id pr true": ["ann", "bob", "cyd", "nobody"],
    "_id pr false": [],
    "birthdate eq 1990": ["bob"],
    "birthdate ne 1990": ["ann", "cyd"],
    "birthdate gt 1985": ["bob", "cyd"],
    "birthdate lt 1990": ["ann"],
    "birthdate le 1990": ["ann", "bob"],
    "birthdate sa 1990": ["cyd"],
    "birthdate eb 2000": ["ann", "bob"],
    "birthdate po 1990-07": ["bob"],
    "birthdate po 1975": [],
    "birthdate co 2000-02-10": ["cyd"],
    "birthdate co 2000": [],
    "birthdate co 1990": ["bob"],
    "general-practitioner re Practitioner/nurse": ["bob", "cyd"],
    "general-practitioner re http://example.org/fhir/Practitioner/doc": ["ann"],
    "not (general-practitioner re Practitioner/nurse)": ["ann", "nobody"],
    "general-practitioner pr false": ["nobody"],
    "general-practitioner:Practitioner.family sw petr": ["ann"],
    "general-practitioner:Practitioner[gender eq male].family sw ng": [],
    "general-practitioner:Practitioner[gender eq female].family sw ng": ["bob", "cyd"],
    "given eq ann or given eq bob and gender eq male": ["bob"],
    "given eq ann or (given eq bob and gender eq male)": ["ann", "bob"],
    "(given eq ann or gender eq male) and birthdate ge 1980": ["ann", "bob"],
    "not (gender eq male or gender eq female)": ["cyd", "nobody"],
    "_lastUpdated gt 2020": ["ann", "bob", "cyd", "nobody"],
    "_lastUpdated lt 2020": [],
}

OBSERVATIONS = {
    f"code eq {LOINC}|1234-5": ["o1", "o2", "o4"],
    "code eq loinc|1234-5": ["o1", "o2", "o4"],
    "code ne loinc|1234-5": ["o3", "o4"],
    "code ne 1234-5": ["o3", "o4"],
    "code eq loinc|1234-5 and code eq snomed|77": ["o4"],
    'subject.name co "pet"': ["o1", "o4"],
    "subject[gender eq male].name pr true": ["o2"],
    "subject:Patient[birthdate ge 2000].gender pr false": ["o3"],
    "patient.general-practitioner:Practitioner.family eq ng": ["o2", "o3"],
    "patient re Patient/ann and code eq loinc|1234-5": ["o1", "o4"],
    "patient re Patient/ann or patient re Patient/cyd": ["o1", "o3", "o4"],
    "value-quantity gt 1|ucum|g": ["o2"],
    "value-quantity eq 5.4|ucum|mg": ["o1"],
    "value-quantity ne 5.4": ["o2"],
    "value-string co TEXT": ["o3"],
    "date po 2020-06": ["o1", "o2"],
    "date co 2020-06-15": ["o1", "o2"],
    "date co 2020-06": ["o2"],
    "date pr false": ["o4"],
    'subject._filter eq "x"': None,
}

OTHERS = {
    "RiskAssessment?_filter=probability co 0.52": ["r1", "r2"],
    "RiskAssessment?_filter=probability co 0.54": ["r1"],
    "RiskAssessment?_filter=probability ge 0.52": ["r2"],
    "RiskAssessment?_filter=probability eq 0.5": ["r1", "r2"],
    "ValueSet?_filter=url eq http://example.org/vs/One": ["v1"],
    "ValueSet?_filter=url ne http://example.org/vs/One": ["codes", "v2"],
    "ValueSet?_filter=url sw http://example.org": ["codes", "v1", "v2"],
    "Observation?_filter=code in http://example.org/vs/codes": ["o3"],
    "Observation?_filter=code ni http://example.org/vs/codes": ["o1", "o2", "o4"],
    "Condition?_filter=code ss urn:tree|mid": ["c1", "c2"],
    "Condition?_filter=code sb urn:tree|mid": ["c1", "c3"],
    "Condition?_filter=not (code ss urn:tree|mid)": ["c3"],
    "DocumentReference?_filter=relatesTo[code eq replaces].target re DocumentReference/d1": ["d2"],
    "DocumentReference?_filter=relatesTo[code eq replaces].target re DocumentReference/d3": [],
    "DocumentReference?_filter=relatesTo[code eq replaces or code eq appends].target re DocumentReference/d3": [
        "d2"
    ],
    "DocumentReference?_filter=relatesTo[target re DocumentReference/d4].code eq replaces": ["d3"],
    "Group?_filter=characteristic[code eq size].value eq red": ["g2"],
    "Group?_filter=characteristic eq size": ["g1", "g2"],
    "?_type=Patient,Practitioner&_filter=gender eq female": ["ann", "nurse"],
    "?_type=Patient,Practitioner&_filter=gender ne female or family sw pet": ["ann", "bob", "doc"],
    "?_type=Patient,Practitioner&_filter=family ne ng and not (gender eq female)": ["bob", "cyd", "doc"],
    "ValueSet?_filter=url co /vs/t": ["v2"],
    "ValueSet?_filter=url ew %": ["v2"],
    "ValueSet?_filter=url ew one": [],
    "Patient?gender=male&_filter=birthdate ge 1980": ["bob"],
    "Observation?patient._filter=name co pet": ["o1", "o4"],
    "Patient?_has:Observation:patient:_filter=date lt 2020-12 and code eq loinc|1234-5": ["ann", "bob"],
    "Patient?_filter=gender eq male&_filter=given eq ann": [],
}

REFUSED = {
    "Patient?_filter=nonsense eq 1": "character 1: Patient has no search parameter 'nonsense'",
    "Patient?_filter=name eq x and nonsense eq 1": "character 15:",
    "Patient?_filter=gender co ma": "character 1: 'co' is not for 'gender' (token)",
    "Patient?_filter=general-practitioner eq Practitioner/doc": "takes pr, re",
    "Patient?_filter=birthdate sw 19": "'sw' is not for 'birthdate'",
    "Patient?_filter=birthdate ge yesterday": "is no value for the search parameter 'birthdate'",
    "Patient?_filter=birthdate po x": "is no value",
    "Patient?_filter=name pr maybe": "true or false",
    "Patient?_filter=name.given eq x": "is no reference",
    "Patient?_filter=general-practitioner.nonsense eq x": "has 'nonsense'",
    "Patient?_filter=general-practitioner:Nonsense.name eq x": "is not a resource type",
    "Patient?_filter=given:Patient eq x": "stands in a chain only",
    "Patient?_filter=identifier eq a|b|c": "a token is",
    "Observation?_filter=related[type eq has-component].target re Observation/4": "R4 has no search parameters",
    "DocumentReference?_filter=relatesTo.target re DocumentReference/1": "needs a filter in brackets",
    "DocumentReference?_filter=relatesTo[code eq replaces and code eq x].target re DocumentReference/1": "'or'",
    "DocumentReference?_filter=relatesTo[nonsense eq replaces].target re DocumentReference/1": "has code and target",
    "DocumentReference?_filter=relatesTo[code eq replaces].code eq x": "say the same",
    "Patient?_filter=name eq": "character 8: a space",
    "Patient?_filter:exact=name eq x": "takes no modifier",
}


def asked(query: str) -> str:
    """Return the address of a search whose values are written plainly."""
    path, _, text = query.partition("?")
    pairs = [part.partition("=") for part in text.split("&")]
    return f"{path}?" + "&".join(f"{name}={quote(value)}" for name, _, value in pairs)


@pytest.mark.parametrize(("text", "ids"), PATIENTS.items())
async def test_filters_of_patients(world: Asker, text: str, ids: list[str]) -> None:
    assert sorted(await world.ids(asked(f"Patient?_filter={text}"))) == ids


@pytest.mark.parametrize(("text", "ids"), OBSERVATIONS.items())
async def test_filters_of_observations(world: Asker, text: str, ids: list[str] | None) -> None:
    if ids is None:
        with pytest.raises(FhirError):
            await world.ids(asked(f"Observation?_filter={text}"))
    else:
        assert sorted(await world.ids(asked(f"Observation?_filter={text}"))) == ids


@pytest.mark.parametrize(("query", "ids"), OTHERS.items())
async def test_filters_of_other_types_and_beside_other_parameters(
    world: Asker, query: str, ids: list[str]
) -> None:
    assert sorted(await world.ids(asked(query))) == ids


@pytest.mark.parametrize(("query", "text"), REFUSED.items())
async def test_what_a_filter_cannot_ask_is_refused_by_name(world: Asker, query: str, text: str) -> None:
    with pytest.raises(FhirError) as refused:
        await world.ids(asked(query))
    assert refused.value.status == 400
    assert text in " ".join(issue.text for issue in refused.value.issues)


@pytest.mark.parametrize("text", [text for text, ids in PATIENTS.items() if "(" not in text and ids])
async def test_not_is_the_complement_of_any_filter(world: Asker, text: str) -> None:
    everyone = {"ann", "bob", "cyd", "nobody"}
    without = await world.ids(asked(f"Patient?_filter=not ({text})"))
    assert set(without) == everyone - set(PATIENTS[text])


async def test_pages_and_totals_of_a_filter_agree(world: Asker) -> None:
    query = asked("Patient?_filter=gender pr true or birthdate ge 2000") + "&_total=accurate"
    assert (await world.bundle(query))["total"] == 3
    pages = await world.walk(query + "&_count=1")
    assert sorted(id_ for page in pages for id_ in page) == ["ann", "bob", "cyd"]
