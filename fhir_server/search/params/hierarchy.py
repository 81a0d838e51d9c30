"""References to a resource and what is below or above it: `:below`, `:above`, by the references of its own type.

A type has a hierarchy where one of its parameters is the reference to the whole that a resource of the same type is
part of (Location `partof`, Specimen `parent` …). Circles end where they began.

Source: http://hl7.org/fhir/R4/search.html#recursive ("Searching Hierarchies")
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from fhir_server.search import plan
from fhir_server.search.param import Param
from fhir_server.search.params import reference, uri
from fhir_server.search.registry import registry
from fhir_server.search.sql import Sql, Test, any_of
from fhir_server.search.values import bad_value, unescape
from fhir_server.storage.rows import type_number
from resources.definitions import definitions
from resources.outcome import FhirError

UPWARD = ("partof", "part-of", "parent")
"""The codes of R4's parameters that refer to the whole that something is a part of."""


@cache
def hierarchies() -> dict[str, str]:
    """Return {resource type: the parameter by which it refers to what is above it}."""
    found = {}
    for name in definitions().resource_types:
        for code in UPWARD:
            param = definitions().search_params(name).get(code)
            if param is not None and param.type == "reference" and name in param.targets:
                found[name] = code
    return found


def test(param: Param, modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes; with `above` or `below` also by what is there.

    Errors: 400 value, not-supported
    """
    if modifier not in ("above", "below"):
        return reference.test(param, modifier, values)
    if modifier == "below" and reference.addressed(param) and not reference.refers(param):
        return uri.test(param, modifier, values)
    known = hierarchies()
    types = frozenset(name for name in param.targets if name in known)
    if not types:
        text = f"':{modifier}' needs a hierarchy, and nothing that '{param.code}' refers to has one"
        raise FhirError(400, "not-supported", f"{text} ({', '.join(sorted(known))} have)")
    targets = [_target(param, modifier, unescape(value), types) for value in values]
    wanted = frozenset(name for names, _ in targets for name in names)

    def listing(sql: Sql, kept: frozenset[str]) -> str:
        found = [
            _reached(sql, name, modifier, [id_ for names, id_ in targets if name in names])
            for name in sorted(wanted & kept)
        ]
        return " UNION ALL ".join(found) or "SELECT NULL::bigint WHERE false"

    return reference.points_to(param, listing, wanted)


def _target(param: Param, modifier: str, text: str, types: frozenset[str]) -> reference.Target:
    """Return the types and the id that a value means."""
    found = reference.target(param, "", text)
    if found is None:
        raise bad_value(
            param.code, text, f"':{modifier}' takes an id or a reference to a resource on this server"
        )
    if len(found[0]) == 1 and found[0][0] not in types:
        raise bad_value(param.code, text, f"':{modifier}' needs a hierarchy, and {found[0][0]} has none")
    return tuple(name for name in found[0] if name in types), found[1]


def _reached(sql: Sql, type_name: str, direction: str, ids: Sequence[str]) -> str:
    """Return the statement that lists the rows of `ids` and everything below or above them."""
    up = registry(type_name).params[hierarchies()[type_name]]
    parts = ", ".join(str(part.id) for part in up.parts)
    here, there = ("dst", "src") if direction == "below" else ("src", "dst")
    number = type_number(type_name)
    start = any_of([f"x.id = {sql.text(id_)}" for id_ in ids])
    seen = plan.visible(type_name, "s", sql)
    return (
        f"SELECT h.rid FROM (WITH RECURSIVE h(rid) AS (SELECT x.rid FROM resource x WHERE x.type = {number} AND {start}"
        f" UNION SELECT x.rid FROM h JOIN edge e ON e.{here} = h.rid AND e.param IN ({parts})"
        f" JOIN resource s ON s.rid = e.src AND s.tail IS NOT NULL{' AND ' + seen if seen else ''}"
        f" JOIN resource x ON x.rid = e.{there} AND x.type + 0 = {number}) SELECT rid FROM h) h"
    )
