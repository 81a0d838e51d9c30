"""Profiles that use every rule of ElementDefinition and slicing, and resources that break one of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.conformance.validate.mutations import Mutation
from tests.conformance.validate.places import Json

R4 = "http://hl7.org/fhir/StructureDefinition/"
STRICT = "http://nowhere.test/StructureDefinition/strict"
LOCAL = "http://nowhere.test/CodeSystem/parts"


def _concept(code: str) -> Json:
    return {"coding": [{"system": LOCAL, "code": code}]}


def _slice(name: str, least: int, most: str) -> list[Json]:
    piece = {"id": f"Observation.component:{name}", "path": "Observation.component", "sliceName": name}
    code = {"id": f"{piece['id']}.code", "path": "Observation.component.code"}
    value = {"id": f"{piece['id']}.value[x]", "path": "Observation.component.value[x]", "min": 1}
    return [piece | {"min": least, "max": most}, code | {"patternCodeableConcept": _concept(name)}, value]


def _profile(name: str, rules: str) -> Json:
    slicing = {"discriminator": [{"type": "pattern", "path": "code"}], "rules": rules, "ordered": True}
    elements: list[Json] = [
        {"path": "Observation.note", "max": "1"},
        {"path": "Observation.note.text", "maxLength": 20},
        {"path": "Observation.effective[x]", "min": 1, "type": [{"code": "dateTime"}]},
        {"path": "Observation.interpretation", "max": "0"},
        {
            "path": "Observation.value[x]",
            "type": [{"code": "integer"}],
            "minValueInteger": 1,
            "maxValueInteger": 9,
        },
        {"path": "Observation.status", "fixedCode": "final"},
        {"path": "Observation.bodySite", "patternCodeableConcept": _concept("arm")},
        {
            "path": "Observation.performer",
            "type": [
                {
                    "code": "Reference",
                    "targetProfile": [R4 + "Organization"],
                    "aggregation": ["referenced"],
                    "versioning": "specific",
                }
            ],
        },
        {"path": "Observation.component", "slicing": slicing},
        *_slice("a", 1, "1"),
        *_slice("b", 0, "1"),
    ]
    return {
        "resourceType": "StructureDefinition",
        "url": f"{STRICT}-{name}",
        "name": "Strict",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": R4 + "Observation",
        "derivation": "constraint",
        "differential": {"element": [{"id": one["path"]} | one for one in elements]},
    }


PROFILES = [_profile(rules.lower(), rules) for rules in ("open", "closed", "openAtEnd")]
CODES: Json = {
    "resourceType": "CodeSystem",
    "url": LOCAL,
    "content": "complete",
    "status": "active",
    "concept": [{"code": code} for code in ("a", "b", "c", "arm", "leg")],
}


def _part(code: str) -> Json:
    return {"code": _concept(code), "valueInteger": 1}


RIGHT: Json = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "all"},
    "effectiveDateTime": "2024-01-01",
    "valueInteger": 5,
    "note": [{"text": "short"}],
    "bodySite": _concept("arm"),
    "performer": [{"reference": "Organization/o/_history/1"}],
    "component": [_part("a"), _part("b")],
}


def right(rules: str) -> Json:
    """Return an Observation that conforms."""
    return copy.deepcopy(RIGHT) | {"meta": {"profile": [f"{STRICT}-{rules}"]}}


def _broken(change: Callable[[Json], Any], message: str, where: str, rules: str = "open") -> Mutation:
    resource = right(rules)
    change(resource)
    return Mutation(f"profile: {message}", resource, message, f"Observation.{where}")


def profiles() -> Iterator[Mutation]:
    """Yield Observations that break one rule of their profile."""
    yield _broken(lambda o: o["note"].append({"text": "x"}), "cardinality-max", "note")
    yield _broken(lambda o: o.update(interpretation=[_concept("a")]), "cardinality-max", "interpretation")
    yield _broken(lambda o: o["note"][0].update(text="x" * 21), "value-too-long", "note[0].text")
    yield _broken(lambda o: o.pop("effectiveDateTime"), "cardinality-min", "effective")
    period = {"effectivePeriod": {"start": "2024-01-01"}}
    yield _broken(lambda o: (o.pop("effectiveDateTime"), o.update(period)), "type-not-allowed", "effective")
    yield _broken(lambda o: o.update(valueInteger=0), "value-too-small", "value")
    yield _broken(lambda o: o.update(valueInteger=10), "value-too-large", "value")
    yield _broken(lambda o: (o.pop("valueInteger"), o.update(valueString="5")), "type-not-allowed", "value")
    yield _broken(lambda o: o.update(status="amended"), "fixed-value", "status")
    yield _broken(lambda o: o.update(bodySite=_concept("leg")), "pattern-missing", "bodySite")
    yield _broken(
        lambda o: o.update(performer=[{"reference": "Organization/o"}]), "reference-version", "performer[0]"
    )
    yield _broken(
        lambda o: o.update(performer=[{"reference": "Patient/o/_history/1"}]),
        "reference-target-type",
        "performer[0]",
    )

    def inside(resource: Json) -> None:
        resource["contained"] = [{"resourceType": "Organization", "id": "o", "name": "Inner"}]
        resource["performer"] = [{"reference": "#o"}]

    yield _broken(inside, "reference-aggregation", "performer[0]")
    for rules in ("open", "closed", "openatend"):
        yield _broken(lambda o: o["component"].pop(0), "slice-min", "component", rules)
        yield _broken(lambda o: o["component"].insert(0, _part("a")), "slice-max", "component", rules)
        yield _broken(lambda o: o["component"].append(_part("b")), "slice-max", "component", rules)
        yield _broken(lambda o: o["component"].reverse(), "slice-order", "component[1]", rules)
        yield _broken(
            lambda o: o["component"][1].pop("valueInteger"), "cardinality-min", "component[1].value", rules
        )
    yield _broken(lambda o: o["component"].append(_part("c")), "slice-unmatched", "component[2]", "closed")
    yield _broken(lambda o: o["component"].insert(1, _part("c")), "slice-at-end", "component[2]", "openatend")
    abstract = {"meta": {"profile": [R4 + "Patient"]}}
    yield _broken(lambda o: o.update(abstract), "profile-wrong-type", "meta.profile[0]")
