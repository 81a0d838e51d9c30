"""`$erase` of a Patient: the right to be forgotten, carried out, with a certificate of what is gone and what is not.

Source: Regulation (EU) 2016/679, Article 17 (erasure) with 17(3) (what may stay) and 19 (telling recipients);
        http://hl7.org/fhir/R4/provenance.html for the record within the certificate
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from fhir_server.access import current
from fhir_server.access.grant import Grant
from fhir_server.auth.erasing import erased as apps_ended
from fhir_server.changes.ids import new_id
from fhir_server.crypto.providers import KeyTroubleError
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.routing import route
from fhir_server.storage import epochs, erasing, jobs
from fhir_server.storage.rows import instant, type_number
from fhir_server.storage.store import Store
from fhir_server.version import CANONICAL
from resources.codec.json import dump_json
from resources.outcome import FhirError

NAME = "$erase"
MAY = "operator"
LONGEST = 1_000
SETTLED_S = 1.2
"""Seconds after which every process knows that keys have changed; see `crypto.ring.FRESH_S`."""

WAITS = 100

Json = dict[str, Any]


class Erased(msgspec.Struct):
    """What an erasure did."""

    id: str
    subject: int
    removed: dict[str, int]
    keys: int
    kept: int
    delivered: list[tuple[Any, ...]]
    sealed: bool


async def erase(session: Session, request: Request) -> Result:
    """Return the certificate of an erasure.

    Errors: 403 without the elevation that it takes, 404, 400 without a reason
    """
    grant = current.policy().grant
    _require(grant)
    call = read_call(request, NAME, {"reason"})
    reason = (call.text("reason") or "").strip()
    if not reason or len(reason) > LONGEST:
        raise FhirError(400, "required", f"{NAME} needs a 'reason' of up to {LONGEST:,} characters", "reason")
    id_ = route(request.method, request.path).id or ""
    done = await carried_out(session.store, id_, grant.user or grant.subject, reason)
    if done is None:
        raise FhirError(404, "not-found", f"Patient/{id_} is not known here")
    body = dump_json(certificate(done, f"Patient/{id_}", grant, reason))
    async with session.store.pool.connection() as conn:
        await conn.execute("UPDATE erasure SET certificate = %s WHERE id = %s", (body, done.id))
    return Result(200, body, kind="parameters")


def _require(grant: Grant) -> None:
    if not grant.unbounded and not (MAY in grant.roles and MAY in grant.elevations):
        text = f"{NAME} takes the role of an operator, elevated for it"
        raise FhirError(403, "forbidden", text)


async def carried_out(store: Store, id_: str, by_whom: str, reason: str) -> Erased | None:
    """Erase a Patient and return what was done; None where there is none, not even one erased by half."""
    async with store.pool.connection() as conn:
        found = await _begun(conn, store, id_, by_whom, reason)
        if found is None:
            return None
        number, subject = found
        recipients, kept = await erasing.delivered(conn, subject), await erasing.audited(conn, subject)
    keys, sealed = await _keys(store, subject)
    removed: dict[str, int] = {}
    for again in (False, True):  # a writer may have been under way the first time
        if again:
            await _others_ended(store)
        async with store.transaction() as conn:
            counts, rids = await erasing.rows(conn, subject)
            if accounts := await erasing.account(conn, f"Patient/{id_}"):
                counts["account"] = accounts
            if apps := await apps_ended(conn, f"Patient/{id_}"):
                counts["app access"] = apps
            removed = {name: removed.get(name, 0) + counts.get(name, 0) for name in {*removed, *counts}}
            await conn.execute(
                "UPDATE erasure SET removed = removed || %s, rids = rids || %s::bigint[] WHERE id = %s",
                (Jsonb(removed), rids, number),
            )
            await epochs.begin_anew(conn)
        store.forget()
        if sealed and store.sealer is not None:
            await store.sealer.ring.store.advance()
    async with store.pool.connection() as conn:
        await conn.execute(
            "UPDATE erasure SET state = 'done', finished = clock_timestamp() WHERE id = %s", (number,)
        )
    return Erased(number, subject, removed, keys, kept, recipients, sealed)


async def _others_ended(store: Store) -> None:
    """Return once nobody writes any more who may have begun before keys and rows were gone."""
    await asyncio.sleep(SETTLED_S)
    moment = datetime.now(UTC)
    for _ in range(WAITS):
        async with store.pool.connection() as conn:
            if not await jobs.others_since(conn, moment):
                return
        await asyncio.sleep(0.1)


async def _begun(
    conn: AsyncConnection[Any], store: Store, id_: str, by_whom: str, reason: str
) -> tuple[str, int] | None:
    """Return the number of a new or half-done erasure and of the row that it is about."""
    name = digest(store, id_)
    cursor = await conn.execute(
        "SELECT id, subject FROM erasure WHERE digest = %s AND state = 'running'", (name,)
    )
    if (open_ := await cursor.fetchone()) is not None:
        return str(open_[0]), int(open_[1])
    cursor = await conn.execute(
        "SELECT rid FROM resource WHERE type = %s AND id = %s", (type_number("Patient"), id_)
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    number = new_id()
    await conn.execute(
        "INSERT INTO erasure (id, subject, by_whom, reason, digest) VALUES (%s, %s, %s, %s, %s)",
        (number, row[0], by_whom, reason, name),
    )
    return number, int(row[0])


def digest(store: Store, id_: str) -> bytes:
    """Return the keyed hash by which an erasure is found again, since it keeps no name."""
    return hmac.digest(store.keys["token-hash"], f"erasure/Patient/{id_}".encode(), hashlib.sha256)


async def _keys(store: Store, subject: int) -> tuple[int, bool]:
    """Destroy a person's keys; return how many there were, and whether there is a key store at all."""
    if store.sealer is None:
        return 0, False
    try:
        gone = await store.sealer.ring.store.destroy(subject)
        store.sealer.ring.forget()
    except KeyTroubleError as error:
        if not store.sealer.ring.sealing:
            return 0, False
        raise FhirError(503, "transient", "The key store does not answer; nothing was erased") from error
    return gone, True


