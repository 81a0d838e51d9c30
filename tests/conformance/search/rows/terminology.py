"""Code systems and value sets that searches name. Source: http://hl7.org/fhir/R4/search.html#modifiers"""

from __future__ import annotations

from tests.conformance.search.rows.making import ANIMALS, of

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
