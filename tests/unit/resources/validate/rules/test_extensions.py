"""Extensions: known ones by their definition, where they may stand, modifiers, unknown ones by policy.

Source: http://hl7.org/fhir/R4/extensibility.html, defining-extensions.html#context
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate.options import Options, Policy
from tests.unit.resources.validate.rules.makers import observation, patient
from tests.unit.resources.validate.rules.profiled import MINE, R4, pairs, profile, told

Json = dict[str, Any]
URL = MINE + "mine"
ANYWHERE = [{"type": "element", "expression": "Element"}]


def extension(*context: tuple[str, str], modifier: bool = False, code: str = "string", **more: Any) -> Json:
    """Return the definition of an extension with a value of one type."""
    return profile(
        "mine",
        "Extension",
        {"path": "Extension", "isModifier": modifier},
        {"path": "Extension.url", "fixedUri": URL},
        {"path": "Extension.value[x]", "min": 1, "type": [{"code": code}]},
        context=[{"type": kind, "expression": text} for kind, text in context] or ANYWHERE,
        **more,
    )


def used(**value: Any) -> list[Json]:
    """Return the extensions of an element."""
    return [{"url": URL} | (value or {"valueString": "x"})]


def test_the_value_of_a_known_extension_is_of_its_type() -> None:
    assert told(patient(extension=used()), extension(), options=Options()) == []
    found = told(patient(extension=used(valueInteger=1)), extension(), options=Options())
    assert pairs(found) == [("type-not-allowed", "Patient.extension[0].value")]


@pytest.mark.parametrize(
    ("context", "fits"),
    [
        (("element", "Patient"), True),
        (("element", "DomainResource"), True),
        (("element", "Resource"), True),
        (("element", "Element"), True),
        (("element", "Observation"), False),
        (("element", "Patient.name"), False),
        (("fhirpath", "Patient"), True),
        (("fhirpath", "Patient.name"), False),
        (("fhirpath", "this is no (expression"), True),
        (("extension", MINE + "other"), False),
    ],
)
def test_an_extension_of_a_resource_stands_where_its_context_says(
    context: tuple[str, str], fits: bool
) -> None:
    found = told(patient(extension=used(), name=[{"text": "x"}]), extension(context), options=Options())
    assert pairs(found) == ([] if fits else [("extension-context", "Patient.extension[0]")])


@pytest.mark.parametrize(
    ("context", "fits"),
    [
        (("element", "Patient.name"), True),
        (("element", "HumanName"), True),
        (("element", "Patient.contact.name"), False),
        (("element", "Patient"), False),
        (("fhirpath", "Patient.name"), True),
        (("fhirpath", "Patient.name.where(use = 'official')"), False),
    ],
)
def test_an_extension_of_an_element_stands_where_its_context_says(
    context: tuple[str, str], fits: bool
) -> None:
    found = told(patient(name=[{"extension": used()}]), extension(context), options=Options())
    assert pairs(found) == ([] if fits else [("extension-context", "Patient.name[0].extension[0]")])


@pytest.mark.parametrize(
    ("context", "fits"),
    [
        ("Patient.name.family", True),
        ("HumanName.family", True),
        ("string", True),
        ("code", False),
        ("HumanName.given", False),
    ],
)
def test_an_extension_of_a_primitive_stands_where_its_context_says(context: str, fits: bool) -> None:
    name = {"family": "x", "_family": {"extension": used()}}
    found = told(patient(name=[name]), extension(("element", context)), options=Options())
    assert pairs(found) == ([] if fits else [("extension-context", "Patient.name[0].family.extension[0]")])


def test_extensions_of_a_repeating_primitive_are_looked_at_one_by_one() -> None:
    name = {"given": ["a", "b"], "_given": [None, {"extension": used(valueInteger=1)}]}
    found = told(patient(name=[name]), extension(), options=Options())
    assert pairs(found) == [("type-not-allowed", "Patient.name[0].given[1].extension[0].value")]


def test_the_context_of_a_choice_element_is_written_with_x() -> None:
    resource = observation(valueQuantity={"value": 1, "extension": used()})
    assert told(resource, extension(("element", "Observation.value[x]")), options=Options()) == []


def test_an_extension_of_a_backbone_element_that_refers_to_another_stands_as_in_that() -> None:
    item = {
        "linkId": "1",
        "type": "group",
        "item": [{"linkId": "2", "type": "display", "text": "x", "extension": used()}],
    }
    questionnaire = {"resourceType": "Questionnaire", "status": "draft", "item": [item]}
    assert told(questionnaire, extension(("element", "Questionnaire.item")), options=Options()) == []


def test_a_modifier_stands_in_modifierextension_and_no_other_does() -> None:
    found = told(patient(extension=used()), extension(modifier=True), options=Options())
    assert pairs(found) == [("extension-is-modifier", "Patient.extension[0]")]
    found = told(patient(modifierExtension=used()), extension(), options=Options())
    assert pairs(found) == [("extension-no-modifier", "Patient.modifierExtension[0]")]
    assert told(patient(modifierExtension=used()), extension(modifier=True), options=Options()) == []


@pytest.mark.parametrize(("policy", "severity"), [("allow", None), ("warn", "warning"), ("error", "error")])
def test_an_unknown_extension_is_what_the_policy_says(policy: Policy, severity: str | None) -> None:
    found = told(patient(extension=used()), options=Options(unknown_extensions=policy))
    assert [(each.id, each.severity) for each in found] == (
        [("extension-unknown", severity)] if severity else []
    )


def test_an_unknown_modifier_extension_is_always_an_error() -> None:
    found = told(patient(modifierExtension=used()), options=Options(unknown_extensions="allow"))
    assert [(each.id, each.severity) for each in found] == [("extension-modifier-unknown", "error")]


def test_an_element_of_another_release_is_named_by_its_url() -> None:
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Patient.contact.role"
    found = told(patient(extension=[{"url": url, "valueString": "x"}]), options=Options())
    assert [(each.id, each.severity) for each in found] == [("extension-cross-version", "information")]


def test_a_relative_url_stands_only_inside_of_another_extension() -> None:
    found = told(patient(extension=[{"url": "inner", "valueString": "x"}]), options=Options())
    assert pairs(found) == [("extension-url-relative", "Patient.extension[0]")]


def nested() -> Json:
    """Return an extension with one extension inside."""
    return profile(
        "mine",
        "Extension",
        {"path": "Extension.extension", "sliceName": "inner", "min": 1, "max": "1"},
        {"id": "Extension.extension:inner.url", "path": "Extension.extension.url", "fixedUri": "inner"},
        {
            "id": "Extension.extension:inner.value[x]",
            "path": "Extension.extension.value[x]",
            "min": 1,
            "type": [{"code": "code"}],
        },
        {"path": "Extension.url", "fixedUri": URL},
        {"path": "Extension.value[x]", "max": "0"},
        context=ANYWHERE,
    )


def test_what_stands_inside_of_an_extension_is_checked() -> None:
    def with_inner(*inner: Json) -> Json:
        return patient(extension=[{"url": URL, "extension": list(inner)}])

    assert told(with_inner({"url": "inner", "valueCode": "x"}), nested(), options=Options()) == []
    assert pairs(told(with_inner({"url": "inner", "valueString": "x"}), nested(), options=Options())) == [
        ("type-not-allowed", "Patient.extension[0].extension[0].value")
    ]
    assert sorted(
        pairs(told(with_inner({"url": "other", "valueCode": "x"}), nested(), options=Options()))
    ) == [
        ("extension-nested-unknown", "Patient.extension[0].extension[0]"),
        ("slice-min", "Patient.extension[0].extension"),
    ]
    assert ("cardinality-max", "Patient.extension[0].value") in pairs(
        told(patient(extension=used()), nested(), options=Options())
    )


def test_an_extension_may_stand_inside_of_another_as_its_context_says() -> None:
    outer = {"url": MINE + "outer", "extension": used()}
    found = told(patient(extension=[outer]), extension(("extension", MINE + "outer")), options=Options())
    assert [each.id for each in found] == ["extension-unknown"]


def test_a_context_invariant_speaks_of_the_element_around() -> None:
    picky = extension(("element", "Patient"), contextInvariant=["gender.exists()"])
    assert told(patient(extension=used(), gender="female"), picky, options=Options()) == []
    assert pairs(told(patient(extension=used()), picky, options=Options())) == [
        ("extension-context-invariant", "Patient.extension[0]")
    ]


def test_a_profile_of_something_else_is_no_extension() -> None:
    found = told(patient(extension=[{"url": R4 + "Patient", "valueString": "x"}]), options=Options())
    assert pairs(found) == [("extension-not-one", "Patient.extension[0]")]


def test_a_profile_may_require_an_extension_and_forbid_the_rest() -> None:
    strict = profile(
        "p",
        "Patient",
        {
            "path": "Patient.extension",
            "slicing": {"discriminator": [{"type": "value", "path": "url"}], "rules": "closed"},
        },
        {
            "path": "Patient.extension",
            "sliceName": "mine",
            "min": 1,
            "type": [{"code": "Extension", "profile": [URL]}],
        },
    )
    assert pairs(told(patient(), strict, extension())) == [("slice-min", "Patient.extension")]
    assert told(patient(extension=used()), strict, extension()) == []
    other = {"url": R4 + "patient-birthPlace", "valueAddress": {"text": "x"}}
    assert pairs(told(patient(extension=[*used(), other]), strict, extension())) == [
        ("slice-unmatched", "Patient.extension[1]")
    ]
