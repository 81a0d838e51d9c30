"""`_query`: named queries, each an OperationDefinition of kind `query` that is stored here.

The definition holds the search as a template in an extension: `name={name}&birthdate=ge{born}&_sort=family`. A search
`Patient?_query=by-name&name=Ann` is then the template with the values in place, besides every other parameter of the
address. A part of the template whose parameter is not given is left out. A value is plain text, unless its parameter
has a `searchType`: then it is written as a search value is (prefixes, pipes, commas).

Source: http://hl7.org/fhir/R4/search.html#query, http://hl7.org/fhir/R4/operationdefinition.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from fhir_server.exchange import Session
from fhir_server.search.match import match_rows
from fhir_server.search.scope import scope_of
from fhir_server.version import CANONICAL
from resources.codec.json import parse_json
from resources.outcome import FhirError
from resources.validate.primitives import PRIMITIVES

TEMPLATE = f"{CANONICAL}/StructureDefinition/query-template"
"""The extension of an OperationDefinition whose valueString is the search."""

QUERY = "_query"
_PLACE = re.compile(r"(\{[^{}]*\})")
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Named:
    """A search whose named query is told in words that any search has.

    Shape:  `own` are the pairs that the query took, as they came; `rest` those that it left; `meant` what it stands for
    """

    own: list[tuple[str, str]]
    rest: list[tuple[str, str]]
    meant: list[tuple[str, str]]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The search in plain words."""
        return self.rest + self.meant

    def shown(self, taken: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the pairs for links: the query as it was asked for, and what else of `pairs` was taken.

        Errors: 400 not-supported where the query's search asks for a parameter that does not exist
        """
        kept = len(taken) - len(self.meant)
        if taken[kept:] != self.meant:
            lacking = next((name for name, _ in self.meant if name not in dict(taken)), "?")
            raise FhirError(
                400, "not-supported", f"The query's search asks for '{lacking}', which there is not"
            )
        return self.own + taken[:kept]


async def expand(session: Session, path: str, pairs: Pairs) -> Named | None:
    """Return what the `_query` of a search below `path` stands for, None where it has none.

    Errors: 400 not-supported for a query that nobody defined, required, value, invalid
    """
    names = [value for name, value in pairs if name == QUERY and value.strip()]
    if not names:
        return None
    if len(names) > 1:
        raise FhirError(400, "invalid", "There can be only one '_query' in a search")
    types = scope_of(path).types
    definition = await _definition(session, types[0] if len(types) == 1 else "", names[0])
    parameters = {
        one.get("name", ""): one for one in definition.get("parameter", ()) if one.get("use") == "in"
    }
    given: dict[str, list[str]] = {}
    own: list[tuple[str, str]] = []
    rest: list[tuple[str, str]] = []
    for name, value in pairs:
        if name in parameters and value.strip():
            given.setdefault(name, []).append(value)
        (own if name == QUERY or name in parameters else rest).append((name, value))
    for name, parameter in parameters.items():
        _check(name, parameter, given.get(name, []))
    return Named(own, rest, filled(_template(definition), parameters, given))


Listed = tuple[tuple[str, str, str], ...]
"""(resource type, empty for the system; name; canonical address) of named queries."""


async def listed(session: Session) -> Listed:
    """Return the named queries that this server answers, in the order of their names."""
    criteria = [("kind", "query"), ("status", "active")]
    rows = await match_rows(session, "OperationDefinition", criteria, limit=_MOST)
    found = set()
    for one in (parse_json(row.json()) for row in rows):
        if any(extension.get("url") == TEMPLATE for extension in one.get("extension", ())):
            types = one.get("resource", ()) if one.get("type") is True else ()
            address = one.get("url") or f"OperationDefinition/{one['id']}"
            found |= {(name, one["code"], address) for name in [*types, *([""] * (one["system"] is True))]}
    return tuple(sorted(found, key=lambda query: (query[1], query[0])))


async def _definition(session: Session, type_name: str, name: str) -> Any:
    """Return the one active definition of a query of a type."""
    criteria = [("kind", "query"), ("code", _escaped(name)), ("status", "active")]
    rows = await match_rows(session, "OperationDefinition", criteria, limit=_MOST)
    found = [parse_json(row.json()) for row in rows]
    served = [one for one in found if _serves(one, type_name)]
    if not served:
        raise FhirError(400, "not-supported", f"{type_name or 'The system'} has no query '{name[:100]}'")
    if len(served) > 1:
        text = f"Several active OperationDefinitions say what the query '{name[:100]}' of {type_name} is"
        raise FhirError(400, "multiple-matches", text)
    return served[0]


_MOST = 100


def _serves(definition: Any, type_name: str) -> bool:
    if not type_name:
        return definition.get("system") is True
    types = definition.get("resource", ())
    return definition.get("type") is True and bool({type_name, "Resource", "DomainResource"} & {*types})


def _template(definition: Any) -> str:
    for extension in definition.get("extension", ()):
        if extension.get("url") == TEMPLATE and extension.get("valueString"):
            return str(extension["valueString"])
    text = (
        f"The definition of the query '{definition.get('code')}' has no extension {TEMPLATE} with its search"
    )
    raise FhirError(400, "not-supported", text)


def _check(name: str, parameter: Any, values: Sequence[str]) -> None:
    """Refuse too few, too many, or values of another type than a parameter of the query has."""
    if len(values) < parameter.get("min", 0):
        raise FhirError(400, "required", f"The query needs {parameter['min']} value(s) of '{name}'")
    most = str(parameter.get("max", "*"))
    if most != "*" and len(values) > int(most):
        raise FhirError(400, "value", f"The query takes {most} value(s) of '{name}'")
    primitive = None if parameter.get("searchType") else PRIMITIVES.get(parameter.get("type", ""))
    for value in values:
        if primitive is not None and not _fits(primitive.check, parameter["type"], value):
            raise FhirError(400, "value", f"'{value[:50]}' is no value for '{name}': {primitive.expected}")


def _fits(check: Any, type_name: str, value: str) -> bool:
    if type_name in ("boolean", "integer", "decimal", "positiveInt", "unsignedInt"):
        try:
            return bool(check(json.loads(value, parse_float=Decimal)))
        except (TypeError, ValueError, RecursionError):
            return False
    return bool(check(value))


def filled(template: str, parameters: dict[str, Any], given: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the pairs of a template with the given values in their places.

    Shape:  one pair for each value of a repeated parameter; none where a parameter of the pair is not given
    Errors: 400 not-supported for a template that cannot be filled
    """
    pairs: list[tuple[str, str]] = []
    for name, text in parse_qsl(template, keep_blank_values=True):
        if name == QUERY:
            raise FhirError(400, "not-supported", "The search of a named query cannot name another")
        asked = list(dict.fromkeys(part[1:-1] for part in _PLACE.findall(text)))
        unknown = next((one for one in asked if one not in parameters), None)
        if unknown is not None:
            wrong = f"The query's search asks for '{unknown[:50]}', which is no parameter of it"
            raise FhirError(400, "not-supported", wrong)
        if text and all(one in given for one in asked):
            turns = max((len(given[one]) for one in asked), default=1)
            pairs += [(name, _filled(name, text, parameters, given, turn)) for turn in range(turns)]
    return pairs


def _filled(name: str, text: str, parameters: dict[str, Any], given: dict[str, list[str]], turn: int) -> str:
    """Return a template's value with the value of each parameter whose turn it is; the last one stays."""
    parts = _PLACE.split(text)
    for place, part in enumerate(parts):
        if place % 2:
            values = given[part[1:-1]]
            parts[place] = _written(name, parameters[part[1:-1]], values[min(turn, len(values) - 1)])
    return "".join(parts)


def _written(name: str, parameter: Any, value: str) -> str:
    """Return a value as it is written in the place of a template: a string of a filter, plain text, or as it came."""
    if name.rpartition(".")[2].rpartition(":")[2] == "_filter":
        return json.dumps(value)
    return value if parameter.get("searchType") else _escaped(value)


def _escaped(text: str) -> str:
    return "".join("\\" + char if char in "\\,$|" else char for char in text)