_INDEX = (
    "Index columns in clear (strings, dates, numbers, words of texts, hashes), in backups made before: they end with "
    "the keys of those backups, which expire (see docs/how-to/backup.md)"
)
_PLAIN = "Content, which was stored without encryption, in backups made before: it ends with the keys of those backups"
_LOG = "Write-ahead log of the database, until it is recycled; copies of it, until they expire"
_AUDIT = (
    "Entries of the audit trail: who did what to which resource, by its id, with the text of searches and without any "
    "content. They are chained and signed, and kept as long as the audit trail's retention says (45 CFR "
    "164.316(b)(2)(i); Regulation (EU) 2016/679, Article 17(3)(b))"
)


def certificate(done: Erased, name: str, grant: Grant, reason: str) -> Json:
    """Return the Parameters that say what was removed, what ends only later, and who was given data before."""
    now = instant(datetime.now(UTC))
    told: list[Json] = [
        {"name": "erasure", "valueId": done.id},
        {"name": "subject", "valueString": name},
        {"name": "finished", "valueInstant": now},
        {"name": "keysDestroyed", "valueInteger": done.keys},
        *(
            {
                "name": "removed",
                "part": [{"name": "what", "valueString": what}, {"name": "count", "valueInteger": count}],
            }
            for what, count in sorted(done.removed.items())
        ),
        *(
            {"name": "endsLater", "valueString": text}
            for text in (*([] if done.sealed else [_PLAIN]), _INDEX, _LOG)
        ),
        {
            "name": "kept",
            "part": [{"name": "what", "valueString": _AUDIT}, {"name": "count", "valueInteger": done.kept}],
        },
        *(_delivery(one) for one in done.delivered),
        {"name": "record", "resource": _provenance(done, grant, reason, now)},
    ]
    return {"resourceType": "Parameters", "id": done.id, "parameter": told}


def _delivery(one: tuple[Any, ...]) -> Json:
    agent, kind, interaction, count, first, last = one
    return {
        "name": "delivered",
        "part": [
            {"name": "to", "valueString": agent or "unknown"},
            {"name": "how", "valueString": f"{kind} {interaction}".strip()},
            {"name": "count", "valueInteger": count},
            {"name": "first", "valueInstant": instant(first)},
            {"name": "last", "valueInstant": instant(last)},
        ],
    }


def _provenance(done: Erased, grant: Grant, reason: str, now: str) -> Json:
    return {
        "resourceType": "Provenance",
        "target": [{"display": f"The record of one person, erased as {done.id}"}],
        "recorded": now,
        "reason": [{"text": reason}],
        "activity": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
                    "code": "destroy",
                    "display": "Destroy/Delete Record Lifecycle Event",
                }
            ]
        },
        "agent": [{"who": {"reference": grant.user} if grant.user else {"display": grant.subject}}],
    }


register(
    Operation(
        NAME,
        erase,
        f"{CANONICAL}/OperationDefinition/erase",
        frozenset({"instance"}),
        frozenset({"Patient"}),
        affects_state=True,
    )
)

describe(
    NAME,
    "Erases a person: the Patient, whatever is about nobody else, with history and index, and the keys of its content,"
    " so that copies in backups cannot be read. What is also about others stays for them. Takes an elevated operator.",
    (
        Parameter("reason", "in", 1, "1", "string", "Why, for the record"),
        Parameter("erasure", "out", 1, "1", "id", "Its number, for `healthbuddy erase verify`"),
        Parameter("removed", "out", 0, "*", "Element", "What was removed (`what`, `count`)"),
        Parameter("keysDestroyed", "out", 1, "1", "integer", "Keys that are gone"),
        Parameter("endsLater", "out", 0, "*", "string", "What ends only with backups or logs"),
        Parameter("kept", "out", 0, "*", "Element", "What the law keeps (`what`, `count`)"),
        Parameter("delivered", "out", 0, "*", "Element", "Who was given data before, by the audit trail"),
        Parameter("record", "out", 1, "1", "Provenance", "The act itself"),
    ),
)
