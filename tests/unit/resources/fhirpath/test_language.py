"""The language itself, where the official suite is silent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from resources.fhirpath import compile as compile_path
from resources.fhirpath.ports import PORTS
from resources.outcome import FhirError
from tests.unit.resources.fhirpath.factories import observation, patient


def _evaluate(expression: str, resource: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    return compile_path(expression).evaluate(patient() if resource is None else resource, **options)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Patient.name.given", ["Peter", "James", "Jim"]),
        ("name[0].family", ["Chalmers"]),
        ("Resource.id | DomainResource.id", ["p1"]),
        ("Observation.id", []),
        ("name.where(use = 'usual').given.first()", ["Jim"]),
        ("Patient.deceased", [False]),
        ("Patient.deceased is boolean", [True]),
        ("Patient.deceased.exists() and Patient.deceased != false", [False]),
        ("Patient.birthDate.extension('http://x/time').value", ["1974-12-25T14:35:45-05:00"]),
        ("Patient.birthDate.hasExtension('http://x/time')", [True]),
        ("name.given.count() > 2 implies active", [True]),
        ("@2012-04-15T10:00:00 + 90 minutes", ["2012-04-15T11:30:00"]),
        (
            "1 'wk' + 1 'wk'",
            [{"value": Decimal(2), "unit": "wk", "system": "http://unitsofmeasure.org", "code": "wk"}],
        ),
        ("name.select(given.first())", ["Peter", "Jim"]),
        ("1.5 + 1", [Decimal("2.5")]),
        ("2147483647 + 1", []),
        ("'a$1'.replaceMatches('(a)', '$1$1')", ["aa$1"]),
        ("name.given.aggregate($total + $this.length(), 0)", [13]),
        ("%resource.id & '-' & %context.id", ["p1-p1"]),
        ("(1 | 2).combine(2).distinct()", [1, 2]),
        ("name.given.select($index)", [0, 1, 2]),
    ],
)
def test_expressions(expression: str, found: list[Any]) -> None:
    assert _evaluate(expression) == found


def test_deceased_with_a_date_is_deceased() -> None:
    resource = patient(deceasedDateTime="2015-02-14")
    del resource["deceasedBoolean"]
    assert _evaluate("Patient.deceased.exists() and Patient.deceased != false", resource) == [True]


def test_as_takes_one_value_unless_lenient() -> None:
    expression = "(Observation.component.value as Quantity)"
    with pytest.raises(FhirError):
        _evaluate(expression, observation())
    assert compile_path(expression, lenient=True).evaluate(observation()) == [{"value": Decimal("1.50")}]


def test_decimals_keep_their_digits() -> None:
    assert str(_evaluate("Observation.component.value.ofType(Quantity).value", observation())[0]) == "1.50"


def test_a_reference_is_of_the_type_that_its_text_names() -> None:
    expression = "Observation.subject.where(resolve() is Patient)"
    for text in ("Patient/p1", "http://x.org/fhir/Patient/p1", "Patient/p1/_history/2"):
        assert _evaluate(expression, observation(subject={"reference": text})) != []
    for text in ("Group/p1", "http://x.org/Patient", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"):
        assert _evaluate(expression, observation(subject={"reference": text})) == []
    typed = {"type": "Patient", "identifier": {"value": "1"}}
    assert _evaluate(expression, observation(subject=typed)) == [typed]


def test_resolve_finds_contained_resources_bundle_entries_and_what_the_caller_knows() -> None:
    inside = observation(
        subject={"reference": "#p"}, contained=[{"resourceType": "Patient", "id": "p", "active": True}]
    )
    assert _evaluate("subject.resolve().ofType(Patient).active", inside) == [True]
    assert _evaluate("Observation.subject.where(resolve() is Patient).reference", inside) == ["#p"]
    entry = {"fullUrl": "http://x/Patient/p1", "resource": patient()}
    bundle = {"resourceType": "Bundle", "entry": [entry, {"resource": observation()}]}
    assert _evaluate("entry.resource.ofType(Observation).subject.resolve().id", bundle) == ["p1"]
    known = {"Patient/p1": patient(active=False)}
    assert _evaluate("subject.resolve().active", observation(), resolve=known.get) == [False]
    assert _evaluate("subject.resolve()", observation()) == []


def test_a_variable_is_a_plain_value_a_list_or_a_resource() -> None:
    variables = {"n": 2, "list": ["a", "b"], "other": patient(id="p2"), "none": None}
    assert _evaluate("%n + 1 | %list.count() | %other.id", variables=variables) == [3, 2, "p2"]
    assert _evaluate("%none.exists()", variables=variables) == [False]


def test_strict_refuses_what_no_type_has_and_lenient_finds_nothing() -> None:
    for expression in (
        "name.given1",
        "Encounter.name",
        "Observation.valueQuantity",
        "(deceased as Period).unit",
    ):
        assert _evaluate(expression) == []
        with pytest.raises(FhirError):
            _evaluate(expression, strict=True)


@pytest.mark.parametrize(
    "expression",
    [
        "unknown()",
        "name.where()",
        "name.exists(1, 2)",
        "name.single()",
        "name.first() + 1",
        "active > 1",
        "name as Nonsense",
        "1 is X.Boolean",
        "'a'.matches('(')",
        "'a'.replaceMatches('a', '$9')",
        "name.given.toInteger()",
        "-'a'",
        "name[true]",
        "%nothing",
        "code.memberOf('http://x')",
        "iif(name, 1, 2)",
        "name.skip('a')",
        "1.round(99)",
        "@T10:00 + 1 day",
        "@2012 + 1 'mg'",
        "1 & 'a'",
        "conformsTo('http://x')",
    ],
)
def test_what_cannot_be_evaluated_is_refused(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PORTS, "member_of", None)
    monkeypatch.setattr(PORTS, "conforms_to", None)
    with pytest.raises(FhirError) as refused:
        _evaluate(
            expression,
            patient(code={"text": "x"}) if expression != "code.memberOf('http://x')" else observation(),
        )
    assert refused.value.status == 400
    assert refused.value.issues[0].code == "invalid"


def test_the_terminology_port_answers_member_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PORTS, "member_of", lambda value, url: url == "http://v" and "coding" in value)
    assert _evaluate("code.memberOf('http://v')", observation()) == [True]
    assert _evaluate("code.memberOf('http://w')", observation()) == [False]


def test_units_convert_only_through_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PORTS, "canonical", None)
    assert _evaluate("1 'g' = 1000 'mg'") == [False]
    assert _evaluate("1 'g' < 1000 'mg'") == []
    assert _evaluate("60 seconds = 1 minute") == [True]
    monkeypatch.setattr(
        PORTS, "canonical", lambda value, code: (value / 1000 if code == "mg" else value, "g")
    )
    assert _evaluate("1 'g' = 1000 'mg'") == [True]


def test_an_expression_is_compiled_once() -> None:
    assert compile_path("Patient.name.given") is compile_path("Patient.name.given")


@pytest.mark.parametrize(
    "resource",
    [{}, {"resourceType": 1}, {"resourceType": "Nonsense"}, {"resourceType": "Patient", "name": 7}],
)
def test_a_thing_that_is_no_resource_is_refused(resource: dict[str, Any]) -> None:
    for expression in ("Patient.name.given", "name.given.trace('x')", "descendants().given"):
        with pytest.raises(FhirError):
            _evaluate(expression, resource)


def test_the_narrative_port_answers_html_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = patient(text={"status": "generated", "div": "<div>ok</div>"})
    monkeypatch.setattr(PORTS, "html_problem", None)
    with pytest.raises(FhirError):
        _evaluate("text.div.htmlChecks()", resource)
    monkeypatch.setattr(PORTS, "html_problem", lambda div: "" if "ok" in div else "a script")
    assert _evaluate("text.div.htmlChecks()", resource) == [True]
    resource["text"]["div"] = "<div><script/></div>"
    assert _evaluate("text.div.htmlChecks()", resource) == [False]
    for expression in ("htmlChecks()", "text.htmlChecks()", "1.htmlChecks()"):
        with pytest.raises(FhirError, match="takes XHTML"):
            _evaluate(expression, resource)


def test_get_value_is_a_value_of_the_system() -> None:
    resource = patient(birthDate="1974-12-25", active=True)
    assert _evaluate("birthDate.getValue() is System.Date", resource) == [True]
    assert _evaluate("birthDate.getValue() < @2000-01-01", resource) == [True]
    assert _evaluate("active.getValue()", resource) == [True]
    assert _evaluate("name.getValue()", resource) == []


@pytest.mark.parametrize("number", ["9" * 61, "2147483649", "1." + "0" * 60])
def test_a_number_too_large_is_refused(number: str) -> None:
    with pytest.raises(FhirError):
        _evaluate(number)


def test_huge_numbers_of_a_resource_do_not_stop_the_evaluation() -> None:
    resource = observation(valueQuantity={"value": Decimal("1E+99999")})
    assert _evaluate("Observation.value.value.ceiling() > 5", resource) == [True]
    assert _evaluate("@2012 + Observation.value.value.toQuantity('year')", resource) == []
    assert len(_evaluate("Observation.value.value.toString()", resource)[0]) == 100_000
