"""References: exact edges between rows for what is ours, hashes for what is elsewhere.

Source: http://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fhir_server.search import codes
from fhir_server.search.context import Context
from fhir_server.search.params import token as tokens
from fhir_server.search.params import uri
from fhir_server.search.registry import Param, Part
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Patients, Sql, Test, any_of, never, of_types, unweighed
from fhir_server.search.tokens import token_test
from fhir_server.search.values import bad_value, piped, unescape
from fhir_server.storage.rows import WITHIN, type_number
from resources.definitions import definitions

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?\Z")


@lru_cache(maxsize=4_096)
def local(text: str, bases: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the type and id that a literal reference names on this server, None where it points elsewhere."""
    base = next((base for base in bases if text.startswith(base)), "")
    found = _LOCAL.match(text, len(base))
    if found is None or not definitions().is_resource(found[1]):
        return None
    return found[1], found[2]


def named_type(value: Any, inside: Mapping[str, str]) -> str:
    """Return the resource type that a Reference names by its text or its `type`, empty where neither does.

    Shape:  `inside` are the types of what is contained, by local id
    """
    text = value.get("reference")
    if isinstance(text, str) and text.startswith(WITHIN) and text[1:] in inside:
        return inside[text[1:]]
    if isinstance(text, str) and not text.startswith("#"):
        parts = text.partition("/_history/")[0].rsplit("/", 2)
        if len(parts) > 1 and definitions().is_resource(parts[-2]):
            return parts[-2]
    return str(value.get("type", ""))


def index(param: int, value: Any, type_name: str, sink: Sink, *, carried: bool = False) -> None:
    """Add one reference to `sink`; a `carried` one makes the resource belong to its Patient instead of an edge."""
    if type_name == "Reference":
        _reference(param, value, carried, sink)
    elif type_name in ("canonical", "uri"):
        uri.index(param, value, type_name, sink)
    elif type_name == "Resource":
        sink.present.add(param)
        if "id" in value:
            sink.edges.add((param, value["resourceType"], value["id"]))
    elif type_name == "Extension" and "valueReference" in value:
        _reference(param, value["valueReference"], carried, sink)


def _reference(param: int, value: Any, carried: bool, sink: Sink) -> None:
    sink.present.add(param)
    if "identifier" in value:
        tokens.index_identifier(param, value["identifier"], tokens.IDENTIFIER, sink)
    text = value.get("reference")
    if text is None or text.startswith(WITHIN):
        if text is not None:
            _within(param, text, carried, sink)
        return
    found = local(text, Context.bases)
    if found is None:
        uri.file(param, text, "uri", sink)
    elif carried and found[0] == "Patient":
        sink.patient = found[1]
    else:
        sink.edges.add((param, *found))


def _within(param: int, text: str, carried: bool, sink: Sink) -> None:
    """Add a reference to what the same resource contains, or from there to the container (`#`)."""
    local = text.removeprefix(WITHIN)
    found = sink.inside.get(local)
    if found == "Patient" and carried:
        sink.patient = text
    elif found is not None:
        sink.edges.add((param, WITHIN, local))


_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}\Z")
Target = tuple[tuple[str, ...], str]
"""Resource types and an id: a reference to any of them."""


