"""Transactions. Source: http://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest

Json = dict[str, Any]
SYSTEM = "http://example.org/mrn"


def patient(value: str, **more: Any) -> Json:
    """Return a Patient with the identifier `value`."""
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def observation(subject: str, **more: Any) -> Json:
    """Return an Observation about `subject`."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "note"},
        "subject": {"reference": subject},
        **more,
    }


def entry(
    method: str, url: str, resource: Json | None = None, full_url: str | None = None, **request: str
) -> Json:
    """Return a Bundle entry."""
    made: Json = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    if full_url is not None:
        made["fullUrl"] = full_url
    return made


async def send(client: httpx.AsyncClient, *entries: Json, kind: str = "transaction") -> httpx.Response:
    """Post the entries as one Bundle and ask for the resources back."""
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return await client.post("", json=bundle, headers={"Prefer": "return=representation"})


async def ok(client: httpx.AsyncClient, *entries: Json) -> list[Json]:
    """Return the response entries of a transaction that must succeed."""
    answer = await send(client, *entries)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert bundle["type"] == "transaction-response"
    found: list[Json] = bundle["entry"]
    return found


async def total(client: httpx.AsyncClient, query: str) -> int:
    """Return how many resources a search finds."""
    answer = await client.get(query + "&_summary=count")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["total"])


async def test_links_by_urn_are_rewritten_circular_ones_included(client: httpx.AsyncClient) -> None:
    a, b = "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb8"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{b}">the other</a></div>'
    first = patient("circle-1", link=[{"other": {"reference": b}, "type": "seealso"}])
    first["text"] = {"status": "generated", "div": div}
    second = patient("circle-2", link=[{"other": {"reference": a}, "type": "seealso"}])
    one, two = await ok(client, entry("POST", "Patient", first, a), entry("POST", "Patient", second, b))
    ids = one["resource"]["id"], two["resource"]["id"]
    assert one["resource"]["link"][0]["other"]["reference"] == f"Patient/{ids[1]}"
    assert two["resource"]["link"][0]["other"]["reference"] == f"Patient/{ids[0]}"
    assert f'href="Patient/{ids[1]}"' in one["resource"]["text"]["div"]
    assert one["response"]["status"].startswith("201") and one["response"]["location"].endswith("/_history/1")


async def test_answers_keep_the_order_of_the_request_whatever_is_done_first(
    client: httpx.AsyncClient,
) -> None:
    await client.put("Patient/order-del", json=patient("order-del", id="order-del"))
    read, made, put, gone = await ok(
        client,
        entry("GET", "Patient/order-put"),
        entry("POST", "Patient", patient("order-post")),
        entry("PUT", "Patient/order-put", patient("order-put", id="order-put")),
        entry("DELETE", "Patient/order-del"),
    )
    assert read["resource"]["identifier"][0]["value"] == "order-put"
    assert [e["response"]["status"][:3] for e in (read, made, put, gone)] == ["200", "201", "201", "204"]
    assert (await client.get("Patient/order-del")).status_code == 410


async def test_one_wrong_entry_leaves_nothing_behind_and_every_problem_is_named(
    client: httpx.AsyncClient,
) -> None:
    answer = await send(
        client,
        entry("POST", "Patient", patient("half")),
        entry("POST", "Patient", patient("half", gender="purple")),
        entry("POST", "Observation", {"resourceType": "Observation", "code": {"text": "x"}}),
    )
    assert answer.status_code == 422
    places = [e for issue in answer.json()["issue"] for e in issue["expression"]]
    assert "Bundle.entry[1].resource.gender" in places
    assert any(place.startswith("Bundle.entry[2].resource") for place in places)
    assert await total(client, f"Patient?identifier={SYSTEM}|half") == 0


async def test_a_conditional_create_in_a_bundle_answers_with_what_is_there(client: httpx.AsyncClient) -> None:
    urn = "urn:uuid:9d7f1f0e-0000-4000-8000-000000000001"
    entries = (
        entry("POST", "Patient", patient("cc"), urn, ifNoneExist=f"identifier={SYSTEM}|cc"),
        entry("POST", "Observation", observation(urn)),
    )
    first, seen = await ok(client, *entries)
    again, later = await ok(client, *entries)
    assert first["response"]["status"].startswith("201") and again["response"]["status"].startswith("200")
    assert first["resource"]["id"] == again["resource"]["id"]
    subject = {"reference": f"Patient/{first['resource']['id']}"}
    assert seen["resource"]["subject"] == later["resource"]["subject"] == subject


