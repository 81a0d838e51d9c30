"""What a password must be. Source: OWASP ASVS 4.0.3 V2.1, V2.4"""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from fhir_server.auth import passwords


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "žluťoučký kůň", "8Wq-x2Lm_0pZ", "日本語のとても長い合言葉です"],
)
def test_a_long_password_of_any_characters_is_taken(password: str) -> None:
    assert passwords.problem(password, ["Ana Rivera", "ana@example.org"]) is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "x" * 300,
        "abcabcabcabc",
        "zyxwvutsrqponm",
        "123456789012",
        "RiveraRivera1",
        "ana.rivera12",
    ],
)
def test_a_password_that_is_guessed_at_once_is_refused(password: str) -> None:
    assert passwords.problem(password, ["Ana Rivera", "ana.rivera@example.org"])


async def test_a_password_matches_its_hash_alone() -> None:
    hashed = await passwords.hashed("correct horse battery staple")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (await passwords.matches("correct horse battery staple", hashed)).right
    assert not (await passwords.matches("correct horse battery stable", hashed)).right


async def test_two_hashes_of_a_password_differ() -> None:
    assert await passwords.hashed("correct horse") != await passwords.hashed("correct horse")


async def test_a_password_is_the_same_however_a_keyboard_composes_it() -> None:
    hashed = await passwords.hashed("kůň a žlutý měsíc")
    assert (await passwords.matches("ku\u030an\u030c a z\u030cluty\u0301 me\u030csi\u0301c", hashed)).right


@pytest.mark.parametrize("stored", [None, "", "plain", "$argon2id$v=19$broken"])
async def test_nothing_matches_what_is_no_hash(stored: str | None) -> None:
    assert not (await passwords.matches("", stored)).right


async def test_a_hash_with_lesser_costs_is_made_anew() -> None:
    weak = "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
    assert not (await passwords.matches("x", weak)).right
    cheap = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct horse")
    found = await passwords.matches("correct horse", cheap)
    assert found.right
    assert found.rehashed is not None
    assert "m=65536" in found.rehashed


def test_generated_passwords_are_good_enough_for_the_rules() -> None:
    made = {passwords.generated() for _ in range(50)}
    assert len(made) == 50
    assert all(passwords.problem(one) is None for one in made)
