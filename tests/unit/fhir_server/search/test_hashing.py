"""What token hashes keep apart, and what they bring together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.context import Context, configure
from fhir_server.search.hashing import coded, either_case, posting, posting_range, token
from fhir_server.search.params.token import coding_hashes

SCT, GENDER = "http://snomed.info/sct", "http://hl7.org/fhir/administrative-gender"


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_fields_are_kept_apart(one: list[str], other: list[str]) -> None:
    assert (token(1, "sc", *one) == token(1, "sc", *other)) == (one == other)


def test_parameters_and_forms_are_kept_apart() -> None:
    assert len({token(1, "c", "x"), token(2, "c", "x"), token(1, "s", "x")}) == 3


@given(st.text(), st.text(min_size=1))
def test_a_posting_lies_in_the_range_of_its_code(system: str, code: str) -> None:
    first, last = posting_range(7, code)
    assert first <= posting(7, system, code) <= last
    assert last - first == 2**20 - 1
    assert -(2**63) <= first <= last < 2**63


def test_systems_of_one_code_are_different_postings() -> None:
    keys = {posting(7, system, "=a") for system in ("", "http://a", "http://b", SCT)}
    assert len(keys) == 4


def test_case_follows_the_code_system() -> None:
    assert coded(GENDER, "Male") != coded(GENDER, "male")
    assert coded(SCT, "Abc") == coded(SCT, "aBC")
    assert coded("http://terminology.hl7.org/CodeSystem/v2-0203", "mr") == coded(
        "http://terminology.hl7.org/CodeSystem/v2-0203", "MR"
    )
    assert coded("http://unitsofmeasure.org", "mG") != coded("http://unitsofmeasure.org", "mg")


def test_a_code_alone_is_looked_for_in_both_forms() -> None:
    assert coded(GENDER, "male") in either_case("male")
    assert coded(SCT, "ABC") in either_case("abc")


def test_another_key_makes_other_hashes_at_once() -> None:
    before, key = coding_hashes(1, SCT, "a", False), Context.token_key
    try:
        configure(token_key=b"another key" * 3)
        assert coding_hashes(1, SCT, "a", False) != before
    finally:
        configure(token_key=key)
    assert coding_hashes(1, SCT, "a", False) == before