async def test_a_conditional_reference_sees_what_the_bundle_creates(client: httpx.AsyncClient) -> None:
    text = f"Patient?identifier={SYSTEM}|condref"
    seen, made = await ok(
        client, entry("POST", "Observation", observation(text)), entry("POST", "Patient", patient("condref"))
    )
    assert seen["resource"]["subject"]["reference"] == f"Patient/{made['resource']['id']}"
    assert seen["resource"]["meta"]["versionId"] == "1"
    assert await total(client, f"Observation?patient={made['resource']['id']}") == 1
    stored = (await client.get(f"Observation/{seen['resource']['id']}")).json()
    assert stored["subject"] == seen["resource"]["subject"]


@pytest.mark.parametrize("copies", [0, 2])
async def test_a_conditional_reference_must_match_exactly_one(client: httpx.AsyncClient, copies: int) -> None:
    value = f"condref-{copies}"
    for _ in range(copies):
        await client.post("Patient", json=patient(value))
    answer = await send(
        client, entry("POST", "Observation", observation(f"Patient?identifier={SYSTEM}|{value}"))
    )
    assert answer.status_code == 412
    assert f"identifier={SYSTEM}|{value}" in answer.json()["issue"][0]["diagnostics"]


async def test_if_match_is_weighed_inside_the_transaction(client: httpx.AsyncClient) -> None:
    await client.put("Patient/im", json=patient("im", id="im"))
    bad = entry("PUT", "Patient/im", patient("im", id="im", active=True), ifMatch='W/"7"')
    answer = await send(client, entry("POST", "Patient", patient("im-other")), bad)
    assert answer.status_code == 412
    assert await total(client, f"Patient?identifier={SYSTEM}|im-other") == 0
    (done,) = await ok(
        client, entry("PUT", "Patient/im", patient("im", id="im", active=True), ifMatch='W/"1"')
    )
    assert done["resource"]["meta"]["versionId"] == "2"


async def test_patches_travel_as_parameters_or_in_a_binary(client: httpx.AsyncClient) -> None:
    for name in ("p1", "p2"):
        await client.put(f"Patient/{name}", json=patient(name, id=name, gender="male"))
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": "type", "valueCode": "replace"},
                    {"name": "path", "valueString": "Patient.gender"},
                    {"name": "value", "valueCode": "female"},
                ],
            }
        ],
    }
    operations = json.dumps([{"op": "replace", "path": "/gender", "value": "other"}]).encode()
    binary = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(operations).decode(),
    }
    one, two = await ok(
        client, entry("PATCH", "Patient/p1", parameters), entry("PATCH", "Patient/p2", binary)
    )
    assert (one["resource"]["gender"], two["resource"]["gender"]) == ("female", "other")


async def test_the_same_resource_twice_is_refused(client: httpx.AsyncClient) -> None:
    twice = patient("twice", id="twice")
    answer = await send(client, entry("PUT", "Patient/twice", twice), entry("DELETE", "Patient/twice"))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "duplicate"


async def test_conditional_update_and_delete_find_their_resource(client: httpx.AsyncClient) -> None:
    await client.put("Patient/cu", json=patient("cu", id="cu"))
    await client.put("Patient/cd", json=patient("cd", id="cd"))
    put, gone, new = await ok(
        client,
        entry("PUT", f"Patient?identifier={SYSTEM}|cu", patient("cu", active=True)),
        entry("DELETE", f"Patient?identifier={SYSTEM}|cd"),
        entry("PUT", f"Patient?identifier={SYSTEM}|cnew", patient("cnew")),
    )
    assert put["resource"]["id"] == "cu" and put["resource"]["meta"]["versionId"] == "2"
    assert gone["response"]["status"].startswith("204")
    assert new["response"]["status"].startswith("201")
    assert (await client.get("Patient/cd")).status_code == 410


async def test_version_specific_links_stay_version_specific_and_canonicals_stay(
    client: httpx.AsyncClient,
) -> None:
    urn = "urn:uuid:9d7f1f0e-0000-4000-8000-000000000002"
    seen = observation(urn + "/_history/1", derivedFrom=[{"reference": urn}])
    seen["instantiatesCanonical"] = urn
    seen.pop("instantiatesCanonical")
    made, note = await ok(
        client, entry("POST", "Patient", patient("vs"), urn), entry("POST", "Observation", seen)
    )
    assert note["resource"]["subject"]["reference"] == f"Patient/{made['resource']['id']}/_history/1"


