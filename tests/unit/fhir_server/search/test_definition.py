"""What a SearchParameter defines, and why it may not be served.

Source: http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import pytest

from fhir_server.search.definition import added, bases, definition, problems, repeats_official, sound
from resources.definitions import SearchParam, definitions


def own(code: str, kind: str, expression: str, *base: str, url: str = "http://x/p") -> SearchParam:
    return SearchParam(url, code, kind, base or ("Patient",), expression)


def texts(one: SearchParam) -> list[str]:
    return [issue.text for issue in problems(one, lambda _: None)]


@pytest.mark.parametrize("status", ["draft", "retired", "unknown"])
def test_only_an_active_one_is_in_force(status: str) -> None:
    resource = {"url": "u", "code": "c", "type": "token", "base": ["Patient"], "status": status}
    assert definition(resource) is None
    assert definition(resource | {"status": "active"}) is not None


def test_an_abstract_base_stands_for_its_types() -> None:
    assert set(bases(own("x", "token", "Resource.language", "Resource"))) == set(definitions().resource_types)
    assert "Bundle" not in bases(own("x", "token", "DomainResource.text.status", "DomainResource"))


def test_every_official_parameter_repeats_itself() -> None:
    for name in definitions().resource_types:
        for one in definitions().search_params(name).values():
            assert repeats_official(one, name)


@pytest.mark.parametrize(
    ("code", "kind", "expression"),
    [
        ("family", "string", "Patient.name.family"),
        ("death-date", "date", "(Patient.deceased as dateTime)"),
        ("birthdate", "date", "birthDate"),
    ],
)
def test_the_same_meaning_in_other_words_adds_nothing(code: str, kind: str, expression: str) -> None:
    assert added(own(code, kind, expression)) == ()


def test_another_meaning_of_an_official_code_is_told() -> None:
    (text,) = texts(own("family", "string", "Patient.name.given"))
    assert "R4 itself defines 'family'" in text


@pytest.mark.parametrize(
    ("kind", "expression", "reason"),
    [
        ("token", "Patient.gender(", "cannot be read"),
        ("token", "Patient.gendre", "nothing is called 'gendre'"),
        ("token", "Patient.name.where(use = 'official').famly.exists()", "nothing is called 'famly'"),
        ("date", "Patient.gender", "no values that a parameter of type date takes"),
        ("token", "Observation.code", "does not start at Patient"),
        ("string", "Patient.generalPractitioner.resolve().name.family", "resolve()"),
        ("token", "Patient.birthDate > today() - 1 year", "today()"),
        ("string", "Patient.name.frobnicate()", "cannot"),
        ("string", " ", "Without an expression"),
        ("string", "Patient.name.family" + " " * 6000 + "| Patient.name.given", "longer than"),
    ],
)
def test_what_cannot_be_served_is_told_with_its_reason(kind: str, expression: str, reason: str) -> None:
    found = texts(own("x-own", kind, expression))
    assert any(reason in text for text in found), found
    assert not sound(own("x-own", kind, expression))


@pytest.mark.parametrize("code", ["_own", "a.b", "a:b", "", "x" * 65, "a b"])
def test_a_code_that_no_query_could_name_is_refused(code: str) -> None:
    assert any("cannot be the code" in text for text in texts(own(code, "token", "Patient.gender")))
