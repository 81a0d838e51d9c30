"""A transaction that holds a connection needs no second one, whatever its bundle has in it."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.integrity.resources import SYSTEM, Json, Maker
from tests.integration.web import client
from tests.integrity import differences


def demanding(maker: Maker, number: int, contained: int) -> Json:
    """Return a transaction whose Observation is indexed again within it, with new labels, names and contained ones."""
    urn = f"urn:uuid:00000000-0000-4000-8000-{number:012d}"
    inner = [
        {"resourceType": "Organization", "id": f"o{each}", "name": f"inner {number} {each}"}
        for each in range(contained)
    ]
    patient = maker.resource("Patient") | {"identifier": [{"system": SYSTEM, "value": f"n{number}"}]}
    observation = maker.plain_observation() | {
        "contained": inner,
        "performer": [{"reference": f"#o{each}"} for each in range(contained)],
        "code": {"text": f"label {number}"},
        "subject": {"reference": f"Patient?identifier={SYSTEM}|n{number}"},
        "focus": [{"reference": f"Location/named-by-{number}"}],
    }
    entries = [
        {"fullUrl": urn, "resource": patient, "request": {"method": "POST", "url": "Patient"}},
        {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@pytest.mark.parametrize("size", [1, 2])
async def test_twenty_transactions_share_a_small_pool(fresh_database_url: str, size: int) -> None:
    maker = Maker(size)
    async with client(fresh_database_url, pool_size=size, pool_timeout_s=5) as web:
        web.timeout = 60
        sent = [web.post("", json=demanding(maker, number, 40)) for number in range(20)]
        answers = await asyncio.gather(*sent)
        assert [answer.status_code for answer in answers] == [200] * 20
    assert await differences(fresh_database_url) == []
