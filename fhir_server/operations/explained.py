"""The steps of `$explain-access`: whose a resource is, what consents say of it, and what is left to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access.belongs import table
from fhir_server.access.grant import Grant
from fhir_server.consent.evaluate import Step, Verdict, evaluate
from fhir_server.consent.facts import Facts, facts
from fhir_server.consent.stored import Book, of_patients
from fhir_server.storage.binary import Int8s
from fhir_server.storage.rows import Row, type_name
from resources.codec.json import parse_json

Json = dict[str, Any]

_NAMES = "SELECT rid, type, id FROM resource WHERE rid = ANY(%s)"
_DATES = "SELECT d0, d1 FROM resource WHERE rid = %s"
_MENTIONED = "SELECT DISTINCT r.rid FROM edge e JOIN resource r ON r.rid = e.src WHERE e.dst = %s LIMIT 1000"
_REFERS = "SELECT DISTINCT e.dst FROM edge e WHERE e.src = %s LIMIT 1000"


def part(kind: str, result: str, text: str, **more: str) -> Json:
    """Return one step."""
    said = [{"name": "kind", "valueCode": kind}, {"name": "result", "valueCode": result}]
    said += [{"name": "text", "valueString": text}]
    said += [{"name": name, "valueString": value} for name, value in more.items() if value]
    return {"name": "step", "part": said}


async def ownership(conn: AsyncConnection[Any], row: Row) -> Json:
    """Return the step that says whose a resource is, and by which row of belongs.json."""
    rule = table()[row.type_name]
    names = await _named(conn, patients(row))
    whose = ", ".join(names.values()) or "nobody"
    return part("ownership", "info", f"It is {whose}'s; {row.type_name}: {rule.whose}. {rule.reason}")


def patients(row: Row) -> list[int]:
    """Return the row numbers of the patients that a row is about by its own words."""
    return list(row.owners) if row.owners is not None else [] if row.pid is None else [row.pid]


async def consented(
    conn: AsyncConnection[Any], default: str, grant: Grant, row: Row, told: frozenset[int] | None
) -> list[Json]:
    """Return the steps that consents are.

    Shape:  `told` are the patients of whom rules may be told, None: of all; of others only the result
    """
    pids = patients(row)
    held = await of_patients(conn, pids)
    asking = await Book(default).asking(conn, grant)
    verdicts = evaluate(asking, [one.directive for one in held], await _facts(conn, row, pids))
    steps: list[Json] = []
    for pid, verdict in zip(pids, verdicts, strict=True):
        if told is not None and pid not in told:
            steps.append(_result(verdict, "another patient"))
        else:
            steps += [*(_step(one) for one in verdict.steps), _result(verdict, verdict.patient)]
    return steps


async def _facts(conn: AsyncConnection[Any], row: Row, pids: Sequence[int]) -> Facts:
    """Return what a consent can ask of a row as it is stored."""
    names = await _named(conn, pids)
    d0, d1 = (await (await conn.execute(_DATES, (row.rid,))).fetchone()) or (0, 0)
    found = facts(parse_json(row.json()), [names[pid] for pid in pids], d0, d1)
    pointing = [rid for (rid,) in await (await conn.execute(_MENTIONED, (row.rid,))).fetchall()]
    pointed = [rid for (rid,) in await (await conn.execute(_REFERS, (row.rid,))).fetchall()]
    others = await _named(conn, [*pointing, *pointed])
    return Facts(
        found.reference,
        found.type,
        found.patients,
        found.labels,
        d0,
        d1,
        found.codes,
        frozenset({*(others[rid] for rid in pointed), *found.patients}),
        frozenset(others[rid] for rid in pointing),
    )


async def _named(conn: AsyncConnection[Any], wanted: Iterable[int]) -> dict[int, str]:
    """Return 'Type/id' of row numbers."""
    found = await (await conn.execute(_NAMES, (Int8s(sorted(set(wanted))),))).fetchall()
    return {rid: f"{type_name(type_)}/{id_}" for rid, type_, id_ in found}


def _step(one: Step) -> Json:
    rule = one.rule
    unknown = "is taken to apply" if rule.effect == "deny" else "is not used"
    said = {True: "applies", False: "does not apply", None: unknown}
    text = f"This {rule.effect} {said[one.applies]}{f': {one.why}' if one.why else ''}"
    if one.beaten_by is not None:
        text += f"; {one.beaten_by.consent} {one.beaten_by.path} is an exception to it"
    held = one.applies is True or (one.applies is None and rule.effect == "deny")
    result = rule.effect if held and one.beaten_by is None else "none"
    return part("consent", result, text, consent=rule.consent, path=rule.path)


def _result(verdict: Verdict, patient: str) -> Json:
    because = {
        "own": "it is their own record",
        "default": "no rule of theirs applies, and this is what holds then",
        "rule": "of the rules above",
    }[verdict.by]
    does = "let it be seen" if verdict.permitted else "do not let it be seen"
    text = f"The consents of {patient} {does}: {because}"
    more = {"consent": verdict.rule.consent, "path": verdict.rule.path} if verdict.rule is not None else {}
    more = more if patient == verdict.patient else {}
    return part("consents", "permit" if verdict.permitted else "deny", text, **more)


def fallen(permitted: bool, steps: Sequence[Json]) -> list[Json]:
    """Return the step for what no other says: the role does not reach so far, or it is decided through others."""
    denied = any({"name": "result", "valueCode": "deny"} in one["part"] and _decides(one) for one in steps)
    if permitted or denied:
        return []
    text = (
        "It is beyond the reach of the caller: of no patient whom the role or the context reaches, or held back by"
        " those through whom it belongs"
    )
    return [part("reach", "deny", text)]


def _decides(step: Json) -> bool:
    return step["part"][0]["valueCode"] in ("scope", "consents")
