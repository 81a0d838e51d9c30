"""Codes that differ by case alone, in code systems that say so of themselves after the codes were indexed.

Hashes ignore case except in R4's own code systems. A row that has a coding of a system whose CodeSystem, stored here,
is case-sensitive is therefore looked at as it is written, by the database, so that totals see what pages see.

Source: http://hl7.org/fhir/R4/search.html#token ("based on the definition of the code system")
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fhir_server.search import codes
from fhir_server.search.hashing import is_case_sensitive, token
from fhir_server.search.registry import Param
from fhir_server.search.sql import Sql, Test, conjunction
from fhir_server.search.stored import items, readable

SYSTEM = "s"
"""The form in which a token of any code of a system is asked for."""

ANY = "*"
"""What stands for any system in a statement."""

Wanted = tuple[str | None, str]
"""A system (None: any, empty: none) and a code (empty: any)."""


def in_their_case(param: Param, test: Test, wanted: Collection[Wanted]) -> Test:
    """Return `test`, which ignores case, narrowed to rows that have one of `wanted` as its code system spells it."""
    doubtful = {system for system, code in wanted if _doubtful(system, code)}
    if not doubtful or not readable(param):
        return test
    sensitive = codes.case_sensitive().texts
    asked = sorted(sensitive if None in doubtful else sensitive & doubtful)
    if not asked:
        return test
    hashes = [token(part.id, SYSTEM, system) for part in param.parts for system in asked]

    def where(sql: Sql, row: str) -> str:
        concerned = f"({row}.tokens && {sql.bigs(hashes)}) IS TRUE"
        return f"(NOT ({concerned}) OR {_written(sql, param, row, wanted, sorted(sensitive))})"

    return conjunction([test, Test(where)])


def _doubtful(system: str | None, code: str) -> bool:
    """Whether a code can be spelled in several ways and its hash does not tell them apart."""
    return code.upper() != code.lower() and (
        system is None or (system != "" and not is_case_sensitive(system))
    )


def _written(sql: Sql, param: Param, row: str, wanted: Iterable[Wanted], sensitive: list[str]) -> str:
    """Return the condition that one of `wanted` is written in the row."""
    pairs = list(wanted)
    systems, listed = sql.texts([ANY if s is None else s for s, _ in pairs]), sql.texts([c for _, c in pairs])
    folds = f"o.folds AND (o.system <> ALL ({sql.texts(sensitive)})) IS NOT FALSE"
    return (
        f"EXISTS (SELECT FROM ({items(param, row)}) o JOIN unnest({systems}, {listed}) AS k(system, code)"
        f" ON (k.system = '{ANY}' OR k.system = coalesce(o.system, ''))"
        f" AND (k.code = '' OR o.value = k.code OR ({folds} AND lower(o.value) = lower(k.code))))"
    )
