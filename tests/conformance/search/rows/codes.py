"""Rows for tokens. Source: http://hl7.org/fhir/R4/search.html#token"""

from __future__ import annotations

from tests.conformance.search.rows.making import ANIMALS, CLINICAL, MRN_TYPE, concept, condition, of, patient

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
