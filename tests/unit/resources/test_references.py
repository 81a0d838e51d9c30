"""The text of a reference is taken apart as references.html#literal says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.references import Reference, is_conditional, normalize_reference, parse_reference, root_of

BASE = "http://localhost:8000/fhir"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/1", Reference("Patient/1", "Patient", "1")),
        ("Patient/1/_history/2", Reference("Patient/1/_history/2", "Patient", "1", "2")),
        ("Patient/1#x", Reference("Patient/1", "Patient", "1", fragment="x")),
        (BASE + "/Patient/1", Reference("Patient/1", "Patient", "1")),
        ("HTTP://LOCALHOST:8000/fhir/Patient/1", Reference("Patient/1", "Patient", "1")),
        ("http://other/x/Patient/1", Reference("http://other/x/Patient/1", "Patient", "1", absolute=True)),
        ("http://localhost:8000/F/Basic/1", Reference("http://localhost:8000/F/Basic/1", "Basic", "1", None, True)),
        ("urn:uuid:a", Reference("urn:uuid:a", absolute=True)),
        ("#x", Reference("", fragment="x")),
        ("#", Reference("", fragment="")),
        ("Nonsense/1", Reference("Nonsense/1")),
        ("x/Patient/1", Reference("x/Patient/1")),
        ("Patient?identifier=x", Reference("Patient?identifier=x")),
        ("Patient/" + "1" * 65, Reference("Patient/" + "1" * 65)),
        ("", Reference("")),
    ],
)  # fmt: skip
def test_reference_text_is_taken_apart(text: str, expected: Reference) -> None:
    assert parse_reference(text, BASE) == expected


def test_contained_and_local_are_told_apart() -> None:
    assert parse_reference("#x", BASE).contained
    assert parse_reference("Patient/1", BASE).local
    assert not parse_reference("http://other/Patient/1", BASE).local


@pytest.mark.parametrize(
    ("full_url", "root"),
    [
        ("http://x/fhir/Patient/1", "http://x/fhir/"),
        ("http://x/fhir/Patient/1/_history/2", "http://x/fhir/"),
        ("urn:uuid:a", None),
        ("Patient/1", None),
        ("http://x/other", None),
    ],
)
def test_root_of_a_restful_full_url(full_url: str, root: str | None) -> None:
    assert root_of(full_url) == root


def test_only_type_and_query_are_conditional() -> None:
    assert is_conditional("Patient?identifier=x")
    assert not any(
        map(is_conditional, ["Patient/1?x=y", "Patient?", "?x=y", "http://x/Patient?x=y", "patient?x"])
    )


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from([None, BASE, BASE + "/", "http://h", ""]))
def test_any_text_is_parsed(text: str, base: str | None) -> None:
    parsed = parse_reference(text, base)
    assert normalize_reference(text, base).startswith(parsed.url)
    assert (parsed.type is None) == (parsed.id is None)
