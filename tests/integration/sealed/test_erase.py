"""`$erase`: nothing of the person is left that can be read, others keep what is about them, and it is certified.

Source: Regulation (EU) 2016/679, Article 17
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from fhir_server import keys
from fhir_server.crypto import envelope
from fhir_server.crypto.envelope import SealError
from fhir_server.settings import Settings
from fhir_server.storage import erasing
from tests.integration.sealed.conftest import Sealed
from tests.integration.web import client, patient

MARK = "Quagmirella"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for changed keys before every write."""
    monkeypatch.setattr("fhir_server.crypto.ring.FRESH_S", 0.0)
    monkeypatch.setattr("fhir_server.operations.erase.SETTLED_S", 0.01)


async def put(web: httpx.AsyncClient, resource: dict[str, Any]) -> None:
    answer = await web.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.is_success, answer.text


async def erased(web: httpx.AsyncClient, id_: str) -> dict[str, Any]:
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "reason", "valueString": "asked for by the person"}],
    }
    answer = await web.post(f"Patient/{id_}/$erase", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def values(certificate: dict[str, Any], name: str) -> list[Any]:
    return [
        next((v for k, v in one.items() if k.startswith("value")), one.get("part") or one.get("resource"))
        for one in certificate["parameter"]
        if one["name"] == name
    ]


def removed(certificate: dict[str, Any]) -> dict[str, int]:
    return {part[0]["valueString"]: part[1]["valueInteger"] for part in values(certificate, "removed")}


async def record(web: httpx.AsyncClient, id_: str, other: str) -> None:
    """Store a person with history, an Observation, its Provenance, a Binary, and an Appointment with somebody else."""
    await put(web, patient(id=id_, name=[{"family": MARK}]))
    await put(web, patient(id=id_, name=[{"family": MARK}], birthDate="1950-01-01"))
    await put(web, patient(id=other, name=[{"family": "Stays"}]))
    coded = {"text": f"{MARK} finding"}
    await put(
        web,
        {
            "resourceType": "Observation",
            "id": f"{id_}-o",
            "status": "final",
            "code": coded,
            "subject": {"reference": f"Patient/{id_}"},
            "valueQuantity": {"value": 7},
        },
    )
    await put(
        web, {"resourceType": "Binary", "id": f"{id_}-b", "contentType": "text/plain", "data": "SGVsbG8="}
    )
    await put(
        web,
        {
            "resourceType": "DocumentReference",
            "id": f"{id_}-d",
            "status": "current",
            "subject": {"reference": f"Patient/{id_}"},
            "content": [{"attachment": {"url": f"Binary/{id_}-b"}}],
        },
    )
    await put(
        web,
        {
            "resourceType": "Provenance",
            "id": f"{id_}-p",
            "recorded": "2024-01-01T00:00:00Z",
            "target": [{"reference": f"Observation/{id_}-o"}],
            "agent": [{"who": {"display": "x"}}],
        },
    )
    there = [{"actor": {"reference": f"Patient/{one}"}, "status": "accepted"} for one in (id_, other)]
    await put(
        web, {"resourceType": "Appointment", "id": f"{id_}-a", "status": "booked", "participant": there}
    )


async def test_everything_about_the_person_alone_is_gone_and_what_is_shared_stays_for_the_other(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    await record(web, "e1", "s1")
    await put(
        web,
        {
            "resourceType": "Observation",
            "id": "s1-o",
            "status": "final",
            "code": {"text": "other"},
            "subject": {"reference": "Patient/s1"},
        },
    )
    with psycopg.connect(database_url) as conn:
        ((subject,),) = conn.execute("SELECT rid FROM resource WHERE id = 'e1'").fetchall()
        dump = conn.execute(
            "SELECT type, id, version, tail FROM resource WHERE pid = %s OR rid = %s", (subject, subject)
        ).fetchall()
    told = await erased(web, "e1")
    counts = removed(told)
    assert {"Patient", "Observation", "Binary", "DocumentReference", "Provenance"} <= counts.keys()
    assert counts["versions"] == 1 and counts["shared"] == 1 and counts["label"] >= 1
    assert values(told, "keysDestroyed") == [3]
    for gone in (
        "Patient/e1",
        "Observation/e1-o",
        "Binary/e1-b",
        "DocumentReference/e1-d",
        "Provenance/e1-p",
        "Patient/e1/_history/1",
    ):
        assert (await web.get(gone)).status_code == 404, gone
    kept = await web.get("Appointment/e1-a")
    assert kept.status_code == 200
    assert (await web.get("Patient/s1")).json()["name"] == [{"family": "Stays"}]
    assert (await web.get("Appointment?patient=Patient/s1")).json()["total"] == 1
    assert (await web.get("Appointment?patient=Patient/e1")).json()["total"] == 0
    assert (await web.get(f"Patient?name={MARK}")).json()["total"] == 0
    with psycopg.connect(database_url) as conn:
        assert not conn.execute(
            "SELECT 1 FROM label WHERE norm LIKE %s", (f"%{MARK.casefold()}%",)
        ).fetchall()
        ((rids,),) = conn.execute("SELECT rids FROM erasure WHERE id = %s", (told["id"],)).fetchall()
        ((tail,),) = conn.execute("SELECT tail FROM resource WHERE id = 'e1-a'").fetchall()
        assert subject in rids and subject not in envelope.owners_of(envelope.parts(bytes(tail)))
        whole = "".join(
            str(row)
            for table in ("resource", "idx_string", "idx_text", "label", "erasure")
            for row in conn.execute(f"SELECT t::text FROM {table} t").fetchall()
        )
        assert MARK.casefold() not in whole.casefold()
    ring = keys.ring(Settings(database_url=database_url, **sealed))
    try:
        await ring.load()
        for kind, id_, version, content in dump:
            parts = envelope.parts(bytes(content))
            if subject in envelope.owners_of(parts):
                await ring.fetch([parts])
                with pytest.raises(SealError, match="No key"):
                    ring.opened(parts, envelope.bound(kind, id_, version))
    finally:
        await ring.store.close()


async def test_nothing_is_left_by_the_check_that_verifies(web: httpx.AsyncClient, database_url: str) -> None:
    await record(web, "e2", "s2")
    told = await erased(web, "e2")
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        row = await (
            await conn.execute("SELECT subject, rids FROM erasure WHERE id = %s", (told["id"],))
        ).fetchone()
        assert row is not None
        assert await erasing.left(conn, row[0], row[1]) == {}


async def test_the_certificate_says_what_ends_later_and_what_the_law_keeps(web: httpx.AsyncClient) -> None:
    await record(web, "e3", "s3")
    told = await erased(web, "e3")
    assert any("backups" in text for text in values(told, "endsLater"))
    assert values(told, "kept")[0][0]["valueString"].startswith("Entries of the audit trail")
    (provenance,) = values(told, "record")
    assert provenance["activity"]["coding"][0]["code"] == "destroy"
    assert MARK not in str(told)


async def test_a_reason_is_asked_for_and_an_unknown_person_is_not_found(web: httpx.AsyncClient) -> None:
    assert (await web.post("Patient/e1/$erase", json={"resourceType": "Parameters"})).status_code == 400
    body = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "x"}]}
    assert (await web.post("Patient/nobody/$erase", json=body)).status_code == 404
    assert (await web.get("Patient/e1/$erase")).status_code == 405


