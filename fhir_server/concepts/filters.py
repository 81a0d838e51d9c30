"""One filter of a value set as a condition on concepts.

Source: http://hl7.org/fhir/R4/valueset-filter-operator.html, codesystem-concept-properties.html, snomedct.html
"""

from __future__ import annotations

from collections.abc import Callable

import regex

from fhir_server.concepts import lookup
from fhir_server.concepts.leaves import REPEATED, Clause, Placed
from fhir_server.concepts.model import Conn, Json, System, UnknownError
from fhir_server.search.sql import Sql
from terminology.codesystems import PROPERTIES, REGEX_LENGTH
from terminology.patterns import PatternError, postgresql

_HIERARCHIC: dict[str, tuple[bool, str, str, str, bool]] = {
    "is-a": (True, "concept_ancestor", "descendant", "ancestor", True),
    "is-not-a": (False, "concept_ancestor", "descendant", "ancestor", True),
    "descendent-of": (True, "concept_ancestor", "descendant", "ancestor", False),
    "generalizes": (True, "concept_ancestor", "ancestor", "descendant", True),
    "child-of": (True, "concept_parent", "child", "parent", False),
}
"""Operator: whether it is so, the table, its columns of what is found and of the concept named, whether that counts."""


async def clause(conn: Conn, system: System, json: Json) -> Clause:
    """Return the condition of `ValueSet.compose.include.filter`.

    Errors: UnknownError where it cannot be told exactly
    """
    name, operator, value = json.get("property", ""), json.get("op", ""), json.get("value", "")
    if operator in _HIERARCHIC and name in ("concept", "code", "parent", "child"):
        return await _hierarchic(conn, system, operator, value)
    if operator in _HIERARCHIC:
        raise UnknownError(f"the filter '{name} {operator}' of {system.called}")
    test = _test(system, operator, value)
    return _reader(system, name, operator)(test)


async def _hierarchic(conn: Conn, system: System, operator: str, code: str) -> Clause:
    lookup.require_subsumption(system)
    found = await lookup.concept(conn, system, code)
    if found is None:
        raise UnknownError(f"the code system {system.called} has no code '{code[:100]}'")
    so, table, found_in, named_in, itself = _HIERARCHIC[operator]
    n = found.n

    def condition(sql: Sql, a: str) -> str:
        # no EXISTS: a plan that is made before it knows n would rather collect everything below n
        given = f"h.system = {sql.big(system.id)} AND h.{named_in} = {sql.big(n)}"
        inner = f"(SELECT true FROM {table} h WHERE {given} AND h.{found_in} = {a}.n LIMIT 1) IS NOT NULL"
        both = f"({a}.n = {sql.big(n)} OR {inner})" if itself else f"({inner})"
        return both if so else f"NOT {both}"

    def places(sql: Sql, first: int | None = None) -> str:
        given = f"h.system = {sql.big(system.id)} AND h.{named_in} = {sql.big(n)}"
        limit = "" if first is None else f" ORDER BY h.{found_in} LIMIT {sql.big(first)}"
        also = f" UNION ALL SELECT {sql.big(n)}::integer" if itself else ""
        return f"(SELECT h.{found_in} AS n FROM {table} h WHERE {given}{limit}){also}"

    return Placed(condition, places) if so else condition


Values = Callable[[Sql, str], str]
"""A condition on one value `v`, with the negation of the whole told apart by `_Test.none`."""


class _Test:
    """What the values of a property must be: `some` value passes `one`, or with `none` no value does.

    Shape:  `only` is the one value that passes, where it is one: an index knows its beginning
    """

    def __init__(self, one: Callable[[Sql, str], str], none: bool = False, only: str | None = None) -> None:
        self.one = one
        self.none = none
        self.only = only


