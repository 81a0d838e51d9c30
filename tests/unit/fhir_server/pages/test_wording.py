"""Ticks never come to more than was asked for. Source: SMART App Launch 2.2, scopes and launch context"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.access import scopes
from fhir_server.pages import wording
from resources.definitions import definitions

ASKED = (
    "openid",
    "fhirUser",
    "launch/patient",
    "offline_access",
    "patient/*.rs",
    "patient/Observation.cruds?category=laboratory",
    "user/Condition.cud",
)
_TICKS = st.lists(
    st.tuples(
        st.sampled_from(
            [f"{word}:{n}" for word in ("see", "change", "kinds", "type") for n in range(-1, 9)]
            + ["who", "lasting", "openid"]
        ),
        st.sampled_from(["1", "", "Observation", "Patient", "AuditEvent", "*", "patient/*.cruds"]),
    ),
    max_size=12,
)


@given(st.permutations(ASKED), _TICKS)
def test_what_is_chosen_is_within_what_was_asked(asked: list[str], ticks: list[tuple[str, str]]) -> None:
    for one in wording.chosen(asked, ticks):
        assert scopes.covers(asked, one)


def test_all_ticks_give_all_that_was_asked() -> None:
    ticks = [(f"{word}:{n}", "1") for word in ("see", "change") for n in range(len(ASKED))]
    assert set(wording.chosen(ASKED, [*ticks, ("who", "1"), ("lasting", "1")])) == set(ASKED)


def test_no_tick_leaves_the_context_alone() -> None:
    assert wording.chosen(ASKED, []) == ("launch/patient",)


@pytest.mark.parametrize("name", [*wording.words().types, *wording.words().offered])
def test_a_type_that_has_words_is_one_of_r4(name: str) -> None:
    assert name in definitions().resource_types
    assert name in wording.words().types


def test_an_offer_says_what_it_lets_an_app_do() -> None:
    [offer] = wording.offers(["patient/Observation.cruds?category=laboratory"])
    assert offer.title == "Measurements, lab results, vital signs (lab results only)"
    assert (offer.see, offer.change) == ("See it", "Add, change and delete entries")
