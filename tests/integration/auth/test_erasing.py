"""Of a patient who is erased, the authorization server keeps nothing."""

from __future__ import annotations

from fhir_server.auth.erasing import erased
from tests.integration.auth.smart import ANA, DOCTOR, Smart, pkce
from tests.integration.auth.test_app_state import SCOPE, Kept, _state


async def test_nothing_is_kept_of_an_erased_patient(server: Smart) -> None:
    await server.client()
    own = await server.launch(ANA, scope=f"{SCOPE} offline_access")
    await Kept(server, own["access_token"]).send("POST", json=_state())
    verifier, challenge = pkce()
    page = await server.ask(challenge, DOCTOR)
    clinician = (await server.redeem(await server.agree(page, DOCTOR, patient="ana"), verifier)).json()
    other = await server.launch(DOCTOR, scope="openid user/*.rs")
    async with server.authority.store.transaction() as conn:
        assert await erased(conn, "Patient/ana") == 2
    assert not await server.works(own["access_token"])
    assert not await server.works(clinician["access_token"])
    assert await server.works(other["access_token"])
    tables = ("app_state", "family", "refresh", "code", "ask", "agreed", "launch")
    async with server.authority.store.pool.connection() as conn:
        for table in tables:
            rows = await (await conn.execute(f"SELECT t::text FROM auth_{table} t")).fetchall()
            assert not [row for row in rows if '"ana"' in row[0] or "Patient/ana" in row[0]], table
