"""Millions of Observations, made inside the database: what `bench.growth` measures on.

Each code has one sample Observation, indexed by the server's own code; the database multiplies its rows, with other
patients, encounters, dates and values. Indexes other than keys are dropped while it does and built again afterwards.

Shape:  500 Observations and 50 Encounters for each patient; the codes of CODES in the proportions of their weights,
        dates from 2005 to 2024, of the retired code until 2006 only
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from rich.progress import track

from fhir_server.search.context import configure
from fhir_server.search.extract import index
from fhir_server.storage.rows import IndexRows, param_id, tail, type_number

PER_PATIENT, PER_ENCOUNTER = 500, 10
CHUNK = 250_000
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
RARE, RETIRED = "99999-1", "99999-2"
SLOTS = 100_000


class Code(NamedTuple):
    """A code with its weight among SLOTS and the span of years of its dates."""

    code: str
    weight: int
    first: int = 2005
    last: int = 2024


def codes() -> list[Code]:
    """Return forty codes: a rare one (1 in 100,000), a retired one (2%), others from 20% down."""
    found = [Code(RARE, 1), Code(RETIRED, 2_000, 2005, 2006)]
    left = SLOTS - 2_001
    for number in range(38):
        weight = left if number == 37 else max(left // 5, 1)
        found.append(Code(f"9000{number // 10}-{number % 10}", weight))
        left -= weight
    return found


def sample(code: str) -> dict[str, Any]:
    """Return an Observation of `code`; `@P`, `@E`, `@D` and `@V` stand where the copies differ."""
    category = "laboratory" if code[-1] in "13579" else "vital-signs"
    return {
        "resourceType": "Observation",
        "id": "sample",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category, "display": category}]}],
        "code": {
            "coding": [{"system": LOINC, "code": code, "display": f"Measurement {code}"}],
            "text": f"Measurement {code}",
        },
        "subject": {"reference": "Patient/@P"},
        "encounter": {"reference": "Encounter/@E"},
        "effectiveDateTime": "@D",
        "issued": "@D",
        "valueQuantity": {"value": "@V", "unit": "mg/dL", "system": UCUM, "code": "mg/dL"},
    }


def indexed(resource: dict[str, Any]) -> IndexRows:
    """Return the index rows of a sample with one patient, encounter, date and value filled in."""
    day = "2010-01-01T00:00:00Z"
    return index(
        resource
        | {
            "subject": {"reference": "Patient/p"},
            "encounter": {"reference": "Encounter/e"},
            "effectiveDateTime": day,
            "issued": day,
            "valueQuantity": resource["valueQuantity"] | {"value": 100},
        }
    )


_TEMPLATES = """
CREATE TEMP TABLE template (
    n int, head text, after_patient text, after_encounter text, after_date text, after_issued text, after_value text,
    tokens bigint[], posts bigint[], present int[], digests bigint[], first bigint, days int,
    unit bigint, code bigint, factor numeric, words tsvector);
CREATE TEMP TABLE slot (slot int PRIMARY KEY, n int);
"""
_DAY = 86_400_000_000
TABLES = ("resource", "posting", "edge", "idx_number", "idx_string", "idx_text")


def fill(conninfo: str, total: int) -> None:
    """Bring the database to `total` Observations, with progress; their patients and encounters first."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute("SET maintenance_work_mem = '1GB'")
        conn.execute("SET work_mem = '256MB'")
        key = conn.execute("SELECT value FROM secret WHERE name = 'token-hash'").fetchone()
        assert key is not None
        configure(token_key=bytes(key[0]))
        _templates(conn)
        have = _count(conn, "Observation")
        dropped = _drop_indexes(conn) if total - have > 1_000_000 else []
        patients = range(have // PER_PATIENT, total // PER_PATIENT)
        _people(conn, patients)
        for start in track(range(have, total, CHUNK), "observations"):
            _observations(conn, start, min(start + CHUNK, total))
        for statement in track(dropped, "indexes"):
            conn.execute(statement)
        for table in track(TABLES, "vacuum"):
            conn.execute(f"VACUUM ANALYZE {table}".encode())


def _count(conn: psycopg.Connection[Any], type_name: str) -> int:
    row = conn.execute(
        "SELECT count(*) FROM resource WHERE type = %s AND live", [type_number(type_name)]
    ).fetchone()
    return int(row[0]) if row else 0


def _drop_indexes(conn: psycopg.Connection[Any]) -> list[bytes]:
    """Drop every index that is no constraint and return the statements that make them again."""
    rows = conn.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = current_schema() AND NOT EXISTS"
        " (SELECT FROM pg_constraint c WHERE c.conname = i.indexname) ORDER BY i.tablename"
    ).fetchall()
    for name, _ in rows:
        conn.execute(f"DROP INDEX {name}".encode())
    return [statement.encode() for _, statement in rows]


