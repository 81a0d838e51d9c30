"""The order of a page and the place in it where the next page starts.

Missing values come last in both directions. Ties are broken by row number, so that no two rows are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from fhir_server.search import sorting, stored
from fhir_server.search.params.string import WHOLE
from fhir_server.search.query import SortKey
from fhir_server.search.sql import Sql, any_of, of_types
from fhir_server.storage.rows import MISSING_DATE


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key as SQL: an expression, its direction, its type, and whether rows may lack it.

    Shape:  `fixed` says that it is the same of all rows, and only there to name the index that has the order
    """

    expression: str
    descending: bool
    type: str
    nullable: bool = True
    fixed: bool = False


class Place(msgspec.Struct, frozen=True, gc=False):
    """A row's place in the order: its sort values as text (None: missing) and its row number.

    Shape:  `score` says how well the row answers a search for words, empty where none was asked for
    """

    values: tuple[str | None, ...]
    rid: int
    score: str = ""


def keys(sort: Sequence[SortKey], row: str, d0: str, score: str = "", *, walked: bool = True) -> list[Key]:
    """Return the SQL of `_sort`; `d0` is the cheapest expression of the main date, `score` that of `_score`.

    Shape:  unless the rows are `walked`, no index may give the order by the last update instead of finding them
    """
    alone = len(sort) == 1 and not sort[0].param.merged
    found = [
        Key(score, not one.descending, "real", False)
        if one.param.place == "score"
        else _key(one, row, d0, alone)
        for one in sort
    ]
    hidden = f"({row}.updated + interval '0')"
    return [
        replace(key, expression=hidden) if not walked and key.expression == f"{row}.updated" else key
        for key in found
    ]


def _key(one: SortKey, row: str, d0: str, alone: bool) -> Key:
    param, down = one.param, one.descending
    if param.groups:
        return _grouped(one, row, d0)
    if param.code == "_id":
        return Key(f"{row}.id", down, "text", False)
    if param.code == "_lastUpdated":
        return Key(f"{row}.updated", down, "timestamptz", False)
    if param.place == "main":
        return (
            Key(d0, down, "bigint", False) if alone else Key(f"NULLIF({d0}, {MISSING_DATE})", down, "bigint")
        )
    if param.kind in ("token", "reference", "uri"):
        told = sorting.flag_value(param, row) if sorting.flag(param) else stored.best(param, row, down)
        return Key(told, down, 'text COLLATE "C"')
    best = "max" if down else "min"
    ids = ", ".join(str(part.id) for part in param.parts)
    table, value, type_name = _VALUES[param.kind]
    whole = f" AND {WHOLE}" if param.kind == "string" else ""
    return Key(
        f"(SELECT {best}({value}) FROM {table} i WHERE i.rid = {row}.rid AND i.param IN ({ids}){whole})",
        down,
        type_name,
    )


def _grouped(one: SortKey, row: str, d0: str) -> Key:
    """Return the key of a parameter whose value lies elsewhere for some types than for others."""
    groups = one.param.groups
    made = [_key(replace(one, param=group), row, d0, False) for group in groups]
    cases = [
        f"WHEN {of_types(row, group.types)} THEN {key.expression}"
        for group, key in zip(groups, made, strict=True)
    ]
    return Key(f"(CASE {' '.join(cases)} END)", one.descending, made[0].type)


_VALUES = {
    "string": ("idx_string", f"left(i.norm, {stored.LONGEST})", 'text COLLATE "C"'),
    "date": ("idx_date", "i.lo", "bigint"),
    "number": ("idx_number", "(i.lo + i.hi) / 2", "numeric"),
    "quantity": ("idx_number", "coalesce((i.clo + i.chi) / 2, (i.lo + i.hi) / 2)", "numeric"),
}


def order_by(found: Sequence[Key], rid: str, backward: bool) -> str:
    """Return the ORDER BY list."""
    parts = []
    for key in found:
        down = key.descending != backward
        nulls = (" NULLS FIRST" if backward else " NULLS LAST") if key.nullable else ""
        parts.append(f"{key.expression}{' DESC' if down else ''}{nulls}")
    down = _rid_descends(found) != backward
    return ", ".join([*parts, rid + (" DESC" if down else "")])


def _rid_descends(found: Sequence[Key]) -> bool:
    return bool(found) and found[0].descending


def beyond(sql: Sql, found: Sequence[Key], rid: str, place: Place, backward: bool) -> str:
    """Return the condition that a row comes after `place` (before it, when going `backward`)."""
    down = _rid_descends(found) != backward
    last = f"{rid} {'<' if down else '>'} {sql.big(place.rid)}"
    told = [(key, value) for key, value in zip(found, place.values, strict=True) if not key.fixed]
    if all(not key.nullable and (key.descending != backward) == down for key, _ in told):
        if not told:
            return last
        places = [_place(sql, key, value) for key, value in told]
        columns = ", ".join([*(key.expression for key, _ in told), rid])
        return f"({columns}) {'<' if down else '>'} ({', '.join([*places, sql.big(place.rid)])})"
    options: list[str] = []
    same: list[str] = []
    for key, value in told:
        further = _further(sql, key, value, backward)
        if further:
            options.append(" AND ".join([*same, further]))
        same.append(
            f"{key.expression} IS NULL" if value is None else f"{key.expression} = {_place(sql, key, value)}"
        )
    return any_of([f"({option})" for option in [*options, " AND ".join([*same, last])]])


def _place(sql: Sql, key: Key, value: str | None) -> str:
    return sql.cast(value or "", key.type)


def _further(sql: Sql, key: Key, value: str | None, backward: bool) -> str:
    """Return the condition that a key alone puts a row beyond `value`; empty where none can be."""
    if value is None:
        return f"{key.expression} IS NOT NULL" if backward else ""
    sign = "<" if key.descending != backward else ">"
    more = f"{key.expression} {sign} {_place(sql, key, value)}"
    return f"({more} OR {key.expression} IS NULL)" if key.nullable and not backward else more
