"""Code systems of ISO that R4 names and does not publish: countries, their subdivisions, currencies.

The codes come from `pycountry` (Debian's iso-codes). What was withdrawn is listed for countries, as inactive; for
subdivisions and currencies it is not, so these two are fragments: a code that is not among them cannot be told.
Source: http://hl7.org/fhir/R4/terminologies-systems.html; ISO 3166-1, 3166-2, 4217
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version as library_version
from typing import Any

import pycountry

Json = dict[str, Any]

COUNTRIES = "urn:iso:std:iso:3166"
SUBDIVISIONS = "urn:iso:std:iso:3166:-2"
CURRENCIES = "urn:iso:std:iso:4217"
_INACTIVE = [{"code": "inactive", "valueBoolean": True}]


def known(url: str, version: str = "") -> Json | None:
    """Return the CodeSystem of a url (and version), None where it is none of these.

    Shape:  shared by all callers: not to be changed; the version is that of the library
    """
    found = _SYSTEMS.get(url)
    system = found() if found is not None else None
    return system if system is not None and version in ("", system["version"]) else None


def known_urls() -> tuple[str, ...]:
    """Return the urls of all of these code systems."""
    return tuple(_SYSTEMS)


def _system(url: str, name: str, content: str, concepts: list[Json]) -> Json:
    return {
        "resourceType": "CodeSystem",
        "url": url,
        "version": library_version("pycountry"),
        "name": name,
        "status": "active",
        "content": content,
        "caseSensitive": True,
        "count": len(concepts),
        "property": [
            {"code": "inactive", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"}
        ],
        "concept": concepts,
    }


@cache
def _countries() -> Json:
    """Return countries by their two letters, three letters and number, all three of them codes."""
    found: dict[str, Json] = {}
    for code, concept in (
        *_country_codes(pycountry.countries),
        *_country_codes(pycountry.historic_countries),
    ):
        found.setdefault(code, concept)  # a code that was given to another country later means that one
    return _system(COUNTRIES, "Countries", "complete", list(found.values()))


def _country_codes(countries: Any) -> Iterator[tuple[str, Json]]:
    for country in countries:
        others = [getattr(country, name, None) for name in ("official_name", "common_name")]
        concept: Json = {"display": country.name}
        if names := [{"value": other} for other in others if other and other != country.name]:
            concept["designation"] = names
        if hasattr(country, "withdrawal_date"):
            concept["property"] = _INACTIVE
        for kind in ("alpha_2", "alpha_3", "numeric"):
            code = getattr(country, kind, None)
            if code:
                yield code, {"code": code} | concept


@cache
def _subdivisions() -> Json:
    concepts = [{"code": one.code, "display": one.name} for one in pycountry.subdivisions]
    return _system(SUBDIVISIONS, "CountrySubdivisions", "fragment", concepts)


@cache
def _currencies() -> Json:
    concepts = [{"code": one.alpha_3, "display": one.name} for one in pycountry.currencies]
    return _system(CURRENCIES, "Currencies", "fragment", concepts)


_SYSTEMS: dict[str, Callable[[], Json]] = {
    COUNTRIES: _countries,
    SUBDIVISIONS: _subdivisions,
    CURRENCIES: _currencies,
}
