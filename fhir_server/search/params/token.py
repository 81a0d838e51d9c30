"""Tokens: codes, identifiers, flags; matched whole, by hash, in postings or under GIN.

Source: http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_server.search.context import remembered
from fhir_server.search.hashing import coded, either_case, posting, posting_range, token
from fhir_server.search.params import labels
from fhir_server.search.params.implied import TEXTS, codes_of, unlisted_systems
from fhir_server.search.params.token_case import in_their_case
from fhir_server.search.registry import Param, Part
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Test, any_of
from fhir_server.search.tokens import token_test
from fhir_server.search.values import bad_value, piped

CODE, SYSTEM_CODE, SYSTEM, NO_SYSTEM, OF_TYPE = "c", "sc", "s", "nc", "ot"
"""The forms in which a token can be asked for: code, system|code, system|, |code, and identifier `:of-type`."""

COMPLEX = ("CodeableConcept", "Coding", "Identifier", "ContactPoint")

CODED = frozenset({"CodeableConcept", "Coding", "Extension"})
"""Types whose codes have a system of their own."""

MIME_TYPES = "urn:ietf:bcp:13"
BASE = "b"
"""The form in which the types above a mime type with parameters are filed: `text/xml` of `text/xml; charset=UTF-8`."""

IDENTIFIER = "i"
"""Prefix of the forms of a reference's identifier (`:identifier`)."""


def index(param: int, value: Any, type_name: str, sink: Sink, *, post: bool = False) -> None:
    """Add the hashes of one value to `sink`."""
    sink.present.add(param)
    if type_name == "CodeableConcept":
        if "text" in value:
            labels.index(param, value["text"], sink)
        for coding in value.get("coding", ()):
            _coding(param, coding, post, sink)
    elif type_name == "Coding":
        _coding(param, value, post, sink)
    elif type_name == "Identifier":
        index_identifier(param, value, "", sink)
    elif type_name == "ContactPoint":
        if "value" in value:
            sink.tokens.add(token(param, CODE, "~" + str(value["value"]).casefold()))
    elif type_name == "Extension":
        _extension(param, value, post, sink)
    elif isinstance(value, bool):
        sink.tokens.add(_plain(param, "true" if value else "false"))
    elif value.__class__ is str:
        if type_name in TEXTS:
            sink.tokens.add(token(param, CODE, "~" + value.casefold()))
        else:
            sink.tokens.add(_plain(param, value) if type_name == "code" else token(param, CODE, "=" + value))


def index_open(param: int, value: Any, _type_name: str, sink: Sink) -> None:
    """Add a code whose system nobody can list, a mime type or a language tag, to `sink`; their case does not count.

    Source: RFC 2045 section 5.1, BCP 47 section 2.1.1
    """
    if value.__class__ is str:
        sink.present.add(param)
        sink.codings.add(("", value))
        sink.tokens.add(token(param, CODE, open_form(value)))
        base = value.partition(";")[0].strip()
        if base != value:
            sink.tokens.add(token(param, BASE, open_form(base)))


def open_form(code: str) -> str:
    """Return the form in which a code of an unlisted system is hashed."""
    return "~" + code.casefold()


@remembered(8_192)
def _plain(param: int, value: str) -> int:
    return token(param, CODE, "=" + value)


def _coding(param: int, coding: Any, post: bool, sink: Sink) -> None:
    if coding and "display" in coding:
        labels.index(param, coding["display"], sink)
    if coding is None or "code" not in coding:
        if coding and "system" in coding:
            sink.tokens.add(token(param, SYSTEM, coding["system"]))
        return
    system = coding.get("system") or ""
    if system:
        sink.codings.add((system, coding["code"]))
    hashes = coding_hashes(param, system, coding["code"], post)
    sink.tokens.update(hashes[0])
    sink.posts.update(hashes[1])


