"""Codes without a system of their own: the system that the value set of their element implies.

Source: http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

from fhir_server.search.registry import Param, Part
from resources.definitions import definitions

IMPLIED_SYSTEM = {
    "http://hl7.org/fhir/ValueSet/languages": "urn:ietf:bcp:47",
    "http://hl7.org/fhir/ValueSet/mimetypes": "urn:ietf:bcp:13",
    "http://hl7.org/fhir/ValueSet/currencies": "urn:iso:std:iso:4217",
}
"""The system of `code` elements whose value set cannot be listed. Source: compose.include.system of each, R4 4.0.1"""

TEXTS = frozenset({"string", "markdown"})
"""Types whose values do not differ by case. Source: http://hl7.org/fhir/R4/search.html#token"""


def codes_of(param: Param, part: Part, system: str, code: str) -> list[str]:
    """Return the codes meant by system|code or system| on elements whose system is implied by their value set."""
    found: list[str] = []
    for path in param.paths:
        if path.element is None or (path.unfiltered != part.path and len(param.parts) > 1):
            continue
        bound = path.element.binding
        listed = definitions().valueset_codes(bound[1]) if bound else None
        if listed is None:
            known = IMPLIED_SYSTEM.get(bound[1] if bound else "")
            found += [code] if code and system == known else []
        else:
            found += [c for s, c in listed if s == system and code in ("", c)]
    return found


def unlisted_systems(param: Param) -> set[str]:
    """Return the systems that all `code` values of a parameter are of, though nobody can list their codes."""
    bound = [path.element.binding for path in param.paths if path.element and path.types == ("code",)]
    if len(bound) != len(param.paths):
        return set()
    return {IMPLIED_SYSTEM[one[1]] for one in bound if one is not None and one[1] in IMPLIED_SYSTEM}


def implied_systems(param: Param, code: str) -> list[str]:
    """Return the systems that elements of type `code` imply for a code."""
    found: list[str] = []
    for path in param.paths:
        bound = path.element.binding if path.element and "code" in path.types else None
        if bound is not None:
            listed = definitions().valueset_codes(bound[1])
            known = IMPLIED_SYSTEM.get(bound[1])
            found += [s for s, c in listed if c == code] if listed is not None else [known] if known else []
    return sorted(set(found))