def _templates(conn: psycopg.Connection[Any]) -> None:
    conn.execute(_TEMPLATES)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    slots: list[tuple[int, int]] = []
    for n, one in enumerate(codes()):
        resource = sample(one.code)
        rows = indexed(resource)
        parts = _parts(tail(resource).decode())
        number = rows.numbers[0]
        assert number.clo is not None
        first = (datetime(one.first, 1, 1, tzinfo=UTC) - epoch).days * _DAY
        days = (one.last - one.first + 1) * 365
        conn.execute(
            f"INSERT INTO template VALUES ({', '.join(['%s'] * 17)})".encode(),
            [n, *parts, rows.tokens, rows.posts, rows.present, rows.digests(), first, days,
             number.unit, number.code, number.clo / number.lo, rows.text],
        )  # fmt: skip
        slots += [(len(slots) + place, n) for place in range(one.weight)]
    with conn.cursor() as cursor, cursor.copy("COPY slot FROM STDIN") as copy:
        for slot in slots:
            copy.write_row(slot)


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the places where copies differ."""
    for mark in ("@P", "@E", "@D", "@D", '"@V"'):
        before, _, text = text.partition(mark)
        yield before
    yield text


def _people(conn: psycopg.Connection[Any], patients: range) -> None:
    """Write the patients `pat-…` and their encounters `enc-…`, each with few index rows."""
    if patients:
        for statement in (_PATIENTS, _OWN, _ENCOUNTERS):
            conn.execute(sql.SQL(statement).format(**_NAMES, first=patients.start, last=patients.stop - 1))


def _observations(conn: psycopg.Connection[Any], start: int, end: int) -> None:
    """Write Observations number `start` to `end` with all their index rows, in one transaction."""
    with conn.transaction():
        for statement in (_FRESH, *_COPIES):
            conn.execute(sql.SQL(statement).format(**_NAMES, start=start, last=end - 1))


_NAMES: dict[str, Any] = {
    "row": sql.SQL(
        "INSERT INTO resource (rid, type, id, version, updated, live, method, pid, d0, d1, tokens, posts, present,"
        " digests, tail)"
    ),
    "patient": type_number("Patient"),
    "encounter": type_number("Encounter"),
    "observation": type_number("Observation"),
    "family": param_id("Patient", "family"),
    "encounters": param_id("Observation", "encounter"),
    "values": param_id("Observation", "value-quantity"),
    "none": -(2**63) + 1,
    "slots": SLOTS,
    "per_patient": PER_PATIENT,
    "per_encounter": PER_ENCOUNTER,
    "each": PER_PATIENT // PER_ENCOUNTER,
    "day": _DAY,
}

_PATIENTS = """
WITH made AS ({row} SELECT nextval('rid_seq'), {patient}, 'pat-' || n, 1, now(), true, 1, NULL, {none} - 1, {none} - 1,
'{{}}', '{{}}', ARRAY[{family}]::int[], '{{}}',
convert_to('}},"name":[{{"family":"Family' || n || '"}}],"gender":"female"}}', 'UTF8')
FROM generate_series({first}, {last}) n RETURNING rid, id)
INSERT INTO idx_string (rid, param, norm, exact)
SELECT rid, {family}, 'family' || substr(id, 5), 'Family' || substr(id, 5) FROM made"""

_OWN = "UPDATE resource SET pid = rid WHERE type = {patient} AND pid IS NULL"

_ENCOUNTERS = """
{row} SELECT nextval('rid_seq'), {encounter}, 'enc-' || p.n * {each} + e, 1, now(), true, 1, p.rid, {none} - 1,
{none} - 1, '{{}}', '{{}}', '{{}}', '{{}}', convert_to('}},"status":"finished","class":{{"code":"AMB"}},"subject":'
|| '{{"reference":"Patient/' || p.id || '"}}}}', 'UTF8')
FROM (SELECT rid, id, substr(id, 5)::int AS n FROM resource WHERE type = {patient}) p,
generate_series(0, {each} - 1) e WHERE p.n BETWEEN {first} AND {last}"""

_FRESH = """
CREATE TEMP TABLE fresh ON COMMIT DROP AS
SELECT nextval('rid_seq') AS rid, i, p.rid AS pid, p.id AS patient, e.rid AS eid, e.id AS encounter, t.n,
t.first + (h.h2 % t.days) * {day} + (h.h2 / 16384 % 86400) * 1000000 AS d0, 40 + h.h2 % 300 AS value
FROM (SELECT i, i / {per_patient} AS p, i / {per_encounter} AS e, abs(hashint8extended(i, 1) % {slots}) AS h1,
abs(hashint8extended(i, 2) % 1000000007) AS h2 FROM generate_series({start}::bigint, {last}::bigint) i) h
JOIN slot s ON s.slot = h.h1 JOIN template t ON t.n = s.n
JOIN resource p ON p.type = {patient} AND p.id = 'pat-' || h.p
JOIN resource e ON e.type = {encounter} AND e.id = 'enc-' || h.e"""

_COPIES = (
    """
{row} SELECT f.rid, {observation}, 'obs-' || f.i, 1, now() + f.i * interval '1 microsecond', true, 1, f.pid, f.d0,
f.d0 + 999999, t.tokens, t.posts, t.present, t.digests, convert_to(concat(t.head, f.patient, t.after_patient,
f.encounter, t.after_encounter, w.moment, t.after_date, w.moment, t.after_issued, f.value, t.after_value), 'UTF8')
FROM fresh f JOIN template t USING (n), LATERAL (SELECT to_char(timestamptz 'epoch' + f.d0 * interval '1 microsecond',
'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS moment) w""",
    """
INSERT INTO posting (h, pid, d0, rid)
SELECT h, f.pid, f.d0, f.rid FROM fresh f JOIN template t USING (n), unnest(t.posts) h""",
    "INSERT INTO edge (src, param, dst) SELECT rid, {encounters}, eid FROM fresh",
    """
INSERT INTO idx_number (rid, param, lo, hi, unit, clo, chi, code) SELECT f.rid, {values}, f.value, f.value, t.unit,
f.value * t.factor, f.value * t.factor, t.code FROM fresh f JOIN template t USING (n)""",
    """
INSERT INTO idx_text (rid, words)
SELECT f.rid, t.words FROM fresh f JOIN template t USING (n) WHERE length(t.words) > 0""",
)


def timed_fill(conninfo: str, total: int) -> float:
    """Return the seconds that `fill` took."""
    started = time.perf_counter()
    fill(conninfo, total)
    return time.perf_counter() - started
