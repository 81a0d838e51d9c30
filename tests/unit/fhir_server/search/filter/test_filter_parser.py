"""The grammar of `_filter`. Source: http://hl7.org/fhir/R4/search_filter.html"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.filter.parser import MAX_COMPARISONS, MAX_DEPTH, MAX_LENGTH, parse
from fhir_server.search.filter.syntax import OPERATORS, Comparison, Filter, Logical, Not, Step, written
from resources.outcome import FhirError

NAMES = st.from_regex(r"[a-z_][a-z0-9_\-]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def comparisons(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Comparison]:
    """Return a strategy of comparisons, with filters in the brackets of all names but the last."""
    bracketed = st.builds(Step, NAMES, st.sampled_from(["", "Patient"]), st.none() | inner)
    paths = st.tuples(st.lists(bracketed, max_size=2), st.builds(Step, NAMES)).map(lambda p: (*p[0], p[1]))
    return st.builds(Comparison, paths, st.sampled_from(OPERATORS), TEXTS)


def trees(depth: int = 2) -> st.SearchStrategy[Filter]:
    """Return a strategy of filters that nest to a depth."""
    if depth == 0:
        return comparisons(st.nothing())
    inner = trees(depth - 1)
    logical = st.builds(Logical, st.sampled_from(["and", "or"]), inner, inner)
    return st.one_of(comparisons(inner), st.builds(Not, inner), logical)


def compare(path: str, operator: str, value: str) -> Comparison:
    """Return a comparison whose path has no brackets."""
    return Comparison(tuple(Step(name) for name in path.split(".")), operator, value)


def refused(text: str) -> str:
    """Return what a filter is refused with."""
    with pytest.raises(FhirError) as problem:
        parse(text)
    assert problem.value.status == 400
    return problem.value.issues[0].text


@given(trees())
def test_what_is_written_reads_as_the_same_tree(tree: Filter) -> None:
    assert parse(written(tree)) == tree


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    refused: FhirError | None = None
    try:
        tree = parse(text)
    except FhirError as problem:
        refused = problem
    if refused is None:
        assert parse(written(tree)) == tree
    else:
        assert refused.status == 400
        assert "character" in refused.issues[0].text


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('name co "pet"', compare("name", "co", "pet")),
        (
            'given eq "peter" and birthdate ge 2014-10-10',
            Logical("and", compare("given", "eq", "peter"), compare("birthdate", "ge", "2014-10-10")),
        ),
        ("code eq http://loinc.org|1234-5", compare("code", "eq", "http://loinc.org|1234-5")),
        ('subject.name co "pet"', compare("subject.name", "co", "pet")),
        (
            'related[type eq "has-component"].target pr true',
            Comparison(
                (Step("related", filter=compare("type", "eq", "has-component")), Step("target")), "pr", "true"
            ),
        ),
        (
            "related[type eq has-component].target re Observation/4",
            Comparison(
                (Step("related", filter=compare("type", "eq", "has-component")), Step("target")),
                "re",
                "Observation/4",
            ),
        ),
    ],
)
def test_the_examples_of_r4(text: str, tree: Filter) -> None:
    assert parse(text) == tree


def test_and_and_or_are_read_from_left_to_right() -> None:
    a, b, c = (compare(name, "eq", "1") for name in "abc")
    assert parse("a eq 1 or b eq 1 and c eq 1") == Logical("and", Logical("or", a, b), c)
    assert parse("a eq 1 or (b eq 1 and c eq 1)") == Logical("or", a, Logical("and", b, c))


def test_not_takes_parentheses_and_is_a_name_otherwise() -> None:
    assert parse("not (a eq 1)") == Not(compare("a", "eq", "1"))
    assert parse("not(a eq 1)") == Not(compare("a", "eq", "1"))
    assert parse("not eq 1") == compare("not", "eq", "1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'a eq "x \"y\" \\ z"', 'x "y" \\ z'),
        (r'a eq "caf\u00e9)"', "café)"),
        ('a eq ""', ""),
        ("a eq 1.50", "1.50"),
        ("a eq 2014-10-10T10:00:00+02:00", "2014-10-10T10:00:00+02:00"),
        ('(a eq x"y)', 'x"y'),
        ("a   eq\t true ", "true"),
    ],
)
def test_values_are_json_strings_or_run_to_the_next_space_or_bracket(text: str, value: str) -> None:
    tree = parse(text)
    assert isinstance(tree, Comparison)
    assert tree.value == value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "character 1: a search parameter"),
        ("name", "character 5: a space and an operator"),
        ("name xx 1", "character 6: an operator"),
        ("name eq", "character 8: a space"),
        ("name eq ", "character 9: a value"),
        ("(a eq 1", "character 8: ')'"),
        ("a eq 1)", "character 7: 'and', 'or' or the end"),
        ('a eq "x', "character 6: a string with its closing quote"),
        ("a eq 1 b eq 2", "character 8: 'and', 'or' or the end"),
        ("a eq 1 and", "character 11: a search parameter"),
        ("a[b eq 1] eq 2", "character 10: '.' and a search parameter"),
        ("a[b eq 1].", "character 11: a search parameter"),
        ("a..b eq 1", "character 3: a search parameter"),
        ('a eq "1"and b eq 2', "character 9: a space"),
        ("1a eq 2", "character 1: a search parameter"),
        (r'a eq "\ud800"', "character 6: a text"),
        (r'a eq "\x"', "character 6: a JSON string"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str) -> None:
    assert place in refused(text)


def test_limits_are_told() -> None:
    assert "longer than" in refused("a eq " + "x" * MAX_LENGTH)
    assert "deeper than" in refused("(" * (MAX_DEPTH + 1) + "a eq 1" + ")" * (MAX_DEPTH + 1))
    assert "more than" in refused(" or ".join(["a eq 1"] * (MAX_COMPARISONS + 1)))
    assert isinstance(parse(" or ".join(["a eq 1"] * MAX_COMPARISONS)), Logical)
    assert isinstance(parse("(" * MAX_DEPTH + "a eq 1" + ")" * MAX_DEPTH), Comparison)
