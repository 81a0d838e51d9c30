"""A code system as one CSV file with a header, for lists of one's own.

Columns: `code` (has to be there), `display`, `definition`, `parent` (several apart by `|`), `active` and `abstract`
(true or false), `property:NAME` or `property:NAME:KIND` (string unless told), `designation:LANGUAGE`. Any other column
is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import get_args

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


def read(source: Source, asked: Asked) -> Release:
    """Return what a CSV file says; the url has to be told."""
    member = source.need("*.csv")
    if not asked.url:
        raise LoadError("A CSV file does not tell its code system: give --url")
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
    if "code" not in columns or unknown:
        raise LoadError(
            f"{member.name}: " + (f"unknown column {unknown[0]!r}" if unknown else "no column 'code'")
        )
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
        problem = _problem(row, seen)
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
