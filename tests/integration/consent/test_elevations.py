"""More rights for a while: a clinician's in an emergency, an operator's for a task. On record, told, over by itself.

Source: http://hl7.org/fhir/R4/security-labels.html#break-the-glass; NIST SP 800-53 AC-6
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.exchange import Session
from tests.integration.consent.conftest import Asker
from tests.unit.consent.make import REASON, coding, consent

Json = dict[str, Any]

EVERYTHING = {"Observation/pulse", "Observation/hiv", "Observation/old", "Observation/bobs"}
BOBS = {"Observation/bobs"}
WHY = "Unconscious, allergies needed"


def _parameters(**given: Any) -> Json:
    kinds = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    listed = [{"name": name, kinds[type(value)]: value} for name, value in given.items()]
    return {"resourceType": "Parameters", "parameter": listed}


def _given(body: Json) -> Json:
    return {
        one["name"]: next(value for key, value in one.items() if key != "name") for one in body["parameter"]
    }


async def _open(ask: Asker, who: str = "dr", **more: Any) -> Any:
    return await ask(who, "POST", "Patient/ann/$break-glass", _parameters(reason=WHY, **more))


async def _past(app: Any) -> None:
    async with Session(app.fhir).connection() as conn:
        await conn.execute("UPDATE elevation SET expires = clock_timestamp() - interval '1 second'")
        app.fhir.policies._kept.clear()


async def test_an_emergency_opens_the_record_at_once_for_whoever_declared_it(record: Asker) -> None:
    await record.put(consent({"type": "deny"}, id_="c"))
    assert await record.found("dr", "Observation") == BOBS
    answer = await _open(record, minutes=5)
    assert answer.status_code == 201, answer.text
    said = _given(answer.json())
    assert (said["state"], said["patient"], said["minutes"]) == ("active", "Patient/ann", 5)
    assert await record.found("dr", "Observation") == EVERYTHING
    assert await record.found("other", "Observation") == BOBS


async def test_the_patient_is_told_with_provenance(record: Asker) -> None:
    notice = _given((await _open(record)).json())["notice"]["reference"]
    told = await record("ann", "GET", notice)
    assert told.status_code == 200
    assert WHY in told.json()["payload"][0]["contentString"]
    assert told.json()["recipient"] == [{"reference": "Patient/ann"}]
    origin = (await record("ann", "GET", f"Provenance?target={notice}")).json()["entry"][0]["resource"]
    assert origin["agent"][0]["who"] == {"reference": "Practitioner/dr"}
    assert origin["reason"][0]["coding"][0]["code"] == "BTG"


async def test_an_emergency_is_over_by_itself_and_can_be_ended_before(record: Asker, app: Any) -> None:
    await record.put(consent({"type": "deny"}, id_="c"))
    first = _given((await _open(record)).json())["id"]
    ended = await record("dr", "POST", "$elevate-end", _parameters(id=first))
    assert _given(ended.json())["state"] == "ended"
    assert await record.found("dr", "Observation") == BOBS
    assert (await record("dr", "POST", "$elevate-end", _parameters(id=first))).status_code == 409
    await _open(record)
    assert await record.found("dr", "Observation") == EVERYTHING
    await _past(app)
    assert await record.found("dr", "Observation") == BOBS


async def test_a_patient_can_deny_even_emergencies(record: Asker) -> None:
    await record.put(consent({"type": "deny", "purpose": [coding(REASON, "ETREAT")]}, id_="c"))
    assert await record.found("dr", "Observation") == EVERYTHING
    await _open(record)
    assert await record.found("dr", "Observation") == BOBS


@pytest.mark.parametrize("who", ["ann", "researcher", "operator", "auditor", "service", "proxy", "admin"])
async def test_only_clinicians_may_open_a_record(record: Asker, who: str) -> None:
    assert (await _open(record, who)).status_code == 403


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 400),
        ({"reason": "hurry"}, 400),
        ({"reason": WHY, "minutes": 241}, 400),
        ({"reason": WHY, "x": 1}, 400),
    ],
)
async def test_an_emergency_needs_a_reason_and_is_short(record: Asker, given: Json, status: int) -> None:
    answer = await record("dr", "POST", "Patient/ann/$break-glass", _parameters(**given) if given else None)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_an_emergency_of_nobody_is_none(record: Asker) -> None:
    answer = await record("dr", "POST", "Patient/none/$break-glass", _parameters(reason=WHY))
    assert answer.status_code == 404
    assert (await record("dr", "GET", f"Patient/ann/$break-glass?reason={WHY}")).status_code == 405


# ------------------------------------------------------------------------------------------------ operators


async def _asked(ask: Asker) -> str:
    answer = await ask("operator", "POST", "$elevate", _parameters(reason="Ticket 12: wrong merge"))
    assert answer.status_code == 202, answer.text
    assert _given(answer.json())["state"] == "requested"
    return str(_given(answer.json())["id"])


async def test_an_operator_sees_nothing_clinical_until_somebody_else_agrees(record: Asker, app: Any) -> None:
    assert (await record("operator", "GET", "Observation/pulse")).status_code in (403, 404)
    id_ = await _asked(record)
    assert (await record("operator", "GET", "Observation/pulse")).status_code in (403, 404)
    answer = await record("operator2", "POST", "$elevate-decide", _parameters(id=id_, approve=True))
    assert _given(answer.json())["state"] == "active"
    assert _given(answer.json())["decidedBy"] == "Practitioner/op2"
    assert (await record("operator", "GET", "Observation/pulse")).status_code == 200
    assert (await record("operator2", "GET", "Observation/pulse")).status_code in (403, 404)
    await _past(app)
    assert (await record("operator", "GET", "Observation/pulse")).status_code in (403, 404)


async def test_an_elevated_operator_only_reads_and_is_held_to_consents(record: Asker) -> None:
    await record.put(consent({"type": "deny"}, id_="c"))
    await record("auditor", "POST", "$elevate-decide", _parameters(id=await _asked(record), approve=True))
    assert await record.found("operator", "Observation") == BOBS
    pulse = {"resourceType": "Observation", "id": "bobs", "status": "final", "code": {"text": "x"}}
    assert (await record("operator", "PUT", "Observation/bobs", pulse)).status_code == 403


async def test_nobody_agrees_to_an_elevation_of_their_own(record: Asker) -> None:
    id_ = await _asked(record)
    answer = await record("operator", "POST", "$elevate-decide", _parameters(id=id_, approve=True))
    assert answer.status_code == 403
    for who in ("dr", "ann", "service"):
        answer = await record(who, "POST", "$elevate-decide", _parameters(id=id_, approve=True))
        assert answer.status_code == 403, who


async def test_it_is_decided_once(record: Asker) -> None:
    id_ = await _asked(record)
    refused = _parameters(id=id_, approve=False, comment="No such ticket")
    said = _given((await record("auditor", "POST", "$elevate-decide", refused)).json())
    assert (said["state"], said["decision"]) == ("refused", "No such ticket")
    answer = await record("operator2", "POST", "$elevate-decide", _parameters(id=id_, approve=True))
    assert answer.status_code == 409
    assert (await record("operator", "GET", "Observation/pulse")).status_code in (403, 404)


async def test_only_operators_ask_and_only_those_who_decide_see_what_was(record: Asker) -> None:
    for who in ("dr", "ann", "auditor", "service"):
        assert (await record(who, "POST", "$elevate", _parameters(reason=WHY))).status_code == 403
    await _asked(record)
    await _open(record)
    listed = (await record("auditor", "GET", "$elevations")).json()["parameter"]
    assert [_given({"parameter": one["part"]})["kind"] for one in listed] == ["operator", "break-glass"]
    assert (await record("dr", "GET", "$elevations")).status_code == 403
    assert (await record("dr", "POST", "$elevate-end", _parameters(id="none"))).status_code == 404


async def test_the_operations_are_defined(record: Asker) -> None:
    for name in ("break-glass", "elevate", "elevate-decide", "elevate-end", "elevations"):
        found = await record("admin", "GET", f"OperationDefinition/{name}")
        assert found.json()["code"] == name
