"""Tokens by the meaning of codes: `:in`, `:not-in` a value set, `:above` and `:below` a code; by label, `:text`.

Source: http://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.search import codes
from fhir_server.search.codeset import CodeSet, Hashes
from fhir_server.search.hashing import coded, posting
from fhir_server.search.hashing import token as hashed
from fhir_server.search.params.implied import codes_of, implied_systems, unlisted_systems
from fhir_server.search.params.labels import labelled
from fhir_server.search.params.token import (
    BASE,
    CODE,
    CODED,
    MIME_TYPES,
    SYSTEM_CODE,
    code_hash,
    leaf_types,
    open_form,
    plain_rank,
)
from fhir_server.search.params.token import test as plain_test
from fhir_server.search.params.token_case import in_their_case
from fhir_server.search.registry import Param, Part
from fhir_server.search.sql import Test
from fhir_server.search.tokens import token_test
from fhir_server.search.values import bad_value, piped, unescape
from resources.outcome import FhirError

LABELLED = frozenset({"CodeableConcept", "Coding", "Identifier", "Extension"})
"""Types that have a text beside their code."""

MEANT = frozenset({"in", "not-in", "above", "below"})
"""Modifiers that ask what codes mean."""


def test(param: Param, modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes; that of `not-in` and `not` is the test of what must not be.

    Errors: 400 value, not-supported (also for value sets that cannot be listed completely)
    """
    if modifier == "text":
        _require(param, modifier, LABELLED, "texts of codes")
        return labelled(param, values)
    if modifier not in MEANT:
        return plain_test(param, modifier, values)
    _require(param, modifier, CODED | {"code"}, "codes")
    if modifier in ("in", "not-in"):
        sets = [codes.value_set(_address(param, value)) for value in values]
    elif MIME_TYPES in unlisted_systems(param):
        return _mime_types(param, modifier, values)
    else:
        sets = [found for value in values for found in _related(param, modifier, value)]
    return sets_test(param, sets)


def _mime_types(param: Param, direction: str, values: Sequence[str]) -> Test:
    """Return the test of mime types: one without parameters is above the same one with any.

    Source: http://hl7.org/fhir/R4/search.html#mimetype
    """
    hashes: list[int] = []
    for value in values:
        parts = piped(value)
        if len(parts) > 2 or parts[0] not in (MIME_TYPES, parts[-1]) or "/" not in parts[-1]:
            raise bad_value(param.code, value, f"':{direction}' takes a mime type (type/subtype)")
        code = parts[-1]
        base = code.partition(";")[0].strip()
        for part in param.parts:
            hashes.append(hashed(part.id, CODE, open_form(code)))
            if direction == "below":
                hashes.append(hashed(part.id, BASE, open_form(code)))
            elif base != code:
                hashes.append(hashed(part.id, CODE, open_form(base)))
    return token_test(hashes, (), plain_rank(param), ())


def _require(param: Param, modifier: str, types: frozenset[str], what: str) -> None:
    if not types.intersection(leaf_types(param)):
        text = f"':{modifier}' is for {what}, which '{param.code}' of {param.type} has not"
        raise FhirError(400, "not-supported", text)


def _address(param: Param, value: str) -> str:
    address = unescape(value)
    if ":" not in address and not address.startswith("ValueSet/"):
        raise bad_value(param.code, value, "a value set is meant by its url, url|version or ValueSet/id")
    return address


def _related(param: Param, direction: str, value: str) -> list[CodeSet]:
    parts = piped(value)
    if len(parts) > 2 or not parts[-1]:
        raise bad_value(param.code, value, f"':{direction}' takes system|code")
    systems = [parts[0]] if len(parts) == 2 else implied_systems(param, parts[0])
    if not all(systems) or not systems:
        text = (
            f"':{direction}' takes system|code, since '{param.code}' does not imply the system of its codes"
        )
        raise bad_value(param.code, value, text)
    return [codes.hierarchy(direction, system, parts[-1]) for system in systems]


def sets_test(param: Param, sets: Sequence[CodeSet]) -> Test:
    """Return the test that rows pass which have a code of any of `sets`."""
    hashes: list[int] = []
    postings: list[int] = []
    for one in sets:
        for part in param.parts:
            tokens, keys = _hashes(param, part, one)
            hashes += tokens
            postings += keys
    needles = frozenset[str]().union(*(one.texts for one in sets))
    found = token_test(hashes, [(key, key) for key in postings], plain_rank(param), needles)
    cased = [(system, code) for one in sets for system in one.cased for code in one.systems[system]]
    return in_their_case(param, found, cased)


def _hashes(param: Param, part: Part, codes_: CodeSet) -> Hashes:
    """Return the hashes of all codes for one part of a parameter, worked out once for each set."""
    key = (param.type, param.code, part.id)
    if key not in codes_.hashes:
        types = set(leaf_types(param))
        pairs = codes_.codes if CODED & types else ()
        keys = tuple(posting(part.id, s, coded(s, c)) for s, c in pairs) if part.post else ()
        tokens = () if part.post else tuple(hashed(part.id, SYSTEM_CODE, s, coded(s, c)) for s, c in pairs)
        if types & {"code", "Extension"}:
            tokens += tuple(code_hash(param, part.id, code) for code in _implied(param, part, codes_))
        codes_.hashes[key] = tokens, keys
    return codes_.hashes[key]


def _implied(param: Param, part: Part, codes_: CodeSet) -> set[str]:
    """Return those codes that an element of type `code` has, its system being implied by its value set."""
    found: set[str] = set()
    for system, listed in codes_.systems.items():
        known = codes_of(param, part, system, "")
        found |= (
            listed.intersection(known) if known else {c for c in listed if codes_of(param, part, system, c)}
        )
    return found
