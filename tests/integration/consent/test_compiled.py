"""What is compiled says what the plain evaluator says: as SQL, on versions, and of rows by themselves.

Source: docs/explanation/consent.md
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.access.arguments import LITERALS
from fhir_server.consent.compiled import Codes, Held, compiled
from fhir_server.consent.evaluate import evaluate, permitted
from fhir_server.consent.facts import Asking, Facts
from fhir_server.consent.labels import implied, number_of
from fhir_server.consent.moments import span
from fhir_server.consent.parsing import directive
from fhir_server.storage.rows import Row, type_number
from tests.unit.consent.make import (
    ACT,
    ACTION,
    CONFIDENTIALITY,
    REASON,
    TYPES,
    actor,
    coding,
    concept,
    consent,
)

Json = dict[str, Any]

NOW = span("2026-06-01")[0] / 1_000_000
PATIENTS = {"Patient/ann": 1, "Patient/bob": 2, "Patient/cid": 3}
ENCOUNTER = 50
EDGES = [(ENCOUNTER, 12), (11, ENCOUNTER), (13, ENCOUNTER)]
"""The encounter refers to 12; 11 and 13 refer to it."""
RIDS = {"Encounter/e": ENCOUNTER, "Observation/11": 11, "Patient/ann": 1}


@pytest.fixture(autouse=True)
def hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash codes by their last letter, half of them as postings."""

    def hashed(_system: str, code: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        number = ord(code[-1])
        return ((number,), ()) if number % 2 else ((), (number,))

    monkeypatch.setattr(Codes, "hashes", staticmethod(hashed))


@pytest.fixture(scope="module")
def conn(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to a database with the edges above and one row that is an encounter of Ann."""
    with psycopg.connect(database_url, autocommit=True) as opened:
        opened.execute(
            "INSERT INTO resource (rid, type, id, version, live, pid) VALUES (%s, %s, 'e', 1, true, 1)",
            (ENCOUNTER, type_number("Encounter")),
        )
        for src, dst in EDGES:
            opened.execute("INSERT INTO edge (src, param, dst) VALUES (%s, 7, %s)", (src, dst))
        yield opened


class Case(msgspec.Struct):
    """A resource, as facts and as a row."""

    facts: Facts
    row: Row
    d0: int
    d1: int
    tokens: list[int]
    posts: list[int]


LABELS = [(CONFIDENTIALITY, "L"), (CONFIDENTIALITY, "N"), (CONFIDENTIALITY, "R"), (CONFIDENTIALITY, "V")]
LABELS += [(ACT, "PSY"), (ACT, "HIV"), (ACT, "ETHUD"), ("http://example.org", "mine")]
DAYS = ["2026-01", "2026-02-10", "2026-03", "2026"]


def case(rng: random.Random, rid: int) -> Case:
    """Return any resource."""
    kind = rng.choice(["Observation", "Condition", "Encounter"]) if rid != ENCOUNTER else "Encounter"
    reference = {ENCOUNTER: "Encounter/e", 11: "Observation/11"}.get(rid, f"{kind}/{rid}")
    kind = reference.partition("/")[0]
    patients = rng.choice([[], ["ann"], ["ann"], ["bob"], ["cid"], ["ann", "bob"], ["bob", "cid"]])
    patients = ["ann"] if rid == ENCOUNTER else patients
    names = tuple(f"Patient/{name}" for name in patients)
    numbers: set[int] = set()
    for one in rng.sample(LABELS[4:], rng.choice([0, 0, 1, 2])) + rng.sample(LABELS[:4], rng.choice([0, 1])):
        numbers |= implied(number_of(*one))
    lo, hi = span(rng.choice(DAYS)) if rng.random() < 0.8 else (-(2**63), -(2**63))
    code = rng.choice("abcd")
    mentioned = {"Encounter/e"} if (ENCOUNTER, rid) in EDGES else set()
    refers = {*names, *({"Encounter/e"} if (rid, ENCOUNTER) in EDGES else ())}
    codes = frozenset({f"http://loinc.org|{code}"})
    facts = Facts(
        reference, kind, names, frozenset(numbers), lo, hi, codes, frozenset(refers), frozenset(mentioned)
    )
    rids = [PATIENTS[name] for name in names]
    owners = rids if len(rids) > 1 else None
    pid = rids[0] if len(rids) == 1 else None
    now = datetime(2026, 1, 1, tzinfo=UTC)
    row = Row(rid, type_number(kind), str(rid), 1, now, True, 1, b"}", pid, owners, sorted(numbers) or None)
    tokens, posts = ([ord(code)], []) if ord(code) % 2 else ([], [ord(code)])
    return Case(facts, row, lo, hi, tokens, posts)


def provision(rng: random.Random, depth: int = 0) -> Json:
    """Return any provision."""
    found: Json = {"type": rng.choice(["permit", "deny"])}
    if depth == 0 and rng.random() < 0.15:
        del found["type"]
    choices: Mapping[str, Json] = {
        "actor": {"actor": [actor(rng.choice(["Practitioner/x", "Practitioner/y", "Organization/o"]))]},
        "custodian": {"actor": [actor("Organization/o", "CST")]},
        "purpose": {"purpose": [coding(REASON, rng.choice(["TREAT", "HRESCH", "ETREAT", "HOPERAT"]))]},
        "action": {"action": [concept(ACTION, rng.choice(["access", "collect", "use"]))]},
        "class": {"class": [coding(TYPES, rng.choice(["Observation", "Condition"]))]},
        "code": {"code": [concept("http://loinc.org", rng.choice("abcd"))]},
        "text": {"code": [{"text": "?"}]},
        "label": {"securityLabel": [coding(*rng.choice(LABELS))]},
        "dataPeriod": {"dataPeriod": {"start": "2026-01-15", "end": rng.choice(["2026-02-28", "2026-04"])}},
        "data": {"data": [data(rng)]},
        "period": {"period": {rng.choice(["start", "end"]): rng.choice(["2026-03", "2026-07"])}},
    }
    weights = [4, 1, 3, 2, 4, 3, 1, 6, 3, 3, 2]
    for name in rng.choices(list(choices), weights, k=rng.choice([0, 1, 1, 2])):
        found |= choices[name]
    if depth < 2 and rng.random() < 0.4:
        found["provision"] = [provision(rng, depth + 1) for _ in range(rng.choice([1, 2]))]
    return found


def data(rng: random.Random) -> Json:
    """Return any data."""
    reference = rng.choice(["Encounter/e", "Observation/11", "Patient/ann", "Observation/none"])
    if reference in ("Observation/11", "Observation/none"):
        return {"meaning": "instance", "reference": {"reference": reference}}
    meaning = (
        "dependents" if reference == "Patient/ann" else rng.choice(["instance", "related", "dependents"])
    )
    return {"meaning": meaning, "reference": {"reference": reference}}


def situation(seed: int) -> tuple[Asking, list[Held], list[Case]]:
    """Return any caller, consents and resources."""
    rng = random.Random(seed)
    asking = Asking(
        frozenset(rng.choice([("Practitioner/x", "Organization/o"), ("Practitioner/y",), ()])),
        rng.choice(["TREAT", "TREAT", "HRESCH", "HOPERAT", ""]),
        rng.choice(["read", "read", "read", "write"]),
        NOW,
        frozenset(rng.choice([(), (), ("Patient/ann",)])),
        frozenset(rng.choice([(), (), ("Patient/bob",)])),
        frozenset(rng.choice([(), (), ("Patient/cid",)])),
        rng.choice(["opt-in", "opt-out"]),
    )
    held = []
    for number in range(rng.choice([1, 2, 3, 4])):
        patient = rng.choice(list(PATIENTS))
        base = rng.choice(["", "", "OPTIN", "OPTOUT"])
        whole = provision(rng) if rng.random() < 0.9 else None
        one = consent(whole, base=base, id_=f"c{number}", patient=patient)
        one |= {"dateTime": rng.choice(["2026-01-01", "2026-02-01", "2026-03-01"])}
        found = directive(one)
        assert found is not None
        held.append(Held(found, PATIENTS[patient], RIDS))
    return asking, held, [case(rng, rid) for rid in (10, 11, 12, 13, ENCOUNTER)]


def _row(one: Case) -> str:
    row = one.row

    def array(values: list[int] | None, kind: str) -> str:
        return f"NULL::{kind}[]" if values is None else f"'{{{','.join(map(str, values))}}}'::{kind}[]"

    pid = "NULL" if row.pid is None else str(row.pid)
    columns = [f"{row.rid}::bigint", f"{row.type}", f"{pid}::bigint", array(row.owners, "bigint")]
    columns += [array(row.labels, "integer"), LITERALS.big(one.d0), LITERALS.big(one.d1)]
    columns += [
        array(one.tokens, "bigint"),
        array(one.posts, "bigint"),
        "'x'::bytea" if row.tail else "NULL::bytea",
    ]
    return f"({', '.join(columns)})"


def _selected(conn: psycopg.Connection[Any], cases: list[Case], where: str) -> set[int]:
    rows = ", ".join(map(_row, cases))
    columns = "rid, type, pid, owners, labels, d0, d1, tokens, posts, tail"
    found = conn.execute(f"SELECT r.rid FROM (VALUES {rows}) r({columns}) WHERE {where or 'true'}".encode())
    return {rid for (rid,) in found}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9))
def test_compiled_says_what_the_plain_evaluator_says(conn: psycopg.Connection[Any], seed: int) -> None:
    asking, held, cases = situation(seed)
    made = compiled(asking, held, PATIENTS)
    directives = [one.directive for one in held]
    expected = {c.row.rid for c in cases if permitted(evaluate(asking, directives, c.facts))}
    assert _selected(conn, cases, made.where(LITERALS, "r")) == expected
    assert _selected(conn, cases, made.where(LITERALS, "r", True)) <= expected
    for one in cases:
        assert made.permits(one.row) in (None, one.row.rid in expected)
    for one in cases:
        one.row.tail = None
    gone = _selected(conn, cases, made.where(LITERALS, "r"))
    assert gone <= expected
    assert all(made.permits(one.row) in (None, one.row.rid in gone) for one in cases)
    if made.everything:
        assert expected == {one.row.rid for one in cases}


def test_the_situations_are_of_all_kinds() -> None:
    seen = [0, 0]
    for seed in range(300):
        asking, held, cases = situation(seed)
        for one in cases:
            seen[permitted(evaluate(asking, [each.directive for each in held], one.facts))] += 1
    assert min(seen) > 300


def test_patients_whose_consents_say_the_same_share_one_condition() -> None:
    asking = Asking(frozenset({"Practitioner/x"}), "TREAT", now=NOW)
    held = []
    for patient, pid in PATIENTS.items():
        found = directive(consent({"type": "deny", "class": [coding(TYPES, "Observation")]}, patient=patient))
        assert found is not None
        held.append(Held(found, pid))
    assert [one.pids for one in compiled(asking, held, PATIENTS).groups] == [(1, 2, 3)]


def test_consents_that_do_not_concern_the_caller_cost_nothing() -> None:
    asking = Asking(frozenset({"Practitioner/x"}), "TREAT", now=NOW)
    found = directive(consent({"type": "deny", "actor": [actor("Practitioner/y")]}))
    assert found is not None
    made = compiled(asking, [Held(found, 1)], PATIENTS)
    assert made.everything
    assert made.where(LITERALS, "r") == ""


def test_it_is_good_until_the_next_period_begins_or_ends() -> None:
    asking = Asking(frozenset({"Practitioner/x"}), "TREAT", now=NOW)
    found = directive(consent({"type": "deny", "period": {"start": "2026-06-02", "end": "2026-06-30"}}))
    assert found is not None
    assert compiled(asking, [Held(found, 1)], PATIENTS).until == span("2026-06-02")[0] / 1_000_000


def test_a_code_is_closed_until_search_has_said_how_codes_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Codes, "hashes", None)
    asking = Asking(frozenset({"Practitioner/x"}), "TREAT", now=NOW)
    found = directive(consent({"type": "deny", "code": [concept("http://loinc.org", "a")]}))
    assert found is not None
    assert compiled(asking, [Held(found, 1)], PATIENTS).groups[0].denied is True