@remembered(16_384)
def coding_hashes(param: int, system: str, code: str, post: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the hashes under GIN and the posting keys of one coding."""
    form = coded(system, code)
    known = (token(param, SYSTEM, system),) if system else ()
    if post:
        return known, (posting(param, system, form),)
    pair = token(param, SYSTEM_CODE, system, form) if system else token(param, NO_SYSTEM, form)
    return (token(param, CODE, form), pair, *known), ()


def index_identifier(param: int, value: Any, prefix: str, sink: Sink) -> None:
    """Add the hashes of an Identifier, whose values differ by case."""
    system, text = value.get("system"), value.get("value")
    if "type" in value and not prefix:
        labels.index(param, value["type"].get("text"), sink)
    if system is not None:
        sink.tokens.add(token(param, prefix + SYSTEM, system))
    if text is None:
        return
    form = "=" + text
    sink.tokens.add(token(param, prefix + CODE, form))
    if system is None:
        sink.tokens.add(token(param, prefix + NO_SYSTEM, form))
    else:
        sink.tokens.add(token(param, prefix + SYSTEM_CODE, system, form))
    for coding in value.get("type", {}).get("coding", ()) if not prefix else ():
        if coding and "code" in coding:
            kind = coding.get("system") or ""
            sink.tokens.add(token(param, OF_TYPE, kind, coded(kind, coding["code"]), form))


def _extension(param: int, value: Any, post: bool, sink: Sink) -> None:
    for key, child in value.items():
        if key.startswith("value"):
            name = key[5:]
            known = name if name in COMPLEX else name[0].lower() + name[1:]
            index(param, child, known, sink, post=post)


def test(param: Param, modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes, as hashes of whole tokens.

    Errors: 400 value
    """
    hashes: list[int] = []
    postings: list[tuple[int, int]] = []
    needles: list[str] = []
    coded_values: list[tuple[str | None, str]] = []
    for value in values:
        parts = piped(value)
        if modifier == "of-type":
            hashes += [_of_type(param, part, value, parts) for part in param.parts]
        else:
            found, ranges = _asked(param, value, parts)
            hashes += found
            postings += ranges
            coded_values.append((None, parts[0]) if len(parts) == 1 else (parts[0], parts[1]))
        needles.append(parts[-1])
    types = leaf_types(param)
    literal = "boolean" not in types and all(needles)
    test = token_test(hashes, postings, plain_rank(param), needles if literal else ())
    if any(not code and system in unlisted_systems(param) for system, code in coded_values):
        test = _or_any(test, [part.id for part in param.parts])
    return in_their_case(param, test, coded_values) if CODED.intersection(types) else test


def _or_any(test: Test, ids: Sequence[int]) -> Test:
    """Return the test that rows pass which pass `test` or have any value of the parameters `ids` at all."""
    present = f"present && ARRAY[{', '.join(map(str, ids))}]::int[]"
    return Test(lambda sql, row: any_of([test.where(sql, row), f"{row}.{present}"]))


ANY_TYPE = ("boolean", "code", "CodeableConcept", "Coding", "ContactPoint", "Identifier")
"""What a stored parameter may find that the FHIRPath engine evaluates: the types that are hashed in different ways."""


def leaf_types(param: Param) -> tuple[str, ...]:
    """Return the FHIR types that the values of a token parameter can have."""
    if param.computed:
        return ANY_TYPE if param.custom else ("boolean",)
    return tuple(dict.fromkeys(n for p in param.paths for n in p.types))


def plain_rank(param: Param) -> int:
    """Return the rank of a test on tokens under GIN: identifiers are few, codes many."""
    types = leaf_types(param) if not param.computed else ()
    return 5 if "Identifier" in types else 15 if "ContactPoint" in types else 50


def _of_type(param: Param, part: Part, value: str, parts: list[str]) -> int:
    if len(parts) != 3 or not (parts[1] and parts[2]):
        raise bad_value(param.code, value, "':of-type' takes type system|type code|identifier value")
    return token(part.id, OF_TYPE, parts[0], coded(parts[0], parts[1]), "=" + parts[2])


def _asked(param: Param, value: str, parts: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    if len(parts) > 2 or not any(parts):
        raise bad_value(param.code, value, "a token is code, system|code, |code or system|")
    hashes: list[int] = []
    postings: list[tuple[int, int]] = []
    for part in param.parts:
        for name in leaf_types(param):
            if name in CODED:
                more, ranges = _coded(part, parts)
                hashes += more
                postings += ranges
            if name in ("Identifier", "Extension"):
                hashes += exact_hashes(part.id, parts, "")
            if name not in ("CodeableConcept", "Coding", "Identifier"):
                hashes += _plain_hashes(param, part, name, value, parts)
    return hashes, postings


def _coded(part: Part, parts: list[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the hashes and posting ranges of a coding: code, system|code, |code or system|."""
    system, code = (None, parts[0]) if len(parts) == 1 else parts
    if system is None:
        forms = either_case(code)
        if part.post:
            return [], [posting_range(part.id, form) for form in forms]
        return [token(part.id, CODE, form) for form in forms], []
    if not code:
        return [token(part.id, SYSTEM, system)], []
    hashes, keys = coding_hashes(part.id, system, code, part.post)
    return ([], [(keys[0], keys[0])]) if part.post else ([hashes[1]], [])


def exact_hashes(param: int, parts: list[str], prefix: str) -> list[int]:
    """Return the hash of an identifier: value, system|value, |value or system|."""
    system, value = (None, parts[0]) if len(parts) == 1 else parts
    if system is None:
        return [token(param, prefix + CODE, "=" + value)]
    if not value:
        return [token(param, prefix + SYSTEM, system)]
    if not system:
        return [token(param, prefix + NO_SYSTEM, "=" + value)]
    return [token(param, prefix + SYSTEM_CODE, system, "=" + value)]


def _plain_hashes(param: Param, part: Part, name: str, value: str, parts: list[str]) -> list[int]:
    if name == "code" and len(parts) == 2:
        return [code_hash(param, part.id, code) for code in codes_of(param, part, *parts)]
    others = len(leaf_types(param)) > 1  # which may have what this type cannot
    if len(parts) == 2:
        if others or name == "Extension":
            return []
        raise bad_value(param.code, value, f"its values ({name}) have no system, so that they take no '|'")
    if name in ("boolean", "Boolean") and parts[0] not in ("true", "false"):
        if others:
            return []
        raise bad_value(param.code, value, "true or false")
    if name in ("ContactPoint", "Extension") or name in TEXTS:
        folded = token(part.id, CODE, "~" + parts[0].casefold())
        return [folded, _plain(part.id, parts[0])] if name == "Extension" else [folded]
    return [code_hash(param, part.id, parts[0])]


def code_hash(param: Param, id_: int, code: str) -> int:
    """Return the hash of a code on an element whose system is implied, or of another plain value."""
    return token(id_, CODE, open_form(code)) if unlisted_systems(param) else _plain(id_, code)
