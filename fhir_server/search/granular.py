"""Search parameters in scopes (`patient/Observation.rs?category=laboratory`) as conditions on rows.

They are plain ones, of the resource itself: a chain would ask other resources, which a scope says nothing of.
Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from psycopg import AsyncConnection

from fhir_server.access.arguments import Arguments, Condition
from fhir_server.access.compiling import Granular
from fhir_server.access.scopes import Scope
from fhir_server.exchange import Server, Session
from fhir_server.search.codes import understood as told
from fhir_server.search.criteria import EXPRESSIONS, read
from fhir_server.search.registry import registry
from fhir_server.search.sql import Sql, Test
from resources.definitions import definitions
from resources.outcome import FhirError

Query = tuple[tuple[str, str], ...]


def granular(server: Server) -> Granular:
    """Return what takes a type and a scope's search parameters and returns the condition that a row matches them.

    Shape:  None where the type has not got them
    """

    async def condition(conn: AsyncConnection[Any], type_name: str, query: Query) -> Condition | None:
        if not plain(type_name, query):
            return None

        async def tests() -> list[Test | None]:
            return [read(registry(type_name), name, value) for name, value in query]

        try:
            found = await told(Session(server, conn), tests)
        except FhirError as error:
            if error.status >= 500:
                raise
            return None
        return None if None in found else _all(cast("list[Test]", found))

    return condition


def _all(tests: list[Test]) -> Condition:
    def where(sql: Arguments, row: str) -> str:
        return " AND ".join(f"({test.where(cast('Sql', sql), row)})" for test in tests)

    return where


def plain(type_name: str, query: Query) -> bool:
    """Whether a type has all of these search parameters, and they are asked for without modifiers and chains."""
    known = registry(type_name).params
    found = [None if name in EXPRESSIONS else known.get(name) for name, _ in query]
    return all(one is not None and one.place not in ("refused", "text") for one in found)


def understood(type_names: Iterable[str], query: Query) -> bool:
    """Whether some of the types have all of a scope's search parameters: scopes with others are refused."""
    return any(plain(name, query) for name in type_names)


def problem(narrowed: Iterable[Scope]) -> str:
    """Return what is wrong with scopes that have search parameters, '' where all can be enforced."""
    for one in narrowed:
        types = definitions().resource_types if one.type == "*" else [one.type]
        if not understood(types, one.query):
            return f"The search parameters of {str(one)[:100]} cannot be part of a scope"
    return ""
