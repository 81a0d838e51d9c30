"""What a query asks for, and what is refused by name. Source: http://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.context import Context
from fhir_server.search.parse import parse
from fhir_server.search.sql import Sql
from resources.outcome import FhirError, Issue


def refusal(type_name: str, *pairs: tuple[str, str], strict: bool = False) -> list[Issue]:
    """Return the issues that a search is refused with."""
    with pytest.raises(FhirError) as refused:
        parse(type_name, pairs, strict=strict)
    assert refused.value.status == 400
    return refused.value.issues


def test_an_unknown_parameter_is_refused_when_strict_and_reported_when_lenient() -> None:
    (issue,) = refusal("Patient", ("nonsense", "1"), strict=True)
    assert (issue.code, issue.severity) == ("not-supported", "error")
    query = parse("Patient", [("nonsense", "1"), ("name", "x")], strict=False)
    assert [(issue.severity, issue.code) for issue in query.issues] == [("warning", "not-supported")]
    assert "'nonsense'" in query.issues[0].text
    assert query.pairs == [("name", "x")]


@pytest.mark.parametrize(
    ("type_name", "name", "value"),
    [
        ("Patient", "name:sounds", "x"),
        ("Patient", "gender:exact", "x"),
        ("Patient", "birthdate:contains", "2020"),
        ("Observation", "code:of-type", "a|b|c"),
        ("Observation", "value-quantity:exact", "1"),
        ("Observation", "patient:exact", "1"),
        ("Patient", "_id:exact", "x"),
        ("Patient", "_count:exact", "1"),
        ("Patient", "_filter:exact", "name eq x"),
        ("Patient", "_filter", "nonsense eq 1"),
        ("Patient", "_query", "x"),
        ("Patient", "age", "5"),
        ("Patient", "_text:exact", "x"),
        ("Patient", "_contained:not", "true"),
        ("Observation", "_sort", "code-value-quantity"),
        ("Location", "_sort", "near"),
        ("Patient", "_sort", "name,nonsense"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_not_there_yet_is_refused_by_name(
    type_name: str, name: str, value: str, strict: bool
) -> None:
    (issue,) = refusal(type_name, (name, value), strict=strict)
    assert issue.code == "not-supported"
    assert any(
        part in issue.text for part in (name.split(":", maxsplit=1)[0], value.rsplit(",", maxsplit=1)[-1])
    )


@pytest.mark.parametrize(
    ("type_name", "name", "value"),
    [
        ("Patient", "birthdate", "yesterday"),
        ("Patient", "birthdate", "ge"),
        ("Patient", "_lastUpdated", "x"),
        ("Patient", "active", "yes"),
        ("Patient", "active", "x|true"),
        ("Patient", "phone", "phone|555"),
        ("Patient", "gender", "|"),
        ("Patient", "gender", "a|b|c"),
        ("Patient", "identifier:of-type", "a|b"),
        ("Patient", "name", "   ,\t"),
        ("Location", "near", "91|0|5|km"),
        ("Observation", "code-value-quantity", "8480-6"),
        ("Patient", "gender:missing", "maybe"),
        ("Observation", "value-quantity", "much"),
        ("Observation", "value-quantity", "5|mg"),
        ("Observation", "value-quantity", "5|http://unitsofmeasure.org|"),
        ("RiskAssessment", "probability", "high"),
        ("Patient", "_count", "-1"),
        ("Patient", "_count", "many"),
        ("Patient", "_total", "some"),
        ("Patient", "_summary", "maybe"),
        ("Patient", "name", "a\0b"),
        ("Patient", "name", "\ud800"),
        ("Observation", "subject:identifier", "a|b|c"),
        ("Observation", "subject:Patient", "Group/1"),
        ("Patient", "gender:in", "not-an-address"),
        ("Observation", "code:above", "no-system"),
        ("Observation", "code:text", "x" * 600),
        ("ValueSet", "url:below", "urn:oid:1.2"),
        ("Encounter", "location:below", "https://elsewhere.example/Location/1"),
    ],
)
def test_a_bad_value_is_refused_in_both_handlings(type_name: str, name: str, value: str) -> None:
    for strict in (True, False):
        (issue,) = refusal(type_name, (name, value), strict=strict)
        assert issue.code == "value"


def test_every_problem_is_named_at_once() -> None:
    issues = refusal(
        "Patient", ("birthdate", "x"), ("gender:exact", "y"), ("_count", "z"), ("who", "w"), strict=True
    )
    assert [issue.code for issue in issues] == ["value", "not-supported", "value", "not-supported"]


def test_a_value_beyond_all_measure_is_refused() -> None:
    assert refusal("Patient", ("name", "x" * 30_000))[0].code == "too-long"


def test_empty_parameters_are_left_out() -> None:
    query = parse("Patient", [("name", ""), ("nonsense", " "), ("gender", "male")], strict=True)
    assert query.pairs == [("gender", "male")]


def test_what_shapes_the_answer_is_known() -> None:
    pairs = [
        ("_elements", "name"),
        ("_summary", "true"),
        ("_format", "json"),
        ("_pretty", "true"),
        ("_type", "Patient"),
    ]
    query = parse("Patient", pairs, strict=True)
    assert (query.tests, query.only_count, query.pairs) == ([], False, pairs)


def test_pages_are_as_large_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "page_size", 7)
    monkeypatch.setattr(Context, "page_size_max", 70)
    assert parse("Patient", [], strict=True).count == 7
    assert parse("Patient", [("_count", "99999")], strict=True).count == 70
    assert parse("Patient", [("_count", "0")], strict=True).count == 0


def test_sort_keys_are_read_in_order() -> None:
    query = parse("Patient", [("_sort", "-birthdate, name"), ("_sort", "_id")], strict=True)
    assert [(key.param.code, key.descending) for key in query.sort] == [
        ("birthdate", True),
        ("name", False),
        ("_id", False),
    ]


names = st.sampled_from(
    [
        "name",
        "name:exact",
        "identifier",
        "birthdate",
        "_id",
        "_lastUpdated",
        "gender",
        "_has:Observation:patient:code",
        "link",
        "link:Patient",
        "link:identifier",
        "general-practitioner.name",
        "_sort",
        "_count",
        "_include",
        "_revinclude",
        "active",
        "email",
        "_cursor",
        "_tag",
        "_profile",
        "deceased",
    ]
) | st.text(max_size=20)


@given(
    st.lists(st.tuples(names, st.text() | st.from_regex(r"(eq|ge|ap)?[0-9:.TZ|,$\\+-]{1,20}")), max_size=4),
    st.booleans(),
)
def test_nothing_a_client_sends_raises_anything_else(pairs: list[tuple[str, str]], strict: bool) -> None:
    with contextlib.suppress(FhirError):
        assert parse("Patient", pairs, strict=strict).types == ("Patient",)


def test_a_search_has_limits() -> None:
    criteria = [("name", "x")] * 101
    with pytest.raises(FhirError) as raised:
        parse("Patient", criteria, strict=True)
    assert raised.value.issues[0].code == "too-costly"
    with pytest.raises(FhirError) as raised:
        parse("Patient", [("name", "x" * 15_000)] * 3, strict=True)
    assert raised.value.issues[0].code == "too-long"


def test_a_statement_has_no_more_arguments_than_the_database_counts() -> None:
    query = parse("Patient", [("name", "a," * 5_000)], strict=True)
    sql = Sql()
    sql.args = [""] * 60_000
    with pytest.raises(FhirError) as raised:
        query.tests[0].where(sql, "r")
    assert raised.value.issues[0].code == "too-costly"
