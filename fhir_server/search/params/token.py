"""Tokens: codes, identifiers, flags; matched whole, by hash, in postings or under GIN.

Source: http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fhir_server.search.hashing import coded, posting, token
from fhir_server.search.sink import Sink

CODE, SYSTEM_CODE, SYSTEM, NO_SYSTEM, OF_TYPE = "c", "sc", "s", "nc", "ot"
"""The forms in which a token can be asked for: code, system|code, system|, |code, and identifier `:of-type`."""

IDENTIFIER = "i"
"""Prefix of the forms of a reference's identifier (`:identifier`)."""


def index(param: int, value: Any, type_name: str, sink: Sink, *, post: bool = False) -> None:
    """Add the hashes of one value to `sink`."""
    sink.present.add(param)
    if type_name == "CodeableConcept":
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
    elif type_name == "boolean":
        sink.tokens.add(_plain(param, "true" if value else "false"))
    elif value.__class__ is str:
        sink.tokens.add(_plain(param, value) if type_name == "code" else token(param, CODE, "=" + value))


@lru_cache(maxsize=8_192)
def _plain(param: int, value: str) -> int:
    return token(param, CODE, "=" + value)


def _coding(param: int, coding: Any, post: bool, sink: Sink) -> None:
    if coding is None or "code" not in coding:
        if coding and "system" in coding:
            sink.tokens.add(token(param, SYSTEM, coding["system"]))
        return
    hashes = coding_hashes(param, coding.get("system") or "", coding["code"], post)
    sink.tokens.update(hashes[0])
    sink.posts.update(hashes[1])


@lru_cache(maxsize=16_384)
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
            known = name if name in ("CodeableConcept", "Coding", "Identifier", "ContactPoint") else name[0].lower() + name[1:]
            index(param, child, known, sink, post=post)
