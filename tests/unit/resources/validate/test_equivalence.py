"""The gate accepts exactly what the explanation finds no error in, on official examples broken at random."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from resources.validate import accepts, explain
from resources.validate.explain import errors
from tests.unit.resources.broken_examples import mutated


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3))
def test_gate_and_explanation_agree(seed: int, mutations: int) -> None:
    resource = mutated(seed, mutations)
    issues = list(errors(explain(resource)))
    assert accepts(resource) is (not issues), issues[:3]
    assert all(issue.text and issue.code for issue in issues)
