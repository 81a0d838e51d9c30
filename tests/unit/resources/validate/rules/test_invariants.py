"""Invariants: evaluated where they stand, with what they may refer to; those proved elsewhere are left out.

Source: http://hl7.org/fhir/R4/conformance-rules.html#constraints, fhirpath.html#variables
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.definitions import definitions
from resources.fhirpath import Limits
from resources.fhirpath import compile as compile_expression
from resources.profiles.build import structure_of
from resources.profiles.nodes import Constraint, Node
from resources.validate.asks import Target, Verdict
from resources.validate.options import Options
from resources.validate.rules.corrections import CORRECTIONS
from resources.validate.rules.invariants import PROVED, Invariant, is_proved
from tests.unit.resources.validate.rules.makers import observation, patient, quantity
from tests.unit.resources.validate.rules.profiled import MINE, pairs, profile, told

Json = dict[str, Any]


def having(path: str, expression: str, severity: str = "error", **more: Any) -> Json:
    """Return a profile with one invariant."""
    constraint = {"key": "my-1", "severity": severity, "human": "It must hold", "expression": expression}
    return profile("p", path.split(".", maxsplit=1)[0], {"path": path, "constraint": [constraint | more]})


def test_an_invariant_of_the_resource() -> None:
    strict = having("Patient", "name.exists() or identifier.exists()")
    found = told(patient(), strict)
    assert [(each.id, each.severity, each.text) for each in found] == [
        ("invariant-failed", "error", "my-1: It must hold")
    ]
    assert told(patient(name=[{"text": "x"}]), strict) == []


def test_a_warning_stays_a_warning() -> None:
    assert [each.severity for each in told(patient(), having("Patient", "false", "warning"))] == ["warning"]


def test_an_invariant_of_an_element_is_evaluated_for_each() -> None:
    strict = having("Patient.name", "text.exists()")
    found = told(patient(name=[{"text": "a"}, {"family": "b"}]), strict)
    assert pairs(found) == [("invariant-failed", "Patient.name[1]")]


def test_an_invariant_of_a_primitive_sees_its_value() -> None:
    strict = having("Patient.birthDate", "$this <= today()")
    assert told(patient(birthDate="1970-01-01"), strict) == []
    assert pairs(told(patient(birthDate="2999-01-01"), strict)) == [("invariant-failed", "Patient.birthDate")]


def test_an_expression_without_result_does_not_hold() -> None:
    assert pairs(told(patient(), having("Patient", "gender = 'male'"))) == [("invariant-failed", "Patient")]


@pytest.mark.parametrize(
    "expression", ["name.unknownFunction()", "(name", "name.first().given.single()", "1 + 'a'"]
)
def test_what_cannot_be_evaluated_is_a_warning_that_names_it(expression: str) -> None:
    resource = patient(name=[{"given": ["a", "b"]}])
    found = told(resource, having("Patient", expression))
    assert [(each.id, each.severity) for each in found] == [("invariant-not-evaluated", "warning")]
    assert "my-1" in found[0].text


def test_the_resource_is_the_contained_one_and_the_root_its_container() -> None:
    inner = profile(
        "p",
        "Patient",
        {
            "path": "Patient.name",
            "constraint": [
                {
                    "key": "my-1",
                    "severity": "error",
                    "human": "It must hold",
                    "expression": "%resource.id = 'x' and %rootResource.status = 'final' and %context.text = 'n'",
                }
            ],
        },
    )
    contained = patient(id="x", name=[{"text": "n"}], meta={"profile": [MINE + "p"]})
    whole = observation(contained=[contained], subject={"reference": "#x"})
    assert told(whole, inner, options=Options()) == []
    contained["id"], whole["subject"]["reference"] = "y", "#y"
    assert pairs(told(whole, inner, options=Options())) == [
        ("invariant-failed", "Observation.contained[0].name[0]")
    ]


def test_an_entry_is_a_root_of_its_own() -> None:
    strict = having("Patient", "%rootResource.gender = 'male' and %resource = %rootResource")
    resource = patient(gender="male", meta={"profile": [MINE + "p"]})
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource}]}
    assert "invariant-failed" not in [each.id for each in told(bundle, strict, options=Options())]


def test_references_are_resolved_inside_and_by_the_asks() -> None:
    strict = having("Observation", "subject.resolve().gender = 'female'")
    contained = observation(subject={"reference": "#p"}, contained=[patient(id="p", gender="female")])
    assert told(contained, strict) == []
    outside = observation(subject={"reference": "Patient/1"})
    assert told(outside, strict, targets={"Patient/1": Target("Patient", patient(gender="female"))}) == []
    found = told(outside, strict, targets={"Patient/1": Target("Patient", patient(gender="male"))})
    assert pairs(found) == [("invariant-failed", "Observation")]
    assert told(outside, strict, pending=["Patient/1"]) == []


def test_a_code_is_looked_up_in_a_value_set() -> None:
    strict = having("Observation", "code.memberOf('http://example.com/vs')")
    assert told(observation(), strict, codes={("http://example.com/vs", "a"): Verdict(True)}) == []
    found = told(observation(), strict, codes={("http://example.com/vs", "a"): Verdict(False)})
    assert pairs(found) == [("invariant-failed", "Observation")]
    assert [each.id for each in told(observation(), strict)] == ["invariant-not-evaluated"]


def test_best_practice_is_told_on_request() -> None:
    best = {
        "url": "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice",
        "valueBoolean": True,
    }
    strict = having("Patient", "false", "warning", extension=[best])
    assert told(patient(), strict) == []
    found = told(patient(), strict, options=Options(profiles=(MINE + "p",), best_practice=True))
    assert "invariant-failed" in [each.id for each in found]


def test_an_expression_may_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.validate.rules.invariants.LIMITS", Limits(steps=1000))
    names = [{"given": [f"{i}" for i in range(100)]}]
    slow = "name.given.where(%resource.name.given.where($this.length() > 9).exists()).empty()"
    found = told(patient(name=names), having("Patient", slow))
    assert [(each.id, each.severity) for each in found] == [("invariant-not-evaluated", "warning")]


def test_r4_s_own_invariants_are_evaluated() -> None:
    found = told(observation(referenceRange=[{"type": {"text": "x"}}]), options=Options())
    assert pairs(found) == [("invariant-failed", "Observation.referenceRange[0]")]
    assert found[0].text.startswith("obs-3")
    found = told(observation(valueRange={"low": quantity(2), "high": quantity(1)}), options=Options())
    assert [each.text[:5] for each in found] == ["rng-2"]
    nested = patient(contact=[{"relationship": [{"text": "x"}]}])
    assert "pat-1" in [each.text[:5] for each in told(nested, options=Options())]


def constraints(node: Node) -> list[Constraint]:
    """Return the invariants of a node and of all below it."""
    return [*node.constraints, *(c for child in node.children.values() for c in constraints(child))]


def published() -> list[Constraint]:
    """Return R4's own invariants."""
    trees = [structure_of(name) for name in definitions().package.types if "." not in name]
    return [each for tree in trees if tree is not None for each in constraints(tree.root)]