async def test_the_same_id_may_come_back_as_another_person(web: httpx.AsyncClient) -> None:
    await record(web, "e4", "s4")
    await erased(web, "e4")
    await put(web, patient(id="e4", name=[{"family": "Newcomer"}]))
    observed = {
        "resourceType": "Observation",
        "id": "e4-n",
        "status": "final",
        "code": {"text": "new"},
        "subject": {"reference": "Patient/e4"},
    }
    await put(web, observed)
    assert [
        e["resource"]["id"] for e in (await web.get("Observation?patient=Patient/e4")).json()["entry"]
    ] == ["e4-n"]


async def test_a_server_that_does_not_seal_erases_rows_and_says_what_backups_keep(
    database_url: str, sealed: Sealed
) -> None:
    async with client(database_url, **{**sealed, "encryption": "off"}) as plain:
        await record(plain, "e5", "s5")
        await erased(plain, "e5")
        assert (await plain.get("Patient/e5")).status_code == 404
        assert (await plain.get("Appointment/e5-a")).status_code == 200


async def test_a_process_that_knew_the_person_stores_nothing_under_their_old_number(
    database_url: str, sealed: Sealed
) -> None:
    settings = {**sealed, "encryption": "off"}
    async with client(database_url, **settings) as one, client(database_url, **settings) as other:
        await record(one, "e6", "s6")
        await put(other, observation("e6-x", "e6"))
        await erased(one, "e6")
        await asyncio.sleep(0.7)
        await put(other, observation("e6-y", "e6"))
        await put(one, observation("e6-z", "e6"))
        found = (await one.get("Observation?patient=Patient/e6")).json()["entry"]
        assert {e["resource"]["id"] for e in found} == {"e6-y", "e6-z"}


