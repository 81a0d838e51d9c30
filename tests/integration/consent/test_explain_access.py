"""`$explain-access` tells what the gate decides, rule by rule, to those whom it concerns.

Source: docs/explanation/consent.md
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.consent.conftest import Asker
from tests.integration.consent.test_elevations import _open
from tests.unit.consent.make import ACT, actor, coding, consent

Json = dict[str, Any]

DENY_HIV = {"type": "deny", "securityLabel": [coding(ACT, "HIV")]}
PERMIT_DR = {"type": "permit", "actor": [actor("Practitioner/dr")], "securityLabel": [coding(ACT, "HIV")]}


async def _explained(ask: Asker, who: str, what: str, about: str) -> tuple[str, list[Json]]:
    answer = await ask(who, "GET", f"{what}/$explain-access?{about}")
    assert answer.status_code == 200, answer.text
    first, _, *steps = answer.json()["parameter"]
    return first["valueCode"], [
        {one["name"]: one.get("valueCode", one.get("valueString")) for one in step["part"]} for step in steps
    ]


async def test_it_names_the_rule_that_decided(record: Asker) -> None:
    await record.put(consent(DENY_HIV, id_="c"))
    decision, steps = await _explained(record, "auditor", "Observation/hiv", "user=Practitioner/dr")
    assert decision == "deny"
    last = next(one for one in steps if one["kind"] == "consents")
    assert (last["result"], last["consent"], last["path"]) == ("deny", "Consent/c", "Consent.provision")
    decision, steps = await _explained(record, "auditor", "Observation/pulse", "user=Practitioner/dr")
    assert decision == "permit"
    assert [one["text"] for one in steps if one["kind"] == "consent"] == [
        "This deny does not apply: label is another"
    ]


async def test_it_names_the_exception(record: Asker) -> None:
    await record.put(consent(DENY_HIV, id_="c"), consent(PERMIT_DR, id_="d", when="2026-02-01"))
    decision, steps = await _explained(record, "auditor", "Observation/hiv", "user=Practitioner/dr")
    assert decision == "permit"
    assert "Consent/d Consent.provision is an exception to it" in next(
        one["text"] for one in steps if one.get("consent") == "Consent/c"
    )
    assert (await _explained(record, "auditor", "Observation/hiv", "user=Practitioner/other"))[0] == "deny"


@pytest.mark.parametrize(
    ("what", "about", "decision"),
    [
        ("Observation/pulse", "user=Patient/ann", "permit"),
        ("Observation/pulse", "user=Patient/bob", "deny"),
        ("Observation/pulse", "user=Practitioner/dr&role=researcher", "deny"),
        ("Observation/pulse", "user=Practitioner/dr&scope=user/Condition.rs", "deny"),
        ("Observation/pulse", "client=nightly", "permit"),
        ("Observation/pulse", "user=Practitioner/op&role=operator", "deny"),
        ("Organization/o", "user=Practitioner/op&role=operator", "permit"),
        ("Observation/pulse", "user=RelatedPerson/mia", "deny"),
    ],
)
async def test_a_denial_always_has_a_reason(record: Asker, what: str, about: str, decision: str) -> None:
    found, steps = await _explained(record, "auditor", what, about)
    assert found == decision
    decisive = [one for one in steps if one["kind"] in ("scope", "consents", "reach")]
    assert any(one["result"] == "deny" for one in decisive) is (decision == "deny")


async def test_an_emergency_is_among_the_reasons(record: Asker) -> None:
    await record.put(consent({"type": "deny"}, id_="c"))
    await _open(record)
    decision, steps = await _explained(record, "auditor", "Observation/hiv", "user=Practitioner/dr")
    assert decision == "permit"
    assert [one["text"] for one in steps if one["kind"] == "elevation"] == [
        "In force: break-glass:Patient/ann"
    ]


async def test_patients_may_ask_of_their_own_record_only(record: Asker) -> None:
    await record.put(consent(DENY_HIV, id_="c"))
    assert (await _explained(record, "ann", "Observation/hiv", "user=Practitioner/dr"))[0] == "deny"
    assert (await record("bob", "GET", "Observation/hiv/$explain-access?user=Patient/bob")).status_code == 404
    assert (await record("ann", "GET", "Organization/o/$explain-access?user=Patient/ann")).status_code == 403
    for who in ("dr", "researcher", "operator", "service"):
        answer = await record(who, "GET", "Observation/pulse/$explain-access?user=Practitioner/dr")
        assert answer.status_code == 403, who


@pytest.mark.parametrize(
    "about", ["", "user=Organization/o", "user=dr", "user=Practitioner/dr&scope=user/Nope.rs"]
)
async def test_a_caller_that_cannot_be_is_refused(record: Asker, about: str) -> None:
    assert (await record("auditor", "GET", f"Observation/pulse/$explain-access?{about}")).status_code == 400
    assert (await record("auditor", "GET", "Observation/no/$explain-access?client=x")).status_code == 404
