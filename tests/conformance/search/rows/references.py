"""Rows for references, chains, composites and places. Source: http://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from tests.conformance.search.rows.making import ACME, BASE, LOINC, UCUM, concept, observed, of

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