def observation(id_: str, subject: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": "later"},
        "subject": {"reference": f"Patient/{subject}"},
    }


async def test_versions_from_before_a_resource_went_to_somebody_else_go_too(
    web: httpx.AsyncClient, database_url: str
) -> None:
    await record(web, "e7", "s7")
    await put(web, observation("moved", "e7") | {"code": {"text": MARK}})
    await put(web, observation("moved", "s7"))
    both = [{"reference": "Observation/e7-o"}, {"reference": "Observation/moved"}]
    several = {"resourceType": "Provenance", "id": "both", "recorded": "2024-01-01T00:00:00Z"}
    await put(web, several | {"target": both, "agent": [{"who": {"display": "x"}}]})
    told = await erased(web, "e7")
    assert (await web.get("Observation/moved")).json()["code"] == {"text": "later"}
    assert (await web.get("Observation/moved/_history/1")).status_code == 404
    assert (await web.get("Provenance/both")).status_code == 200
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        row = await (
            await conn.execute("SELECT subject, rids FROM erasure WHERE id = %s", (told["id"],))
        ).fetchone()
        assert row is not None
        assert await erasing.left(conn, row[0], row[1]) == {}


async def test_an_erasure_that_was_interrupted_is_finished_by_the_next_call(
    web: httpx.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(web, "e8", "s8")

    async def fails(*_: Any) -> None:
        raise RuntimeError("power cut")

    body = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "x"}]}
    with monkeypatch.context() as broken:
        broken.setattr("fhir_server.storage.erasing.rows", fails)
        assert (await web.post("Patient/e8/$erase", json=body)).status_code == 500
    assert (await web.get("Patient/e8")).status_code == 410
    told = await erased(web, "e8")
    assert (await web.get("Patient/e8")).status_code == 404
    with psycopg.connect(database_url) as conn:
        assert conn.execute(
            "SELECT count(*) FROM erasure WHERE subject = (SELECT subject FROM erasure WHERE id = %s)",
            (told["id"],),
        ).fetchone() == (1,)


async def test_the_certificate_names_who_was_given_data_before(database_url: str, sealed: Sealed) -> None:
    async with client(database_url, **sealed, audit="on") as web:
        await record(web, "e9", "s9")
        assert (await web.get("Observation?patient=Patient/e9")).json()["total"] == 1
        told = await erased(web, "e9")
        ways = [part[1]["valueString"] for part in values(told, "delivered")]
        assert any("search" in way for way in ways), ways
        kept = values(told, "kept")[0][1]["valueInteger"]
        assert kept >= len(ways)
