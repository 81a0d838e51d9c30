"""`_sort`: which parameters a search can be sorted by, and what each is sorted by.

Every parameter that has an order can be one of any number of keys. Dates go by the start of their period, numbers and
quantities by the middle of their range (quantities in canonical units), strings without case and accents, tokens by
their code (identifiers by their value), references and uris by their text. R4 leaves that to servers; see the decision.

Source: http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from fhir_server.search import stored
from fhir_server.search.hashing import token
from fhir_server.search.param import Param, TypeSearch
from fhir_server.search.params.token import CODE, leaf_types
from fhir_server.search.query import SortKey
from fhir_server.search.relevance import SCORE
from fhir_server.search.veiled import hidden
from resources.outcome import FhirError

TYPED = frozenset({"column", "main", "date", "number", "string"})
"""Places whose values are typed rows."""

MAX_KEYS = 10
"""The most keys of one search."""


def sort_keys(known: TypeSearch, value: str) -> list[SortKey]:
    """Return the keys of a `_sort`, in their order.

    Errors: 400 not-supported for what no order can be had of
    """
    items = [item.strip() for item in value.split(",")]
    return [SortKey(_param(known, item.removeprefix("-")), item.startswith("-")) for item in items]


def _param(known: TypeSearch, name: str) -> Param:
    if name == SCORE.code:
        return SCORE
    param = known.params.get(name)
    why = "no such parameter" if param is None else unsortable(param)
    if param is None or why:
        raise FhirError(400, "not-supported", f"{known.name} cannot be sorted by '{name[:100]}': {why}")
    return param


def unsortable(param: Param) -> str:
    """Return why nothing can be sorted by a parameter; empty where it can."""
    reasons = [unsortable(group) for group in param.groups]
    if reasons:
        return next((reason for reason in reasons if reason), "")
    if param.place == "refused" or hidden(param):
        return param.reason or hidden(param)
    if param.kind == "composite":
        return "it is several values at once, which have no order of their own"
    if param.place in TYPED or stored.readable(param) or flag(param):
        return ""
    if param.kind in ("token", "reference", "uri"):
        return "its expression is more than a path, so that its values are known by hash only"
    return "its values have no order"


def flag(param: Param) -> bool:
    """Return whether a parameter is a computed true or false, which its hashes tell."""
    return param.kind == "token" and param.computed and leaf_types(param) == ("boolean",)


def flag_value(param: Param, row: str) -> str:
    """Return the expression of a computed flag as text, null where it is not known."""
    cases = [
        f"WHEN {row}.tokens @> ARRAY[{token(part.id, CODE, '=' + word)}]::bigint[] THEN '{word}'"
        for part in param.parts
        for word in ("true", "false")
    ]
    return f"(CASE {' '.join(cases)} END)"
