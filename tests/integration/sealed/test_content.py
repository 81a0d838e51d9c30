"""Sealed content: nobody who asks the server notices, nobody who reads the database understands."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from fhir_server.crypto import envelope
from fhir_server.storage.rows import type_number
from tests.integration.sealed.conftest import Sealed
from tests.integration.web import XML, client, patient

MARK = "Zebulonka"
"""A word that nothing else in the database says."""


def stored(database_url: str, table: str = "resource") -> list[tuple[int, str, bytes]]:
    """Return (type, id, content) as the database has them."""
    id_ = "x.id" if table == "resource" else "''"
    with psycopg.connect(database_url) as conn:
        return conn.execute(
            f"SELECT x.type, {id_}, x.tail FROM {table} x WHERE x.tail IS NOT NULL ORDER BY x.rid, x.version"
        ).fetchall()


async def put(web: httpx.AsyncClient, resource: dict[str, Any]) -> httpx.Response:
    answer = await web.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.is_success, answer.text
    return answer


def observation(id_: str, subject: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": "pulse"},
        "subject": {"reference": subject},
        "effectiveDateTime": "2024-05-01",
        "valueQuantity": {"value": 72.50, "unit": "/min"},
        **elements,
    }


async def test_nothing_readable_is_stored_and_everything_comes_back(
    web: httpx.AsyncClient, database_url: str
) -> None:
    await put(
        web,
        patient(
            id="a",
            name=[{"family": MARK}],
            text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{MARK}</div>'},
        ),
    )
    await put(web, patient(id="a", name=[{"family": MARK}], gender="female"))
    for table in ("resource", "resource_version"):
        rows = stored(database_url, table)
        assert rows and all(envelope.is_sealed(bytes(tail)) for _, _, tail in rows)
        assert all(MARK.encode() not in bytes(tail) for _, _, tail in rows)
    now = (await web.get("Patient/a")).json()
    assert now["name"] == [{"family": MARK}] and now["gender"] == "female"
    assert "text" in (await web.get("Patient/a/_history/1")).json()
    assert [
        e["resource"]["meta"]["versionId"] for e in (await web.get("Patient/a/_history")).json()["entry"]
    ] == ["2", "1"]


async def test_the_secrets_of_hashes_are_sealed_too(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    await put(web, patient(id="s", identifier=[{"system": "http://e.org", "value": "sealed-1"}]))
    with psycopg.connect(database_url) as conn:
        values = [bytes(value) for (value,) in conn.execute("SELECT value FROM secret").fetchall()]
    assert values and all(value.startswith(b"sealed secret 1:") for value in values)
    async with client(database_url, **{**sealed, "encryption": "off"}) as other:
        assert (await other.get("Patient?identifier=http://e.org|sealed-1")).json()["total"] == 1


async def test_definitions_stay_readable_for_the_database(web: httpx.AsyncClient, database_url: str) -> None:
    await put(web, {"resourceType": "ValueSet", "id": "v", "status": "draft", "url": "http://example.org/v"})
    (tail,) = [bytes(t) for kind, _, t in stored(database_url) if kind == type_number("ValueSet")]
    assert not envelope.is_sealed(tail)


async def test_a_sealed_server_answers_byte_by_byte_as_an_open_one(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    await put(web, patient(id="b", name=[{"family": MARK}]))
    await put(web, observation("o1", "Patient/b"))
    await put(web, observation("o2", "Patient/b", meta={"tag": [{"system": "http://e.org", "code": "t"}]}))
    asked = (
        "Patient/b", "Observation/o1", "Observation/o1?_format=xml", "Observation?subject=Patient/b&_sort=code,-date",
        "Observation?code=http://loinc.org|8867-4&_include=Observation:subject", "Observation?_tag=http://e.org|t",
        "Patient/b/$everything", "Observation/_history", "Observation/$meta",
        "Patient?_revinclude=Observation:subject&name=zebu", "Observation?value-quantity=gt70&_summary=true",
        "Observation?_filter=code ne http://loinc.org|1", "Observation/$lastn?patient=Patient/b&code=http://loinc.org|8867-4",
    )  # fmt: skip
    answers = [await web.get(path) for path in asked]
    assert all(answer.status_code == 200 for answer in answers), [
        a.text for a in answers if a.status_code != 200
    ]
    for answer in answers:
        assert answer.content.count(b'"entry"') <= 1
    async with client(database_url, **{**sealed, "encryption": "off"}) as other:
        for path, answer in zip(asked, answers, strict=True):
            again = await other.get(path)
            assert _steady(again) == _steady(answer), path


def _steady(answer: httpx.Response) -> bytes:
    """Return an answer without the id and instant that every searchset gets anew."""
    if answer.headers["content-type"].startswith(XML):
        return answer.content
    body = answer.json()
    if body["resourceType"] == "Bundle":
        body.pop("id", None)
        body.get("meta", {}).pop("lastUpdated", None)
        return repr([body.get("total"), [e["resource"] for e in body.get("entry", [])]]).encode()
    return answer.content


async def test_open_and_sealed_versions_stand_beside_each_other(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    async with client(database_url, **{**sealed, "encryption": "off"}) as plain:
        await put(plain, patient(id="m", name=[{"family": "Mixedone"}]))
        await put(plain, observation("m1", "Patient/m"))
    await put(web, patient(id="m", name=[{"family": "Mixedtwo"}]))
    await put(web, observation("m2", "Patient/m", status="amended"))
    assert (await web.get("Patient/m/_history/1")).json()["name"] == [{"family": "Mixedone"}]
    assert (await web.get("Patient/m")).json()["name"] == [{"family": "Mixedtwo"}]
    found = (await web.get("Observation?subject=Patient/m&_sort=status")).json()["entry"]
    assert [e["resource"]["id"] for e in found] == ["m2", "m1"]


async def test_content_copied_to_another_row_is_refused_and_not_shown(
    web: httpx.AsyncClient, database_url: str
) -> None:
    await put(web, patient(id="c1", name=[{"family": MARK}]))
    await put(web, patient(id="c2"))
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE resource SET tail = (SELECT tail FROM resource WHERE id = 'c1') WHERE id = 'c2'")
    answer = await web.get("Patient/c2")
    assert answer.status_code == 500
    assert MARK not in answer.text


async def test_patch_transaction_and_conditional_update_work_on_sealed_content(
    web: httpx.AsyncClient,
) -> None:
    await put(web, patient(id="p", identifier=[{"system": "http://e.org", "value": "77"}]))
    patched = await web.patch(
        "Patient/p",
        json=[{"op": "add", "path": "/gender", "value": "male"}],
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert patched.json()["gender"] == "male"
    entry = {
        "resource": patient(identifier=[{"system": "http://e.org", "value": "77"}], gender="other"),
        "request": {"method": "PUT", "url": "Patient?identifier=http://e.org|77"},
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry, {"request": {"method": "GET", "url": "Patient/p"}}],
    }
    done = await web.post("", json=bundle)
    assert [e["response"]["status"][:3] for e in done.json()["entry"]] == ["200", "200"]
    assert done.json()["entry"][1]["resource"]["gender"] == "other"


@pytest.mark.parametrize("kind", ["string", "text", "date", "number", "position", "code"])
async def test_a_kind_that_is_not_kept_in_clear_is_refused_by_name(
    database_url: str, sealed: Sealed, kind: str
) -> None:
    kept = [one for one in ("string", "text", "date", "number", "position", "code") if one != kind]
    asked = {
        "string": "Patient?family=x", "text": "Patient?_content=x", "date": "Patient?birthdate=2000",
        "number": "Observation?value-quantity=1", "position": "Location?near=1|1|1|km",
        "code": "Observation?_sort=code",
    }[kind]  # fmt: skip
    async with client(database_url, **sealed, search_in_clear=kept) as one:
        answer = await one.get(asked, headers={"Prefer": "handling=strict"})
        assert answer.status_code == 400, answer.text
        metas = [await one.get(url) for url in ("$meta", "Patient/$meta")]
        told = (await one.get("metadata")).json()["rest"][0]["resource"]
    if kind != "code":
        assert "search_in_clear" in answer.text
    assert [meta.status_code for meta in metas] == [400 if kind == "code" else 200] * 2
    assert all("search_in_clear" in meta.text for meta in metas if kind == "code")
    names = {(r["type"], p["name"]) for r in told for p in r.get("searchParam", [])}
    lost = {"string": "family", "text": "_content", "date": "birthdate"}.get(kind)
    assert lost is None or ("Patient", lost) not in names
    assert ("Patient", "identifier") in names


async def test_what_is_not_kept_in_clear_is_in_no_column(database_url: str, sealed: Sealed) -> None:
    async with client(database_url, **sealed, search_in_clear=[]) as one:
        await put(
            one,
            patient(
                id="hidden",
                name=[{"family": "Quixotry"}],
                birthDate="1961-02-03",
                identifier=[{"system": "http://e.org", "value": "Q-1"}],
            ),
        )
        assert (await one.get("Patient?identifier=http://e.org|Q-1")).json()["total"] == 1
    with psycopg.connect(database_url) as conn:
        (whole,) = conn.execute(
            "SELECT r::text || convert_from(substr(r.tail, 7, 2), 'UTF8') FROM resource r WHERE id = 'hidden'"
        ).fetchone() or ("",)
        strings = conn.execute(
            "SELECT count(*) FROM idx_string s JOIN resource r USING (rid) WHERE r.id = 'hidden'"
        ).fetchone()
        dates = conn.execute("SELECT d0 FROM resource WHERE id = 'hidden'").fetchone()
    assert strings == (0,) and dates == (-(2**63),)
    assert whole.endswith("}}") and b"Q-1".hex() not in whole
