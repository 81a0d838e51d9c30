"""A code system as one CSV file with a header, for lists of one's own.

Columns: `code` (has to be there), `display`, `definition`, `parent` (several apart by `|`), `active` and `abstract`
(true or false), `property:NAME` or `property:NAME:KIND` (string unless told), `designation:LANGUAGE`. Any other column
is refused, and one that stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, get_args

from resources.validate.primitives import PRIMITIVES, holds
from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Member, Source
from terminology.records import (
    ConceptRecord,
    DeclaredProperty,
    Designation,
    PropertyKind,
    PropertyValue,
    SystemHeader,
)

_PLAIN = frozenset({"code", "display", "definition", "parent", "active", "abstract"})
_BOOLEANS = {"true": True, "false": False}
_NUMBERS = {
    "integer": re.compile(r"-?[0-9]{1,10}"),
    "decimal": re.compile(r"-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?"),
}


def read(source: Source, asked: Asked) -> Release:
    """Return what a CSV file says; the url has to be told."""
    member = source.need("*.csv")
    if not asked.url:
        raise LoadError("A CSV file does not tell its code system: give --url")
    if not holds(PRIMITIVES["uri"].check, asked.url):
        raise LoadError(f"'{asked.url[:100]}' is not {PRIMITIVES['uri'].expected}")
    declared = {
        column: _declared(column) for column in _columns(source, member) if column.startswith("property:")
    }
    source.expect([member])
    header = SystemHeader(
        *(asked.url, asked.version, asked.name or member.name.rpartition("/")[2].removesuffix(".csv")),
        properties=tuple(declared.values()),
    )
    return Release(header, partial(_records, source, member, declared))


def _columns(source: Source, member: Member) -> list[str]:
    columns = source.header(member)
    unknown = [c for c in columns if c not in _PLAIN and not c.startswith(("property:", "designation:"))]
    twice = [column for place, column in enumerate(columns) if column in columns[:place]]
    if unknown:
        raise LoadError(f"{member.name}: unknown column {unknown[0]!r}")
    if twice:
        raise LoadError(f"{member.name}: the column {twice[0]!r} stands twice")
    if "code" not in columns:
        raise LoadError(f"{member.name}: no column 'code'")
    return columns


def _declared(column: str) -> DeclaredProperty:
    _, name, kind = (*column.split(":", 2), "string")[:3]
    if kind not in get_args(PropertyKind) or not name:
        raise LoadError(f"The column {column!r} is not property:NAME or property:NAME:KIND")
    return DeclaredProperty(name, kind)  # type: ignore[arg-type]  # checked above


def _records(
    source: Source, member: Member, declared: dict[str, DeclaredProperty]
) -> Iterator[ConceptRecord]:
    seen: set[str] = set()
    for line, row in source.table(member):
        problem = _problem(row, seen) or _misfit(row, declared)
        if problem:
            source.problems.add(member.name, line, problem)
            continue
        seen.add(row["code"])
        yield ConceptRecord(
            code=row["code"],
            display=row.get("display", ""),
            definition=row.get("definition", ""),
            parents=tuple(filter(None, row.get("parent", "").split("|"))),
            active=_BOOLEANS[row.get("active") or "true"],
            abstract=_BOOLEANS[row.get("abstract") or "false"],
            properties=tuple(
                PropertyValue(one.code, one.kind, row[column])
                for column, one in declared.items()
                if row[column]
            ),
            designations=tuple(
                Designation(value, column.partition(":")[2])
                for column, value in row.items()
                if column.startswith("designation:") and value
            ),
        )


def _problem(row: dict[str, str], seen: set[str]) -> str:
    code = row["code"]
    if not code or code != " ".join(code.split()):
        return f"'{code[:50]}' is no code"
    if code in seen:
        return f"the code '{code[:50]}' stands here twice"
    odd = [row[c] for c in ("active", "abstract") if row.get(c) and row[c] not in _BOOLEANS]
    return f"'{odd[0][:20]}' is neither true nor false" if odd else ""


def _misfit(row: dict[str, str], declared: dict[str, DeclaredProperty]) -> str:
    """Return which property is not of its kind, empty where all are."""
    for column, one in declared.items():
        text = row[column]
        if text and not _fits(one.kind, text):
            return f"'{text[:50]}' is no {one.kind}, as {column!r} says"
    return ""


def _fits(kind: PropertyKind, text: str) -> bool:
    if kind == "boolean":
        return text in _BOOLEANS
    value: Any = text
    if kind in _NUMBERS:
        if not _NUMBERS[kind].fullmatch(text):
            return False
        value = int(text) if kind == "integer" else Decimal(text)
    return holds(PRIMITIVES["code" if kind == "Coding" else kind].check, value)
