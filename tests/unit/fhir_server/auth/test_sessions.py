"""Cookies and tokens of forms. Source: OWASP ASVS 4.0.3 V3.4, V4.2.2"""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from fhir_server.auth import accounts, sessions
from fhir_server.auth.accounts import AccountError
from fhir_server.auth.seal import Seal


@pytest.mark.parametrize(
    ("cookies", "found"),
    [
        ({}, ""),
        ({"hb": "abc"}, "abc"),
        ({"hb": "s.abc"}, ""),
        ({"__Host-hb": "abc"}, ""),
        ({"__Host-hb": "s.abc"}, "s.abc"),
        ({"__Host-hb": "s.abc", "hb": "planted"}, "s.abc"),
        ({"hb": "x" * 2000}, "x" * 512),
    ],
)
def test_a_session_counts_under_its_own_name_alone(cookies: dict[str, str], found: str) -> None:
    assert sessions.cookie_of(cookies) == found


def test_the_token_of_a_form_is_of_the_cookie_and_does_not_tell_it() -> None:
    one, other = sessions.new_cookie(secure=True), sessions.new_cookie(secure=True)
    assert sessions.form_token(one) == sessions.form_token(one)
    assert sessions.form_token(one) != sessions.form_token(other)
    assert one not in sessions.form_token(one)


def test_what_is_sealed_opens_at_its_place_and_with_its_key_alone() -> None:
    seal = Seal(bytes(32))
    sealed = seal.sealed(b"secret", "a")
    assert seal.opened(sealed, "a") == b"secret"
    for other, place in ((seal, "b"), (Seal(bytes(31) + b"1"), "a")):
        with pytest.raises(InvalidTag):
            other.opened(sealed, place)


@pytest.mark.parametrize("text", ["a@b", "ana@example.org", "ana+tag@exämple.org", "o'neil@example.org"])
def test_an_address_is_taken(text: str) -> None:
    assert accounts.address(f" {text} ") == text


@pytest.mark.parametrize(
    "text", ["", "a", "@", "a@", "@b", "a b@c", "a@b\nBcc: x@y", "a@b,c@d", "<a@b>", "a" * 65 + "@b", "a@b@c"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AccountError):
        accounts.address(text)


@pytest.mark.parametrize(
    "text",
    ["Patient", "Patient/", "Observation/1", "Patient/1/_history/2", "http://x/Patient/1", "Patient/ü"],
)
def test_an_account_is_somebody_of_this_record_or_nobody(text: str) -> None:
    with pytest.raises(AccountError):
        accounts.fhir_user(text)


@pytest.mark.parametrize("text", ["0660 1234567", "+43", "+43abc", "tel:+43660123456", "+0123456789", ""])
def test_a_number_needs_its_country(text: str) -> None:
    with pytest.raises(AccountError):
        accounts.phone_number(text)


def test_a_number_is_kept_as_e164() -> None:
    assert accounts.phone_number("+43 (660) 123-45.67") == "+436601234567"


@pytest.mark.parametrize("text", ["", " ", "a\u202eb", "x" * 201])
def test_a_name_that_could_deceive_is_refused(text: str) -> None:
    with pytest.raises(AccountError):
        accounts.person_name(text)
