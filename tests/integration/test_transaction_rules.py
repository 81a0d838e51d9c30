"""Rules of batch, transaction and conditional interactions, each named by its test.

Source: http://hl7.org/fhir/R4/http.html#trules, #cread, #cond-update; http://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import psycopg
import pytest

from fhir_server.app import create_app
from fhir_server.settings import Settings
from tests.integration.test_conditional import by
from tests.integration.test_transactions import entry, observation, ok, patient, send, total

Json = dict[str, Any]
KINDS = pytest.mark.parametrize("kind", ["batch", "transaction"])


async def put(client: httpx.AsyncClient, id_: str, **more: Any) -> Json:
    """Return the Patient after a PUT."""
    answer = await client.put(f"Patient/{id_}", json=patient(id_, id=id_, **more))
    assert answer.status_code in (200, 201), answer.text
    found: Json = answer.json()
    return found


async def one(client: httpx.AsyncClient, kind: str, single: Json) -> Json:
    """Return the response entry of a Bundle that holds `single` only and must be taken."""
    answer = await send(client, single, kind=kind)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["entry"][0]
    return found


async def refused(client: httpx.AsyncClient, kind: str, single: Json) -> tuple[int, Json]:
    """Return (status, OperationOutcome) of an entry that must fail: with its transaction, or alone in a batch."""
    answer = await send(client, single, kind=kind)
    if kind == "transaction":
        return answer.status_code, answer.json()
    response = answer.json()["entry"][0]["response"]
    return int(response["status"][:3]), response["outcome"]


# ---------------------------------------------------------------------------------------- entries, bundle.html


@KINDS
@pytest.mark.parametrize(
    "url",
    ["Patient/rule-url/", "/Patient/rule-url", "http://test/fhir/Patient/rule-url", "Patient/rule%2Durl"],
)
async def test_an_entry_url_is_read_as_http_would_read_it(
    client: httpx.AsyncClient, kind: str, url: str
) -> None:
    await put(client, "rule-url")
    assert (await one(client, kind, entry("GET", url)))["resource"]["id"] == "rule-url"
    body = patient("rule-url", id="rule-url")
    assert (await one(client, kind, entry("PUT", url, body)))["response"]["status"] == "200 OK"


@KINDS
@pytest.mark.parametrize("resource", ["text", 5, True, [1], [], {}])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_is_no_resource_is_refused_and_located(
    client: httpx.AsyncClient, kind: str, method: str, resource: Any
) -> None:
    single = entry(method, "Patient" if method == "POST" else "Patient/no-resource")
    single["resource"] = resource
    status, outcome = await refused(client, kind, single)
    assert status in (400, 404)
    assert status == 404 or outcome["issue"][0]["expression"][0].startswith("Bundle.entry[0].")


@KINDS
@pytest.mark.parametrize("name", ["method", "url"])
async def test_a_request_without_value_is_refused(client: httpx.AsyncClient, kind: str, name: str) -> None:
    single = entry("GET", "Patient/x")
    single["request"]["_" + name] = {"extension": [{"url": "http://example.org/why", "valueCode": "x"}]}
    del single["request"][name]
    status, outcome = await refused(client, kind, single)
    assert status == 400 and outcome["issue"][0]["expression"] == ["Bundle.entry[0].request"]


@pytest.mark.parametrize(
    "prefer", ["return=representation", 'Return="representation"', "respond-async, return = Representation"]
)
async def test_a_preference_is_read_as_its_rfc_says(client: httpx.AsyncClient, prefer: str) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry("POST", "Patient", patient("p"))],
    }
    answer = await client.post("", json=bundle, headers={"Prefer": prefer})
    assert "resource" in answer.json()["entry"][0]


@KINDS
async def test_a_head_entry_answers_without_resource(client: httpx.AsyncClient, kind: str) -> None:
    await put(client, f"rule-head-{kind}")
    answer = await one(client, kind, entry("HEAD", f"Patient/rule-head-{kind}"))
    assert "resource" not in answer and answer["response"]["etag"] == 'W/"1"'


@KINDS
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"ifNoneMatch": 'W/"1"'}, "304"),
        ({"ifNoneMatch": '"1"'}, "304"),
        ({"ifNoneMatch": 'W/"7", W/"1"'}, "304"),
        ({"ifNoneMatch": "*"}, "304"),
        ({"ifNoneMatch": 'W/"7"'}, "200"),
        ({"ifModifiedSince": "2999-01-01T00:00:00Z"}, "304"),
        ({"ifModifiedSince": "2001-01-01T00:00:00+01:00"}, "200"),
        ({"ifModifiedSince": "2016-12-31T23:59:60Z"}, "200"),
        ({"ifModifiedSince": "9999-12-31T23:59:59-14:00"}, "304"),
        ({"ifNoneMatch": 'W/"7"', "ifModifiedSince": "2999-01-01T00:00:00Z"}, "200"),
    ],
)
async def test_a_conditional_read_entry_is_weighed(
    client: httpx.AsyncClient, kind: str, condition: dict[str, str], status: str
) -> None:
    if (await client.get("Patient/rule-cread")).status_code == 404:
        await put(client, "rule-cread")
    answer = await one(client, kind, entry("GET", "Patient/rule-cread", None, None, **condition))
    assert answer["response"]["status"][:3] == status
    assert ("resource" in answer) == (status == "200")


@KINDS
async def test_summary_and_elements_cut_what_an_entry_reads(client: httpx.AsyncClient, kind: str) -> None:
    await put(client, f"rule-cut-{kind}", gender="male", birthDate="2001-01-01")
    id_ = f"rule-cut-{kind}"
    read = await one(client, kind, entry("GET", f"Patient/{id_}?_elements=gender"))
    assert "birthDate" not in read["resource"] and read["resource"]["gender"] == "male"
    found = await one(client, kind, entry("GET", f"Patient?_id={id_}&_elements=birthDate"))
    assert "gender" not in found["resource"]["entry"][0]["resource"]
    counted = await one(client, kind, entry("GET", f"Patient?_id={id_}&_summary=count"))
    assert counted["resource"]["total"] == 1 and "entry" not in counted["resource"]
    assert (await refused(client, kind, entry("GET", f"Patient/{id_}?_summary=nothing")))[0] == 400


@KINDS
async def test_a_patch_travels_in_a_binary(client: httpx.AsyncClient, kind: str) -> None:
    await put(client, f"rule-patch-{kind}", gender="male")
    data = base64.b64encode(json.dumps([{"op": "replace", "path": "/gender", "value": "other"}]).encode())
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data.decode()}
    answer = await one(client, kind, entry("PATCH", f"Patient/rule-patch-{kind}", binary))
    assert answer["resource"]["gender"] == "other"


@KINDS
async def test_the_id_of_a_resource_is_a_text(client: httpx.AsyncClient, kind: str) -> None:
    status, _ = await refused(
        client, kind, entry("PUT", f"Patient?{by('rule-id')}", patient("rule-id", id=5))
    )
    assert status == 400


async def test_every_refusal_of_a_transaction_names_its_entry(client: httpx.AsyncClient) -> None:
    await put(client, "rule-place")
    wrong = [
        entry("PUT", "Patient?nonsense=1", patient("x")),
        entry("POST", "Patient", patient("x"), ifNoneExist="nonsense=1"),
        entry("DELETE", "Patient"),
        entry("PUT", "Patient/rule-place", patient("x", id="rule-place"), ifMatch='W/"9"'),
        entry("PATCH", "Patient/rule-place", patient("x")),
        entry("POST", "Observation", observation("Patient?nonsense=1")),
    ]  # fmt: skip
    for single in wrong:
        answer = await send(client, entry("GET", "metadata"), single)
        assert 400 <= answer.status_code < 500
        assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[1]."), (
            single,
            answer.text,
        )


async def test_a_statement_that_takes_too_long_is_the_outcome_of_its_entry_only(database_url: str) -> None:
    app = create_app(Settings(database_url=database_url, statement_timeout_s=1))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test/fhir/") as client,
        await psycopg.AsyncConnection.connect(database_url) as other,
    ):
        await put(client, "rule-slow")
        await other.execute("SELECT 1 FROM resource WHERE id = 'rule-slow' FOR UPDATE")
        answer = await send(
            client,
            entry("PUT", "Patient/rule-slow", patient("x", id="rule-slow")),
            entry("GET", "Patient/rule-slow"),
            kind="batch",
        )
    assert answer.status_code == 200, answer.text
    slow, read = answer.json()["entry"]
    assert slow["response"]["status"].startswith("503")
    assert slow["response"]["outcome"]["issue"][0]["code"] in ("timeout", "throttled")
    assert read["resource"]["meta"]["versionId"] == "1"


# ---------------------------------------------------- order does not matter, overlaps are refused: http.html#trules


@pytest.mark.parametrize("turn", [1, -1])
async def test_a_deletion_comes_before_a_conditional_create_wherever_it_stands(
    client: httpx.AsyncClient, turn: int
) -> None:
    name = f"rule-order-{turn}"
    await put(client, name)
    entries = [
        entry("POST", "Patient", patient(name), ifNoneExist=by(name)),
        entry("DELETE", f"Patient?{by(name)}"),
    ]
    answers = (await ok(client, *entries[::turn]))[::turn]
    assert [a["response"]["status"][:3] for a in answers] == ["201", "204"]
    assert (await client.get(f"Patient/{name}")).status_code == 410
    assert await total(client, f"Patient?{by(name)}") == 1


@pytest.mark.parametrize("turn", [1, -1])
async def test_deletions_that_overlap_are_refused_wherever_they_stand(
    client: httpx.AsyncClient, turn: int
) -> None:
    await put(client, "rule-overlap")
    entries = [entry("DELETE", "Patient/rule-overlap"), entry("DELETE", f"Patient?{by('rule-overlap')}")]
    answer = await send(client, *entries[::turn])
    assert answer.status_code == 400 and answer.json()["issue"][0]["code"] == "duplicate"
    assert (await client.get("Patient/rule-overlap")).status_code == 200


@pytest.mark.parametrize("turn", [1, -1])
async def test_a_conditional_create_that_found_its_resource_leaves_it_to_an_update(
    client: httpx.AsyncClient, turn: int
) -> None:
    name = f"rule-found-{turn}"
    await put(client, name)
    entries = [
        entry("POST", "Patient", patient(name), ifNoneExist=by(name)),
        entry("PUT", f"Patient/{name}", patient(name, id=name, active=True)),
    ]
    answers = (await ok(client, *entries[::turn]))[::turn]
    assert [a["response"]["status"][:3] for a in answers] == ["200", "200"]
    assert [a["resource"]["meta"]["versionId"] for a in answers] == ["2", "2"]


# ----------------------------------------------------------------------------- conditions and conditional references


@pytest.mark.parametrize(
    "reference", ["Foo?x=1", "DomainResource?_id=1", "Patient?=1", "Patient?_count=1", "Patient?name=%00"]
)
async def test_a_conditional_reference_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, reference: str
) -> None:
    answer = await send(client, entry("POST", "Observation", observation(reference)))
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[0].resource"]


async def test_a_question_mark_may_be_part_of_a_criterion(client: httpx.AsyncClient) -> None:
    marked = {"resourceType": "Patient", "identifier": [{"system": "http://example.org/?q", "value": "1"}]}
    criterion = "identifier=http://example.org/?q|1"
    for code in (201, 200):
        answer = await client.post("Patient", json=marked, headers={"If-None-Exist": criterion})
        assert answer.status_code == code, answer.text
    (seen,) = await ok(client, entry("POST", "Observation", observation(f"Patient?{criterion}")))
    assert seen["resource"]["subject"]["reference"] == f"Patient/{answer.json()['id']}"


async def test_a_conditional_reference_inside_a_contained_resource_is_resolved(
    client: httpx.AsyncClient,
) -> None:
    await put(client, "rule-contained")
    inner = observation(f"Patient?{by('rule-contained')}", id="inner")
    outer = observation("Patient/rule-contained", contained=[inner], hasMember=[{"reference": "#inner"}])
    (made,) = await ok(client, entry("POST", "Observation", outer))
    assert made["resource"]["contained"][0]["subject"]["reference"] == "Patient/rule-contained"
    assert made["resource"]["hasMember"][0]["reference"] == "#inner"


async def test_the_case_of_a_urn_makes_no_difference(client: httpx.AsyncClient) -> None:
    urn = "urn:uuid:9d7f1f0e-0000-4000-8000-0000000000ab"
    for full_url, link in ((urn.upper(), urn), (urn, urn.upper()), (urn.upper(), urn.upper())):
        made, seen = await ok(
            client,
            entry("POST", "Patient", patient("case"), full_url),
            entry("POST", "Observation", observation(link)),
        )
        assert seen["resource"]["subject"]["reference"] == f"Patient/{made['resource']['id']}"


async def test_relative_references_follow_the_root_of_their_own_full_url(client: httpx.AsyncClient) -> None:
    here, there = "http://one.example/fhir", "http://two.example/fhir"
    _, a, b, c = await ok(
        client,
        entry("POST", "Patient", patient("rule-root"), f"{here}/Patient/1"),
        entry("POST", "Observation", observation("Patient/1"), f"{here}/Observation/1"),
        entry("POST", "Observation", observation("Patient/1"), f"{there}/Observation/1"),
        entry(
            "POST", "Observation", observation("Patient/1"), "urn:uuid:9d7f1f0e-0000-4000-8000-0000000000aa"
        ),
    )
    found = [e["resource"]["subject"]["reference"] for e in (a, b, c)]
    assert found[0] != "Patient/1" and found[1:] == ["Patient/1", "Patient/1"]


@pytest.mark.timeout(60)
async def test_thousands_of_equal_conditional_references_are_searched_once(client: httpx.AsyncClient) -> None:
    text = f"Patient?{by('rule-many')}"
    many = [entry("POST", "Observation", observation(text))] * 4000
    answers = await ok(client, *many, entry("POST", "Patient", patient("rule-many")))
    owner = f"Patient/{answers[-1]['resource']['id']}"
    assert {a["resource"]["subject"]["reference"] for a in answers[:-1]} == {owner}


# ------------------------------------------------------------------------------- plain conditional writes, #cond-update


async def test_if_match_guards_conditional_writes_that_would_create_or_delete(
    client: httpx.AsyncClient,
) -> None:
    stale = {"If-Match": 'W/"9"'}
    for body in (patient("rule-im"), patient("rule-im", id="rule-im")):
        assert (await client.put(f"Patient?{by('rule-im')}", json=body, headers=stale)).status_code == 412
    assert await total(client, f"Patient?{by('rule-im')}") == 0
    for _ in range(2):
        await client.post("Patient", json=patient("rule-im"))
    assert (await client.delete(f"Patient?{by('rule-im')}", headers=stale)).status_code == 412
    assert await total(client, f"Patient?{by('rule-im')}") == 2


async def test_parallel_conditional_updates_under_ids_of_their_own_make_one_resource(
    client: httpx.AsyncClient,
) -> None:
    calls = (
        client.put(f"Patient?{by('rule-ids')}", json=patient("rule-ids", id=f"rule-ids-{n}"))
        for n in range(10)
    )
    codes = sorted(answer.status_code for answer in await asyncio.gather(*calls))
    assert codes == [201, *[400] * 9]
    assert await total(client, f"Patient?{by('rule-ids')}") == 1


async def test_plain_and_bundled_conditional_creates_race_for_one_resource(client: httpx.AsyncClient) -> None:
    condition = by("rule-race")
    body = patient("rule-race")
    plain = [client.post("Patient", json=body, headers={"If-None-Exist": condition}) for _ in range(10)]
    update = [client.put(f"Patient?{condition}", json=body) for _ in range(5)]
    bundled = [send(client, entry("POST", "Patient", body, ifNoneExist=condition)) for _ in range(10)]
    answers = await asyncio.gather(*plain, *update, *bundled)
    assert {a.status_code for a in answers} <= {200, 201}
    assert await total(client, f"Patient?{condition}") == 1


# -------------------------------------------------------------------------------------------------- history, vread


async def test_history_of_a_resource_says_its_newest_instant_on_every_page(client: httpx.AsyncClient) -> None:
    await put(client, "rule-hist")
    newest = (await put(client, "rule-hist", active=True))["meta"]["lastUpdated"]
    for query in ("", "?_count=0", "?_count=1", "?_since=2999-01-01"):
        assert (await client.get(f"Patient/rule-hist/_history{query}")).json()["meta"][
            "lastUpdated"
        ] == newest


async def test_a_list_may_name_versions_that_cannot_be(client: httpx.AsyncClient) -> None:
    await put(client, "rule-list")
    items = [
        {"item": {"reference": f"Patient/rule-list/_history/{v}"}}
        for v in ("1", "99999999999", "x", "0", "01")
    ]
    holder = {
        "resourceType": "List",
        "id": "rule-list",
        "status": "current",
        "mode": "working",
        "entry": items,
    }
    assert (await client.put("List/rule-list", json=holder)).status_code == 201
    found = await client.get("_history?_list=rule-list")
    assert found.status_code == 200 and len(found.json()["entry"]) == 1


@pytest.mark.parametrize("version", ["0", "01", "2", "99999999999", "x"])
async def test_a_version_that_never_was_is_not_found(client: httpx.AsyncClient, version: str) -> None:
    await client.put("Observation/rule-v", json=observation("Patient/rule-stub", id="rule-v"))
    assert (await client.get(f"Patient/rule-stub/_history/{version}")).status_code == 404
    await put(client, f"rule-v{version}")
    assert (await client.get(f"Patient/rule-v{version}/_history/{version}")).status_code == 404
