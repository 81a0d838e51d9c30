"""Rules on when roles count, over HTTP.

Source: docs/explanation/consent.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fhir_server.access.attributes import Rule
from fhir_server.access.grant import Grant
from tests.integration.consent.conftest import Asker, observation

ALL = {"Observation/pulse", "Observation/hiv", "Observation/old", "Observation/bobs"}


async def test_a_role_of_another_network_has_no_access(record: Asker, app: Any) -> None:
    app.fhir.policies.rules = (Rule("clinician", "a test", networks=("10.0.0.0/8",)),)
    assert (await record("dr", "GET", "Observation/pulse")).status_code == 403
    assert (await record("dr", "GET", "Organization/o")).status_code == 403
    answer = await record("dr", "PUT", "Observation/pulse", observation("pulse"))
    assert answer.status_code == 403
    assert (await record("ann", "GET", "Observation/pulse")).status_code == 200
    app.fhir.policies._kept.clear()
    app.fhir.policies.rules = (Rule("clinician", "a test", networks=("127.0.0.0/8",)),)
    assert await record.found("dr", "Observation") == ALL


async def test_a_role_counts_for_those_who_work_there(record: Asker, app: Any) -> None:
    app.fhir.policies.rules = (Rule("clinician", "a test", organizations=("Organization/o",)),)
    assert (await record("dr", "GET", "Observation/pulse")).status_code == 403
    role = {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/dr"}}
    await record.put(role | {"organization": {"reference": "Organization/o"}})
    assert await record.found("dr", "Observation") == ALL


@pytest.mark.parametrize(
    ("role", "purpose"), [("researcher", "TREAT"), ("auditor", "TREAT"), ("operator", "HRESCH")]
)
async def test_a_purpose_that_is_not_the_roles_opens_nothing(
    record: Asker, app: Any, role: str, purpose: str
) -> None:
    grant = Grant("account", "app", ("user/*.cruds",), "Practitioner/x", roles=(role,), purpose=purpose)

    async def authenticate(_headers: Mapping[str, str], _address: str) -> Grant:
        return grant

    app.fhir.authenticate = authenticate
    assert (await record("x", "GET", "Observation/pulse")).status_code == 403
    assert (await record("x", "GET", "Observation/pulse/$explain-access?user=Patient/ann")).status_code == 403
    assert (await record("x", "GET", "$elevations")).status_code == 403