def test_every_invariant_of_r4_compiles() -> None:
    wrong = [
        each.key for each in published() if not is_proved(each, base=True) and Invariant(each).closure is None
    ]
    assert wrong == []


OF_GUIDES = {
    "telecom or endpoint",
    "(component.exists() and valueString.empty()) or valueString.exists()",
}
"""Expressions of guides, not of R4."""


def test_every_correction_is_of_an_expression_that_is_published_and_compiles() -> None:
    known = {each.expression for each in published()} | OF_GUIDES
    for expression, correction in CORRECTIONS.items():
        assert expression in known
        assert compile_expression(correction.expression, lenient=True).text == correction.expression


def test_an_invariant_of_a_profile_may_have_a_key_of_r4() -> None:
    strict = having("Patient", "name.exists()", key="ref-1")
    assert pairs(told(patient(), strict)) == [("invariant-failed", "Patient")]


def test_what_is_proved_elsewhere_is_r4_s_own() -> None:
    assert {each.key for each in published()} >= set(PROVED)


BROKEN: dict[str, tuple[Json, str]] = {
    "ele-1": (patient(name=[{"id": "x"}]), "object-only-id"),
    "ext-1": (patient(extension=[{"url": "http://example.com"}]), "extension-value-or-children"),
    "dom-2": (patient(contained=[patient(id="a", contained=[patient(id="b")])]), "contained-nested"),
    "dom-3": (patient(contained=[patient(id="a")]), "contained-unreferenced"),
    "dom-4": (
        patient(
            contained=[patient(id="a", meta={"versionId": "1"})],
            link=[{"other": {"reference": "#a"}, "type": "refer"}],
        ),
        "contained-meta",
    ),
    "dom-5": (
        patient(
            contained=[patient(id="a", meta={"security": [{"code": "R"}]})],
            link=[{"other": {"reference": "#a"}, "type": "refer"}],
        ),
        "contained-security",
    ),
    "txt-1": (
        patient(
            text={
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>',
            }
        ),
        "narrative-forbidden",
    ),
    "txt-2": (
        patient(text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'}),
        "narrative-blank",
    ),
    "ref-1": (patient(managingOrganization={"reference": "#nowhere"}), "contained-unresolved"),
    "bdl-7": (
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"fullUrl": "http://example.com/Patient/1", "resource": patient(id="1")}] * 2,
        },
        "bundle-fullurl-duplicate",
    ),
    "que-2": (
        {
            "resourceType": "Questionnaire",
            "status": "draft",
            "item": [{"linkId": "1", "type": "display", "text": "x"}] * 2,
        },
        "questionnaire-linkid-duplicate",
    ),
}


@pytest.mark.parametrize("key", sorted(BROKEN))
def test_what_is_not_evaluated_is_told_all_the_same(key: str) -> None:
    resource, message = BROKEN[key]
    assert message in [each.id for each in told(resource, options=Options())]


def test_each_that_is_not_evaluated_has_such_a_test() -> None:
    assert set(PROVED) == BROKEN.keys() | {"dom-6"}
    found = told(patient(), options=Options(best_practice=True))
    assert [each.id for each in found] == ["narrative-missing"]