async def test_fifty_equal_conditional_creates_leave_one_resource(client: httpx.AsyncClient) -> None:
    header = {"If-None-Exist": f"identifier={SYSTEM}|race"}
    answers = await asyncio.gather(
        *(client.post("Patient", json=patient("race"), headers=header) for _ in range(50))
    )
    assert sorted(a.status_code for a in answers) == [200] * 49 + [201]
    assert await total(client, f"Patient?identifier={SYSTEM}|race") == 1


async def test_thirty_equal_conditional_transactions_leave_one_resource(client: httpx.AsyncClient) -> None:
    def one() -> Json:
        return entry("POST", "Patient", patient("race-t"), ifNoneExist=f"identifier={SYSTEM}|race-t")

    answers = await asyncio.gather(*(send(client, one()) for _ in range(30)))
    assert {a.status_code for a in answers} == {200}, [a.text for a in answers if a.status_code != 200][:1]
    assert len({a.json()["entry"][0]["resource"]["id"] for a in answers}) == 1
    assert await total(client, f"Patient?identifier={SYSTEM}|race-t") == 1


async def test_transactions_that_touch_the_same_rows_in_other_orders_all_commit(
    client: httpx.AsyncClient,
) -> None:
    names = [f"dl{i}" for i in range(6)]
    for name in names:
        await client.put(f"Patient/{name}", json=patient(name, id=name))

    def bundle(turn: int) -> list[Json]:
        order = names if turn % 2 else names[::-1]
        return [entry("PUT", f"Patient/{name}", patient(name, id=name)) for name in order]

    answers = await asyncio.gather(*(send(client, *bundle(turn)) for turn in range(12)))
    good = [a for a in answers if a.status_code == 200]
    assert {a.status_code for a in answers} <= {200, 409} and good
    versions = {(await client.get(f"Patient/{name}")).json()["meta"]["versionId"] for name in names}
    assert versions == {str(1 + len(good))}


async def test_a_batch_answers_each_entry_on_its_own(client: httpx.AsyncClient) -> None:
    answer = await send(
        client,
        entry("POST", "Patient", patient("batch")),
        entry("POST", "Patient", patient("batch", gender="purple")),
        entry("GET", "Patient/nobody"),
        entry("GET", "Nonsense/1"),
        kind="batch",
    )
    assert answer.status_code == 200 and answer.json()["type"] == "batch-response"
    made, bad, none, nonsense = answer.json()["entry"]
    assert made["response"]["status"].startswith("201")
    assert bad["response"]["status"].startswith("422") and bad["response"]["outcome"]["issue"]
    assert none["response"]["status"].startswith("404") and nonsense["response"]["status"].startswith("404")


@pytest.mark.parametrize(
    ("bundle", "status"),
    [
        ({"resourceType": "Bundle", "type": "collection"}, 400),
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [{}]}, 422),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", "Patient")]}, 400),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [entry("SING", "Patient", {})]}, 422),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [entry("GET", "Patient/unknown")]}, 404),
        ({"resourceType": "Bundle", "type": "transaction", "entry": "no"}, 400),
    ],
)
async def test_a_bundle_that_cannot_be_done_says_why(
    client: httpx.AsyncClient, bundle: Json, status: int
) -> None:
    answer = await client.post("", json=bundle)
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["diagnostics"]


async def test_an_empty_transaction_is_done_at_once(client: httpx.AsyncClient) -> None:
    assert (await client.post("", json={"resourceType": "Bundle", "type": "transaction"})).status_code == 200


@pytest.mark.timeout(120)
async def test_ten_thousand_entries_go_in_at_once_and_one_more_is_refused(client: httpx.AsyncClient) -> None:
    urn = "urn:uuid:9d7f1f0e-0000-4000-8000-00000000000a"
    many = [
        entry("POST", "Observation", observation(urn, identifier=[{"system": SYSTEM, "value": "10k"}]))
    ] * 9_999
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry("POST", "Patient", patient("10k"), urn), *many],
    }
    answer = await client.post("", json=bundle, timeout=100)
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["entry"]) == 10_000
    assert await total(client, f"Observation?patient.identifier={SYSTEM}|10k") == 9_999
    bundle["entry"] = [*many, entry("POST", "Patient", patient("x")), entry("POST", "Patient", patient("y"))]
    refused = await client.post("", json=bundle)
    assert refused.status_code == 413 and refused.json()["issue"][0]["code"] == "too-costly"
