"""A valid resource is clean; broken at one place, it is said what is wrong, with which id and code, and where."""

from __future__ import annotations

from collections import Counter

from resources.outcome import Issue
from resources.validate.messages import MESSAGES
from resources.validate.validator import Options, validate
from tests.conformance.validate.corpus import corpus
from tests.conformance.validate.mutations import Mutation
from tests.conformance.validate.values import BREAKERS


def test_the_resources_before_they_are_broken_have_no_errors() -> None:
    valid, _, asks = corpus()
    assert len(valid) >= 40
    wrong = {
        name: [
            f"{one.id} {one.expression}: {one.text}"
            for one in validate(resource, asks)
            if one.severity == "error"
        ]
        for name, resource in valid.items()
    }
    assert {name: issues for name, issues in wrong.items() if issues} == {}


def test_every_break_is_told_by_its_id_and_code_where_it_is() -> None:
    found = corpus()
    missed = []
    for one in found.mutations:
        issues = validate(one.resource, found.asks, Options(**one.options))
        if not any(_is_told(one, issue) for issue in issues):
            told = [f"{issue.id} at {', '.join(issue.expression)}" for issue in issues[:5]]
            missed.append(f"{one.kind}: {one.message} at {one.expression}; said was {told}")
    assert missed == []


def _is_told(mutation: Mutation, issue: Issue) -> bool:
    row = MESSAGES[mutation.message]
    return (issue.id, issue.code, list(issue.expression)) == (
        mutation.message,
        row.code,
        [mutation.expression],
    )


def test_no_break_is_told_of_the_resource_before() -> None:
    """What a mutation is known by is not said of any valid resource of the corpus at that place anyway."""
    valid, mutations, asks = corpus()
    told = Counter(
        (one.id, one.expression[0])
        for resource in valid.values()
        for one in validate(resource, asks)
        if one.expression
    )
    errors = [one for one in mutations if MESSAGES[one.message].severity == "error"]
    assert [one for one in errors if told[one.message, one.expression]] == []


def test_there_are_hundreds_of_breaks_and_every_kind_is_among_them() -> None:
    mutations = corpus().mutations
    kinds = Counter(one.kind for one in mutations)
    assert len(mutations) >= 300
    assert set(BREAKERS) <= set(kinds)
    assert len({one.message for one in mutations}) >= 60
