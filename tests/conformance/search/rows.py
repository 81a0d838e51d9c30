"""Resources made for the rows of the search page: what its examples speak of, and the edges of its ranges.

Their ids begin with `row-`. Source: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
LOINC = "http://loinc.org"
ACME = "http://acme.example/codes"
ANIMALS = "http://acme.example/CodeSystem/animals"
MRN_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
BASE = "http://server.example/fhir"


def of(type_name: str, id_: str, **elements: Any) -> Json:
    """Return a resource."""
    return {"resourceType": type_name, "id": f"row-{id_}", **elements}


def patient(id_: str, *given: str, **elements: Any) -> Json:
    """Return a Patient."""
    name = {"name": [{"given": list(given)}]} if given else {}
    return of("Patient", id_, **name, **elements)


def observed(id_: str, code: str = "row", **elements: Any) -> Json:
    """Return an Observation."""
    return of(
        "Observation", id_, status="final", code={"coding": [{"system": LOINC, "code": code}]}, **elements
    )


def charge(number: str) -> Json:
    """Return a ChargeItem with a factorOverride, the decimal that R4 searches as a number."""
    code, subject = {"text": "charge"}, {"reference": "Patient/row-eve"}
    return of(
        "ChargeItem",
        f"n{number}",
        status="billable",
        code=code,
        subject=subject,
        factorOverride=float(number),
    )


def measured(id_: str, value: float, unit: str = "mg", **more: Any) -> Json:
    """Return an Observation with a mass in UCUM."""
    return observed(id_, valueQuantity={"value": value, "unit": unit, "system": UCUM, "code": unit, **more})


def concept(code: str, **more: Any) -> Json:
    """Return a CodeableConcept of the code system without case."""
    return {"coding": [{"system": ACME, "code": code, **more}]}


def condition(id_: str, **elements: Any) -> Json:
    """Return a Condition."""
    return of("Condition", id_, subject={"reference": "Patient/row-eve"}, **elements)


STRINGS = [
    patient("eve", "Eve", gender="female", active=True, birthDate="1970-03-15"),
    patient("evelyn", "Evelyn", gender="male", active=False),
    patient("severine", "Severine"),
    patient("lower", "eve", gender="other"),
    patient("upper", "EVE"),
    patient("accent", "Évé"),
    of("Patient", "spaced", name=[{"family": "van\u00a0den   Berg", "text": "Jo van den Berg"}]),
    of(
        "Patient",
        "greek",
        name=[{"family": "Παπαδόπουλος"}],
        address=[{"city": "Αθήνα", "postalCode": "105 57"}],
    ),
    of("Patient", "chinese", name=[{"family": "王", "given": ["小明"]}]),
    of("Patient", "comma", name=[{"family": "a,b"}, {"family": "c|d$e\\f"}]),
]
NUMBERS = [
    charge(one)
    for one in (
        "94.99",
        "95",
        "99.49",
        "99.5",
        "99.994",
        "99.995",
        "100",
        "100.004",
        "100.005",
        "100.5",
        "104.99",
        "105",
    )
]
DATES = [
    observed("d14t00", effectiveDateTime="2013-01-14T00:00:00Z"),
    observed("d14t10", effectiveDateTime="2013-01-14T10:00:00Z"),
    observed("d15t00", effectiveDateTime="2013-01-15T00:00:00Z"),
    observed("d14", effectiveDateTime="2013-01-14"),
    observed("from0121", effectivePeriod={"start": "2013-01-21"}),
    observed("from0315", effectivePeriod={"start": "2013-03-15"}),
    observed("until0121", effectivePeriod={"end": "2013-01-21"}),
    observed("d0314", effectiveDateTime="2013-03-14"),
    observed("d20150615", effectiveDateTime="2015-06-15"),
    observed("m2000", effectiveDateTime="2000-04"),
    observed("y2000", effectiveDateTime="2000"),
    observed(
        "timing", effectiveTiming={"repeat": {"boundsPeriod": {"start": "1913-01-31", "end": "1913-03-24"}}}
    ),
    observed("instant", effectiveInstant="1999-12-31T23:30:00-01:00"),
]
QUANTITIES = [
    measured("q5.34", 5.34),
    measured("q5.35", 5.35),
    measured("q5.4", 5.4),
    measured("q5.44", 5.44),
    measured("q5.45", 5.45),
    measured("q5.395", 5.395),
    measured("q5.405", 5.405),
    measured("q6", 6.0),
    measured("qg", 0.0054, "g"),
    observed("qunit", valueQuantity={"value": 5.4, "unit": "mg"}),
    observed("qother", valueQuantity={"value": 5.4, "unit": "milligram", "system": UCUM, "code": "mg"}),
    observed("qnone", valueQuantity={"value": 5.4}),
    measured("qless", 5.4, "mg", comparator="<"),
]
TOKENS = [
    patient("id", identifier=[{"system": "http://acme.example/patient", "value": "2345"}]),
    patient(
        "idtype",
        identifier=[
            {
                "type": {"coding": [{"system": MRN_TYPE, "code": "MR"}], "text": "Medical record of old"},
                "system": "http://acme.example/mrn",
                "value": "446053",
            }
        ],
    ),
    patient("idbare", identifier=[{"value": "2345"}]),
    patient("idroot", identifier=[{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}]),
    patient(
        "phone",
        telecom=[
            {"system": "phone", "value": "+1 555 0100"},
            {"system": "email", "value": "Row@acme.example"},
        ],
    ),
    patient(
        "talks",
        communication=[
            {"language": {"coding": [{"code": "FR"}]}},
            {"language": {"coding": [{"code": "EN"}]}},
        ],
    ),
    patient("dutch", communication=[{"language": {"coding": [{"code": "NL"}]}}]),
    condition(
        "ha125",
        clinicalStatus={"coding": [{"system": CLINICAL, "code": "active"}]},
        code=concept("ha125", display="Headache of the row"),
    ),
    condition("other", code=concept("HB125") | {"text": "Tension headache"}),
    condition("nosystem", code={"coding": [{"code": "ha125"}]}),
    condition("named", code={"text": "Headache, plain"}),
    condition("cat", code={"coding": [{"system": ANIMALS, "code": "cat"}]}),
    condition("mammal", code={"coding": [{"system": ANIMALS, "code": "mammal"}]}),
    condition("trout", code={"coding": [{"system": ANIMALS, "code": "trout"}]}),
    of(
        "Composition",
        "sections",
        status="final",
        type=concept("note"),
        date="2020",
        author=[{"display": "Row"}],
        title="Two sections",
        section=[{"code": concept("48765-2")}, {"code": concept("other")}],
    ),
    of(
        "Composition",
        "section",
        status="final",
        type=concept("note"),
        date="2020",
        author=[{"display": "Row"}],
        title="One section",
        section=[{"code": concept("other")}],
    ),
    of(
        "DocumentReference",
        "xml",
        status="current",
        content=[{"attachment": {"contentType": "text/xml; charset=UTF-8"}}],
    ),
    of(
        "DocumentReference",
        "plain",
        status="current",
        content=[{"attachment": {"contentType": "text/plain"}}],
        relatesTo=[
            {"code": "replaces", "target": {"reference": "DocumentReference/row-xml"}},
            {"code": "signs", "target": {"reference": "DocumentReference/row-none"}},
        ],
    ),
]
TERMINOLOGY = [
    of(
        "CodeSystem",
        "animals",
        url=ANIMALS,
        status="active",
        content="complete",
        caseSensitive=True,
        hierarchyMeaning="is-a",
        concept=[
            {
                "code": "animal",
                "concept": [
                    {"code": "mammal", "concept": [{"code": "cat"}, {"code": "dog"}]},
                    {"code": "fish", "concept": [{"code": "trout"}]},
                ],
            }
        ],
    ),
    of(
        "ValueSet",
        "pets",
        url="http://acme.example/ValueSet/pets",
        version="1.0",
        status="active",
        compose={"include": [{"system": ANIMALS, "concept": [{"code": "cat"}, {"code": "dog"}]}]},
    ),
    of(
        "ValueSet",
        "mammals",
        url="http://acme.example/ValueSet/mammals",
        status="active",
        compose={
            "include": [
                {"system": ANIMALS, "filter": [{"property": "concept", "op": "is-a", "value": "mammal"}]}
            ]
        },
    ),
    of("ValueSet", "deep", url="http://acme.example/ValueSet/pets/deep", status="active"),
    of("ValueSet", "oid", url="urn:oid:1.2.3.4.5", status="active"),
]
REFERENCES = [
    observed("relative", "ref", subject={"reference": "Patient/row-eve"}),
    observed("absolute", "ref", subject={"reference": f"{BASE}/Patient/row-eve"}),
    observed("foreign", "ref", subject={"reference": "http://other.example/fhir/Patient/row-eve"}),
    observed("versioned", "ref", subject={"reference": "Patient/row-eve/_history/1"}),
    observed(
        "logical", "ref", subject={"identifier": {"system": "http://acme.example/mrn", "value": "446053"}}
    ),
    observed("group", "ref", subject={"reference": "Group/row-eve"}),
    observed(
        "parts",
        "2823-3",
        subject={"reference": "Patient/row-evelyn"},
        component=[
            {
                "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
                "valueQuantity": {"value": 70, "unit": "mm[Hg]"},
            },
            {
                "code": {"coding": [{"system": LOINC, "code": "8462-4"}]},
                "valueQuantity": {"value": 50, "unit": "mm[Hg]"},
            },
        ],
    ),
    observed(
        "potassium",
        "2823-3",
        valueQuantity={"value": 5.5, "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
    ),
    of(
        "DiagnosticReport",
        "potassium",
        status="final",
        code=concept("panel"),
        result=[{"reference": "Observation/row-potassium"}],
    ),
    of(
        "Group",
        "eve",
        type="person",
        actual=True,
        characteristic=[
            {"code": concept("gender"), "valueCodeableConcept": concept("mixed"), "exclude": False},
            {"code": concept("owner"), "valueCodeableConcept": concept("female"), "exclude": False},
        ],
    ),
    of(
        "Questionnaire",
        "context",
        status="active",
        url="http://acme.example/Questionnaire/row",
        version="3.0",
        useContext=[
            {"code": {"system": ACME, "code": "focus"}, "valueCodeableConcept": concept("abuse")},
            {"code": {"system": ACME, "code": "venue"}, "valueCodeableConcept": concept("clinic")},
        ],
    ),
    of(
        "QuestionnaireResponse",
        "v3",
        status="completed",
        questionnaire="http://acme.example/Questionnaire/row|3.0",
    ),
    of(
        "QuestionnaireResponse",
        "bare",
        status="completed",
        questionnaire="http://acme.example/Questionnaire/row",
    ),
    of(
        "List",
        "list",
        status="current",
        mode="working",
        entry=[{"item": {"reference": "Patient/row-eve"}}, {"item": {"reference": "Patient/row-upper"}}],
    ),
    of("Location", "whole", name="Row whole", position={"longitude": -83.69471, "latitude": 42.2565}),
    of(
        "Location",
        "part",
        name="Row part",
        partOf={"reference": "Location/row-whole"},
        position={"longitude": -83.70, "latitude": 42.35},
    ),
    of("Location", "far", name="Row far", position={"longitude": 13.4, "latitude": 52.5}),
    of(
        "MedicationRequest",
        "contained",
        status="active",
        intent="order",
        subject={"reference": "Patient/row-eve"},
        medicationReference={"reference": "#m"},
        contained=[
            {"resourceType": "Medication", "id": "m", "ingredient": [{"itemCodeableConcept": concept("abc")}]}
        ],
    ),
    of(
        "Provenance",
        "prov",
        target=[{"reference": "Observation/row-relative/_history/1"}],
        recorded="2020-01-01T00:00:00Z",
        agent=[{"who": {"reference": "Patient/row-eve"}}],
    ),
]
OTHERS = [
    of(
        "CapabilityStatement",
        "cap",
        status="active",
        date="2020",
        kind="requirements",
        fhirVersion="4.0.1",
        format=["json"],
    ),
    of(
        "CompartmentDefinition",
        "comp",
        url="http://acme.example/comp",
        name="Row",
        status="draft",
        code="Patient",
        search=True,
    ),
    of("ConceptMap", "map", status="draft", url="http://acme.example/map"),
    of(
        "ImplementationGuide",
        "ig",
        url="http://acme.example/ig",
        name="Row",
        status="draft",
        packageId="row",
        fhirVersion=["4.0.1"],
    ),
    of(
        "AuditEvent",
        "audit",
        type={"code": "row"},
        recorded="2020-01-01T00:00:00Z",
        agent=[{"requestor": True}],
        source={"site": "Row Site", "observer": {"display": "Row"}},
    ),
    of(
        "NamingSystem",
        "ns",
        name="Row",
        status="draft",
        kind="root",
        date="2020",
        uniqueId=[{"type": "oid", "value": "1.2"}],
    ),
    of(
        "OperationDefinition",
        "op",
        name="Row",
        status="draft",
        kind="query",
        code="row",
        system=False,
        type=True,
        instance=False,
    ),
    of(
        "SearchParameter",
        "sp",
        url="http://acme.example/sp",
        name="Row",
        status="retired",
        description="Row",
        code="row",
        base=["Basic"],
        type="token",
    ),
    of(
        "StructureDefinition",
        "sd",
        url="http://acme.example/sd",
        name="Row",
        status="draft",
        kind="logical",
        abstract=False,
        type="http://acme.example/sd",
        differential={"element": [{"id": "sd", "path": "sd"}]},
    ),
    of("SubstanceNucleicAcid", "sna", sequenceType=concept("dna")),
    of("SubstancePolymer", "spo", modification=["row"]),
    of("SubstanceProtein", "spr", sequenceType=concept("protein")),
    of("SubstanceReferenceInformation", "sri", comment="row"),
    of("SubstanceSourceMaterial", "ssm", organismName="row"),
    patient(
        "tagged",
        meta={
            "tag": [{"system": "http://acme.example/tags", "code": "needs-review"}],
            "security": [{"system": ACME, "code": "secret"}],
            "profile": ["http://acme.example/StructureDefinition/lipid"],
            "source": "http://acme.example/feed",
        },
        text={
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml">Metastases of the liver</div>',
        },
    ),
]

ROWS: list[Json] = [*STRINGS, *NUMBERS, *DATES, *QUANTITIES, *TOKENS, *TERMINOLOGY, *REFERENCES, *OTHERS]
