"""Countries, subdivisions and currencies. Source: http://hl7.org/fhir/R4/terminologies-systems.html"""

from __future__ import annotations

import pytest

from ig.offline import Offline
from resources.validate.asks import Coded
from terminology.known import COUNTRIES, CURRENCIES, SUBDIVISIONS, known, known_urls

VALUESETS = "http://hl7.org/fhir/ValueSet/"


@pytest.mark.parametrize("url", known_urls())
def test_each_is_a_code_system_without_a_code_twice(url: str) -> None:
    system = known(url)
    assert system is not None
    codes = [concept["code"] for concept in system["concept"]]
    assert len(codes) == len(set(codes)) == system["count"] > 100


def test_a_version_that_is_not_here_is_not_answered() -> None:
    system = known(COUNTRIES)
    assert system is not None
    assert known(COUNTRIES, system["version"]) is system
    assert known(COUNTRIES, "1900") is None
    assert known("http://nowhere.test") is None


@pytest.mark.parametrize(
    ("valueset", "system", "code", "member", "trouble"),
    [
        ("currencies|4.0.1", None, "USD", True, ""),
        ("currencies|4.0.1", None, "DEM", None, "unknown-system"),
        ("iso3166-1-2", COUNTRIES, "DE", True, ""),
        ("iso3166-1-3", COUNTRIES, "DEU", True, ""),
        ("iso3166-1-3", COUNTRIES, "DE", False, "not-in-value-set"),
        ("iso3166-1-N", COUNTRIES, "276", True, ""),
        ("jurisdiction", SUBDIVISIONS, "US-CA", True, ""),
        ("", CURRENCIES, "EUR", True, ""),
        ("", COUNTRIES, "QQQ", False, "unknown-code"),
        ("", SUBDIVISIONS, "US-QQ", None, "unknown-system"),
    ],
)
def test_codes_are_told(
    valueset: str, system: str | None, code: str, member: bool | None, trouble: str
) -> None:
    question = Coded(VALUESETS + valueset if valueset else "", system, code)
    found = Offline().coded(question)
    assert (found.member, found.trouble) == (member, trouble)


def test_a_country_that_is_no_more_is_inactive() -> None:
    found = Offline().coded(Coded("", COUNTRIES, "SUN"))
    assert (found.member, found.trouble) == (True, "inactive")


def test_a_code_that_was_given_anew_means_the_country_of_today() -> None:
    assert Offline().coded(Coded("", COUNTRIES, "AI")).display == "Anguilla"


def test_every_name_of_a_country_is_right() -> None:
    asks = Offline()
    for display in ("United States", "United States of America", "united states"):
        assert asks.coded(Coded("", COUNTRIES, "US", "", display)).trouble == ""
    assert asks.coded(Coded("", COUNTRIES, "US", "", "Canada")).trouble == "wrong-display"
