"""The texts that codes are shown by, filed beside them and searched by `:text` like strings.

A label is one hash among the row's tokens and one row of the dictionary `label`, however often it is used: a search
takes the labels that start with what was asked for, and the rows that carry one of their hashes.

Source: http://hl7.org/fhir/R4/search.html#modifiers (CodeableConcept.text, Coding.display, Identifier.type.text)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_server.search.context import Context, remembered
from fhir_server.search.hashing import token
from fhir_server.search.params.string import INDEXED, LAST_CHARACTER, normalize
from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Clause, Sql, Test, any_of, unweighed
from fhir_server.search.values import bad_value, unescape
from resources.outcome import FhirError

LABEL = "t"

RANK = 40
"""Beside other criteria: after patients, references and names, before common tokens."""


def index(param: int, text: Any, sink: Sink) -> None:
    """Add one text of a code to `sink`."""
    if text.__class__ is str and "text" in Context.in_clear:
        known = _label(param, text)
        if known[0]:
            sink.labels.add((param, *known))
            sink.tokens.add(known[1])


@remembered(16_384)
def _label(param: int, text: str) -> tuple[str, int]:
    norm = normalize(text)
    return norm, token(param, LABEL, norm)


def labelled(param: Param, values: Sequence[str]) -> Test:
    """Return the test that rows pass one of whose codes has a text that starts with any of `values`.

    Errors: 400 value; not-supported where the texts of codes are not kept in clear
    """
    if "text" not in Context.in_clear:
        why = "this server keeps no text values in clear (search_in_clear)"
        raise FhirError(400, "not-supported", f"'{param.code}:text': {why}")
    asked = [_asked(param.code, unescape(value)) for value in values]
    return by_label(param, lambda sql: any_of([starting(sql, text) for text in asked]))


def by_label(param: Param, condition: Clause) -> Test:
    """Return the test that rows pass which carry a label `l` of `param` that meets `condition`."""
    ids = ", ".join(str(part.id) for part in param.parts)

    def hashes(sql: Sql) -> str:
        return f"ARRAY(SELECT l.h FROM label l WHERE l.param IN ({ids}) AND {condition(sql)})"

    def where(sql: Sql, row: str) -> str:
        return unweighed(f"({row}.tokens && {hashes(sql)})")

    def rids(sql: Sql) -> str:
        return f"SELECT t.rid FROM resource t WHERE t.tokens && {hashes(sql)}"

    return Test(where, RANK, rids)


def _asked(code: str, text: str) -> str:
    plain = normalize(text)
    if not plain or len(plain) > INDEXED:
        raise bad_value(code, text, f"a text of 1 to {INDEXED} characters")
    return plain


def starting(sql: Sql, text: str) -> str:
    """Return the condition that the text of a label starts with `text`."""
    head = 'left(l.norm, 500) COLLATE "C"'
    return f"({head} >= {sql.text(text)} AND {head} < {sql.text(text + LAST_CHARACTER)})"
