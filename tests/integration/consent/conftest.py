"""A server that answers to grants named by a header, so that tests say on whose behalf they ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec
import pytest

from fhir_server.access.grant import OPEN, Grant
from fhir_server.app import create_app
from fhir_server.settings import Settings

FULL = ("user/*.cruds",)

GRANTS: dict[str, Grant] = {
    "admin": OPEN,
    "dr": Grant("account-dr", "app", FULL, "Practitioner/dr", roles=("clinician",)),
    "other": Grant("account-other", "app", FULL, "Practitioner/other", roles=("clinician",)),
    "researcher": Grant("account-r", "app", FULL, "Practitioner/r", roles=("researcher",)),
    "ann": Grant("account-ann", "app", FULL, "Patient/ann", roles=("patient",)),
    "bob": Grant("account-bob", "app", FULL, "Patient/bob", roles=("patient",)),
    "proxy": Grant(
        "account-p", "app", FULL, "RelatedPerson/mia", roles=("caregiver",), acting_for=("Patient/ann",)
    ),
    "operator": Grant("account-o", "app", FULL, "Practitioner/op", roles=("operator",)),
    "operator2": Grant("account-o2", "app", FULL, "Practitioner/op2", roles=("operator",)),
    "auditor": Grant("account-a", "app", FULL, "Practitioner/au", roles=("auditor",)),
    "service": Grant("nightly", "nightly", ("system/*.cruds",)),
}


async def _authenticate(headers: Mapping[str, str], address: str) -> Grant:
    return msgspec.structs.replace(GRANTS[headers["x-as"]], address=address)


@pytest.fixture
async def app(fresh_database_url: str) -> AsyncIterator[Any]:
    """Yield the app, started."""
    made = create_app(Settings(database_url=fresh_database_url))
    async with made.router.lifespan_context(made):
        made.fhir.authenticate = _authenticate
        yield made


class Asker:
    """A client that says on whose behalf it asks."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def __call__(self, who: str, method: str, url: str, json: Any = None) -> httpx.Response:
        """Return the answer to a request of somebody."""
        return await self.http.request(method, url, json=json, headers={"X-As": who})

    async def put(self, *resources: dict[str, Any]) -> None:
        """Store resources, as whoever may do everything."""
        for one in resources:
            answer = await self("admin", "PUT", f"{one['resourceType']}/{one['id']}", one)
            assert answer.status_code in (200, 201), answer.text

    async def found(self, who: str, url: str) -> set[str]:
        """Return the ids of what a search finds, whose total must say the same."""
        separator = "&" if "?" in url else "?"
        answer = await self(who, "GET", f"{url}{separator}_total=accurate&_count=100")
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        ids = {
            f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in bundle.get("entry", ())
        }
        assert bundle["total"] == len(ids)
        return ids


@pytest.fixture
async def ask(app: Any) -> AsyncIterator[Asker]:
    """Yield somebody who asks."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/fhir/", timeout=60) as http:
        yield Asker(http)


def observation(id_: str, patient: str = "ann", **more: Any) -> dict[str, Any]:
    """Return an Observation of a patient."""
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    found: dict[str, Any] = {"resourceType": "Observation", "id": id_, "status": "final", "code": code}
    return found | {"subject": {"reference": f"Patient/{patient}"}, "effectiveDateTime": "2026-03-01", **more}


@pytest.fixture
async def record(ask: Asker) -> Asker:
    """Yield somebody who asks of a record: of Ann a pulse, one of HIV, one of 2020; of Bob a pulse."""
    hiv = {"coding": [{"system": "http://loinc.org", "code": "56888-1"}]}
    people: list[dict[str, Any]] = [
        *({"resourceType": "Patient", "id": id_} for id_ in ("ann", "bob")),
        *({"resourceType": "Practitioner", "id": id_} for id_ in ("dr", "other", "r", "op", "op2", "au")),
        {"resourceType": "Organization", "id": "o", "name": "Clinic"},
        {"resourceType": "RelatedPerson", "id": "mia", "patient": {"reference": "Patient/ann"}},
    ]
    await ask.put(*people, observation("pulse"), observation("hiv", code=hiv))
    await ask.put(observation("old", effectiveDateTime="2020-05-05"), observation("bobs", "bob"))
    return ask