def _test(system: System, operator: str, value: str) -> _Test:
    listed = [part.strip() for part in value.split(",")]
    match operator:
        case "=":
            return _Test(lambda sql, v: f"{v} = {sql.text(value)}", only=value)
        case "in":
            return _Test(lambda sql, v: f"{v} = ANY({sql.texts(listed)})")
        case "not-in":
            return _Test(lambda sql, v: f"{v} = ANY({sql.texts(listed)})", none=True)
        case "exists" if value in ("true", "false"):
            return _Test(lambda _sql, v: f"{v} <> ''", none=value == "false")
        case "regex":
            pattern = _pattern(system, value)
            return _Test(lambda sql, v: f"{v} ~ {sql.text(pattern)}")
    raise UnknownError(f"the filter operator '{operator}' with '{value[:100]}' of {system.called}")


def _pattern(system: System, value: str) -> str:
    """Return a regular expression that has to match as a whole, as PostgreSQL reads it."""
    if len(value) > REGEX_LENGTH:
        raise UnknownError(f"a regular expression of more than {REGEX_LENGTH} characters")
    try:
        regex.compile(value)
    except (regex.error, RecursionError, OverflowError) as problem:
        raise UnknownError(f"the regular expression '{value[:100]}' of {system.called} ({problem})") from None
    try:
        return postgresql(value)
    except PatternError as problem:
        raise UnknownError(f"the regular expression '{value[:100]}' of {system.called}: {problem}") from None


def _reader(system: System, name: str, operator: str) -> Callable[[_Test], Clause]:
    """Return what applies a test to a property: one of a concept's own elements, its neighbours, or a declared one."""
    match name:
        case "concept" | "code":
            return lambda test: _column(test, "code")
        case "display":
            return lambda test: _column(test, "display")
        case "parent":
            return lambda test: _neighbours(system, test, "child", "parent")
        case "child":
            return lambda test: _neighbours(system, test, "parent", "child")
        case "ancestor" if system.declared(name) is None:  # of LOINC
            lookup.require_followed(system)
            return lambda test: _neighbours(system, test, "descendant", "ancestor", "concept_ancestor")
    declared = system.declared(name)
    if name == "inactive" or (declared is not None and declared.uri == PROPERTIES + "inactive"):
        return lambda test: _expression(test, "CASE WHEN {}.active THEN 'false' ELSE 'true' END")
    if declared is not None:
        return lambda test: _property(system, test, name)
    raise UnknownError(f"the filter '{name} {operator}' of {system.called}, which has no '{name}'")


def _column(test: _Test, name: str) -> Clause:
    return _expression(test, "{}." + name)


def _expression(test: _Test, text: str) -> Clause:
    sign = "NOT " if test.none else ""
    return lambda sql, a: f"{sign}({test.one(sql, text.format(a))})"


def _neighbours(system: System, test: _Test, here: str, there: str, table: str = "concept_parent") -> Clause:
    sign = "NOT " if test.none else ""
    return lambda sql, a: (
        f"{sign}EXISTS (SELECT FROM {table} h JOIN concept o ON o.system = h.system AND o.n = h.{there}"
        f" WHERE h.system = {sql.big(system.id)} AND h.{here} = {a}.n AND {test.one(sql, 'o.code')})"
    )


def _property(system: System, test: _Test, name: str) -> Clause:
    def having(sql: Sql, also: str) -> str:
        return (
            f"FROM concept_property p WHERE p.system = {sql.big(system.id)}{also}"
            f" AND p.name = {sql.text(name)} AND {test.one(sql, 'p.value')}"
        )

    def condition(sql: Sql, a: str) -> str:
        # no EXISTS: a list of the first would rather collect all that have it
        return (
            f"(SELECT true {having(sql, f' AND p.n = {a}.n')} LIMIT 1) IS {'' if test.none else 'NOT '}NULL"
        )

    def places(sql: Sql, _first: int | None = None) -> str:
        known = "" if test.only is None else f" AND left(p.value, 200) = {sql.text(test.only[:200])}"
        return f"SELECT p.n {having(sql, known)}"

    return condition if test.none else Placed(condition, places, (REPEATED,))