def test(param: Param, modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes.

    Shape:  `modifier` is empty, `identifier`, or the resource type that is referred to
    Errors: 400 value
    """
    if modifier == "identifier":
        return _identified(param, values)
    literal, canonical = refers(param), addressed(param)
    targets: list[Target] = []
    elsewhere: list[str] = []
    for value in values:
        found = target(param, modifier, unescape(value))
        if found is not None and literal:
            targets.append(found)
        if found is None or canonical:
            elsewhere.append(unescape(value))
    codes.only_one(param.targets, [id_ for names, id_ in targets if names is param.targets])
    if not targets:
        hashes = [found for value in elsewhere for found in uri.hashes(param, value)]
        return token_test(hashes, (), 15, elsewhere)
    types = frozenset(name for names, _ in targets for name in names)
    local_test = points_to(
        param, lambda sql, kept: _rows(sql, targets, kept), types, len(targets) == 1 and len(types) == 1
    )
    if not elsewhere:
        return local_test
    return _either(local_test, token_test([h for v in elsewhere for h in uri.hashes(param, v)], (), 15, ()))


def _identified(param: Param, values: Sequence[str]) -> Test:
    hashes: list[int] = []
    for value in values:
        parts = piped(value)
        if len(parts) > 2 or not any(parts):
            raise bad_value(param.code, value, "an identifier is value, system|value, |value or system|")
        for part in param.parts:
            hashes += tokens.exact_hashes(part.id, parts, tokens.IDENTIFIER)
    return token_test(hashes, (), 15, ())


_LITERAL, _ADDRESS = frozenset({"Reference", "Resource", "Extension"}), frozenset({"canonical", "uri"})
"""Types of values that name a resource here, and of those that are compared as they are written."""


def refers(param: Param) -> bool:
    """Whether a parameter can have References, which chains follow."""
    return _holds(param, _LITERAL)


def addressed(param: Param) -> bool:
    """Whether a parameter can have canonicals, which have versions."""
    return _holds(param, _ADDRESS)


def _holds(param: Param, types: frozenset[str]) -> bool:
    """Whether a parameter can have values of one of `types`; a computed one, whatever it reads, refers."""
    return any(types & set(path.types) for path in param.paths) if param.paths else "Reference" in types


def target(param: Param, modifier: str, text: str) -> Target | None:
    """Return what a search value refers to on this server, None where it is an address elsewhere."""
    found = local(text, Context.bases)
    if found is not None:
        if modifier not in ("", found[0]):
            raise bad_value(param.code, text, f"':{modifier}' asks for a reference to {modifier}")
        return (found[0],), found[1]
    if not _ID.match(text) or not _holds(param, _LITERAL):
        return None
    return ((modifier,) if modifier else param.targets), text


def _rows(sql: Sql, targets: Sequence[Target], types: frozenset[str]) -> str:
    """Return the statement that lists the row numbers of `targets` that are of `types`."""
    clauses = []
    for names, id_ in targets:
        kept = [name for name in names if name in types]
        if kept:
            numbers = ", ".join(str(type_number(name)) for name in kept)
            clauses.append(f"(x.type IN ({numbers}) AND x.id = {sql.text(id_)})")
    return f"SELECT x.rid FROM resource x WHERE {any_of(clauses)}"


Listing = Callable[[Sql, frozenset[str]], str]
"""Takes the collected arguments and the wanted types; returns a statement that lists row numbers."""


def points_to(param: Param, listing: Listing, types: frozenset[str], one: bool = False) -> Test:
    """Return the test that rows pass whose reference points to what `listing` lists.

    Shape:  `types` are what the listed rows can be; `one` says that no more than one row is listed
    """
    patient = frozenset({"Patient"})
    carried = "Patient" in types and any(part.patient for part in param.parts)
    edges = [(part, _wanted(part, types)) for part in param.parts]
    edges = [(part, wanted) for part, wanted in edges if wanted]

    within = "=" if one else "IN"

    def held(condition: str) -> str:
        return (
            condition if one else unweighed(condition)
        )  # which is no join, for whose sake all rows would be read

    def where(sql: Sql, row: str) -> str:
        clauses = [held(f"{row}.pid {within} ({listing(sql, patient)})")] if carried else []
        for part, wanted in edges:
            inside = held(f"e.dst {within} ({listing(sql, wanted)})")
            clauses.append(
                f"EXISTS (SELECT FROM edge e WHERE e.src = {row}.rid AND e.param = {part.id} AND {inside})"
            )
        return any_of(clauses)

    def rids(sql: Sql) -> str:
        found = [_carried(param, listing(sql, patient))] if carried else []
        for part, wanted in edges:
            inside = f"e.dst = ANY(ARRAY({listing(sql, wanted)}))"
            found.append(f"SELECT e.src FROM edge e WHERE e.param = {part.id} AND {inside}")
        return " UNION ALL ".join(found)

    if not carried and not edges:
        return never()
    only = Patients(lambda sql: listing(sql, patient), one) if carried and not edges else None
    return Test(where, 20, rids, patients=only)


def _wanted(part: Part, types: frozenset[str]) -> frozenset[str]:
    """Return those of `types` that the edges of a part can point to."""
    kept = types & {part.resolves} if part.resolves else types
    return kept - {"Patient"} if part.patient else kept


def _carried(param: Param, listing: str) -> str:
    types = of_types("c", param.types)
    return f"SELECT c.rid FROM resource c WHERE c.live AND {types} AND c.pid = ANY(ARRAY({listing}))"


def _either(first: Test, second: Test) -> Test:
    return Test(lambda sql, row: any_of([first.where(sql, row), second.where(sql, row)]))
