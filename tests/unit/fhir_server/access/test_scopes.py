"""Scopes. Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html"""

from __future__ import annotations

import pytest

from fhir_server.access.scopes import BadScopeError, Scope, covers, normalized, scope, subset, texts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("patient/Observation.read", "patient/Observation.rs"),
        ("user/*.write", "user/*.cud"),
        ("system/Patient.*", "system/Patient.cruds"),
        ("patient/*.*", "patient/*.cruds"),
    ],
)
def test_the_words_of_the_first_version_become_letters(old: str, new: str) -> None:
    assert normalized(old) == (new,)


def test_scopes_of_other_kinds_stay_as_they_are_and_each_comes_once() -> None:
    said = "openid launch/patient patient/*.read  openid patient/*.rs offline_access"
    assert normalized(said) == ("openid", "launch/patient", "patient/*.rs", "offline_access")


def test_search_parameters_are_kept_sorted_and_decoded() -> None:
    found = scope("patient/Observation.rs?code=a&category=http%3A%2F%2Fx%7Claboratory")
    assert found == Scope(
        "patient", "Observation", "rs", (("category", "http://x|laboratory"), ("code", "a"))
    )
    assert str(found) == "patient/Observation.rs?category=http://x|laboratory&code=a"
    assert scope(str(found)) == found


@pytest.mark.parametrize(
    "bad",
    [
        "patient/Observation",
        "patient/Observation.",
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.x",
        "patient/Observation.read.write",
        "patient/Nothing.rs",
        "patient/observation.rs",
        "patient/",
        "user/*.rs?",
        "user/*.rs?code",
        "user/*.rs?code=",
        "user/*.rs?=1",
        "system/*.Read",
        "patient/*.rs\n",
    ],
)
def test_a_scope_that_says_nothing_is_refused(bad: str) -> None:
    with pytest.raises(BadScopeError):
        scope(bad)


@pytest.mark.parametrize("bad", ['a"b', "a\\b", "ä", "a\tb", "x " * 600 + " ".join(map(str, range(600)))])
def test_characters_and_numbers_beyond_the_limits_are_refused(bad: str) -> None:
    with pytest.raises(BadScopeError):
        texts(bad)


@pytest.mark.parametrize(
    ("granted", "asked", "said"),
    [
        (["patient/*.rs"], "patient/Observation.r", True),
        (["patient/*.r", "patient/*.s"], "patient/Observation.rs", True),
        (["patient/*.r"], "patient/Observation.rs", False),
        (["user/*.cruds"], "patient/Observation.r", False),
        (["patient/Observation.rs"], "patient/*.rs", False),
        (["patient/Observation.rs"], "patient/Observation.rs?category=a", True),
        (["patient/Observation.rs?category=a"], "patient/Observation.rs", False),
        (["patient/Observation.rs?category=a"], "patient/Observation.rs?category=a&code=b", True),
        (["patient/Observation.rs?category=a"], "patient/Observation.rs?category=b", False),
        (["openid"], "openid", True),
        (["openid"], "fhirUser", False),
    ],
)
def test_what_covers_what(granted: list[str], asked: str, said: bool) -> None:
    assert covers(granted, asked) is said


def test_a_subset_is_what_both_allow() -> None:
    granted = ("openid", "patient/Observation.rs?category=a", "patient/Condition.r", "user/*.rs")
    asked = "openid fhirUser patient/*.rs patient/Condition.write user/Patient.read"
    assert subset(asked, granted) == (
        "openid",
        "patient/Observation.rs?category=a",
        "patient/Condition.r",
        "user/Patient.rs",
    )
    assert all(covers(granted, one) for one in subset(asked, granted))
