"""Who may erase a person: an operator whom somebody else has raised for it, and nobody else.

Source: Regulation (EU) 2016/679, Article 17; NIST SP 800-53 AC-6
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.consent.conftest import Asker
from tests.integration.consent.test_elevations import _asked, _parameters

BODY = _parameters(reason="asked for by the person")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.operations.erase.SETTLED_S", 0.01)


@pytest.mark.parametrize("who", ["ann", "dr", "researcher", "operator", "auditor", "proxy", "service"])
async def test_nobody_erases_without_the_elevation_that_it_takes(record: Asker, who: str) -> None:
    answer = await record(who, "POST", "Patient/ann/$erase", BODY)
    assert answer.status_code == 403, answer.text
    assert (await record("ann", "GET", "Patient/ann")).status_code == 200


async def test_an_operator_whom_another_raised_erases_and_is_named(record: Asker) -> None:
    await record("operator2", "POST", "$elevate-decide", _parameters(id=await _asked(record), approve=True))
    answer = await record("operator", "POST", "Patient/ann/$erase", BODY)
    assert answer.status_code == 200, answer.text
    told: Any = answer.json()
    (provenance,) = [one["resource"] for one in told["parameter"] if one["name"] == "record"]
    assert provenance["agent"][0]["who"]["reference"].startswith("Practitioner/")
    assert (await record("dr", "GET", "Patient/ann")).status_code == 404
    assert (await record("dr", "GET", "Observation/pulse")).status_code == 404
