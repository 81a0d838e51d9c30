"""Whether a row is within reach of somebody who may see some patients: the table `belongs.json` as SQL.

A row of several patients may be seen by who may see one of them, and written by who may write for them all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from fhir_server.access.arguments import Arguments
from fhir_server.access.belongs import Belongs, table
from fhir_server.storage.rows import param_id, type_number

Patients = tuple[int, ...] | None
"""Row numbers of patients; None: everybody's, and what is nobody's."""

NOWHERE = "false"


def within(
    sql: Arguments, type_name: str, row: str, patients: Patients, *, writes: bool = False, kept: bool = False
) -> str:
    """Return the condition that a row of a type is within reach of `patients`; empty where each is.

    Shape:  `kept` says that it is a row of `resource_version`, which has no references to go by
    """
    if patients is None:
        return ""
    rule = table()[type_name]
    if rule.whose == "shared":
        return NOWHERE if writes else ""
    if rule.whose == "nobody" or not patients:
        return _unowned(row) if rule.otherwise and not writes else NOWHERE
    own = _owned(sql, row, patients, writes=writes)
    if rule.whose == "via" and not kept:
        return _via(sql, rule, row, own, patients, writes=writes)
    if rule.otherwise and not writes:
        return f"({own} OR {_unowned(row)})"
    return own


def _unowned(row: str) -> str:
    return f"({row}.pid IS NULL AND {row}.owners IS NULL AND {row}.version > 0)"


def _owned(sql: Arguments, row: str, patients: tuple[int, ...], *, writes: bool) -> str:
    """Return the condition that a row's own columns name one of `patients` (for `writes`: nobody else)."""
    listed = sql.bigs(patients)
    one = f"{row}.pid = ANY({listed})"
    several = f"{row}.owners {'<@' if writes else '&&'} {listed}"
    return f"(CASE WHEN {row}.owners IS NULL THEN {one} ELSE {several} END)"


def _via(
    sql: Arguments, rule: Belongs, row: str, own: str, patients: tuple[int, ...], *, writes: bool
) -> str:
    """Return the condition that a row is `patients`' by what it refers to, or by what shows it."""
    of_target = _owned(sql, "vt", patients, writes=writes)
    params = "" if "*" in rule.params else f" AND ve.param IN ({_numbers(rule)})"
    to = f"edge ve JOIN resource vt ON vt.rid = ve.dst WHERE ve.src = {row}.rid{params}"
    told = "(vt.pid IS NOT NULL OR vt.owners IS NOT NULL)"
    ways = [own, f"EXISTS (SELECT FROM {to} AND {told} AND {of_target})"]
    if rule.shown_by:
        of_source = _owned(sql, "vs", patients, writes=writes)
        types = ", ".join(str(type_number(name)) for name in rule.shown_by)
        shown = (
            f"edge vb JOIN resource vs ON vs.rid = vb.src WHERE vb.dst = {row}.rid AND vs.type IN ({types})"
        )
        ways.append(f"EXISTS (SELECT FROM {shown} AND vs.tail IS NOT NULL AND {of_source})")
    any_way = f"({' OR '.join(ways)})"
    if not writes:
        return any_way
    others = f"NOT EXISTS (SELECT FROM {to} AND (NOT {told} OR NOT {of_target}))"
    return f"({any_way} AND {others})"


@cache
def _listed(type_name: str) -> str:
    return ", ".join(str(param_id(type_name, code)) for code in table()[type_name].params)


def _numbers(rule: Belongs) -> str:
    return _listed(rule.type)


def agreed(rule: Belongs, row: str, where: Callable[[str], str]) -> str:
    """Return the condition that `where` lets those be seen through whom a row belongs; empty for rows of their own.

    Shape:  `where` takes the alias of a row and returns the condition that patients' consents let it be seen
    """
    if rule.whose != "via":
        return ""
    told = "(vt.pid IS NOT NULL OR vt.owners IS NOT NULL)"
    params = "" if "*" in rule.params else f" AND ve.param IN ({_numbers(rule)})"
    to = f"edge ve JOIN resource vt ON vt.rid = ve.dst WHERE ve.src = {row}.rid{params} AND {told}"
    found = [f"NOT EXISTS (SELECT FROM {to} AND NOT ({where('vt')}))"]
    if rule.shown_by:
        types = ", ".join(str(type_number(name)) for name in rule.shown_by)
        shown = (
            f"edge vb JOIN resource vs ON vs.rid = vb.src WHERE vb.dst = {row}.rid AND vs.type IN ({types})"
        )
        shown += " AND vs.tail IS NOT NULL"
        found.append(
            f"(NOT EXISTS (SELECT FROM {shown}) OR EXISTS (SELECT FROM {shown} AND ({where('vs')})))"
        )
    return " AND ".join(found)
