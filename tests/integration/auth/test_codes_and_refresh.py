"""Codes work once, refresh tokens work once, and what is stolen ends what came of it.

Source: RFC 6749 sections 4.1.2 and 6, RFC 7636 section 4.6, RFC 9700 section 4.14
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from fhir_server.auth import families
from tests.integration.auth.smart import ANA, REDIRECT, REFRESH, Smart, challenge_of, only, pkce


async def _code(server: Smart, **said: str | None) -> tuple[str, str]:
    """Return the app's redirect with a code, and its verifier."""
    await server.client()
    verifier, challenge = pkce()
    return await server.agree(await server.ask(challenge, **said)), verifier


def _refused(answer: httpx.Response, code: str) -> None:
    assert answer.status_code in (400, 401), answer.text
    assert answer.json()["error"] == code
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"


async def test_a_code_works_once_and_its_replay_ends_what_came_of_it(server: Smart) -> None:
    back, verifier = await _code(server)
    told = (await server.redeem(back, verifier)).json()
    assert await server.works(told["access_token"])
    _refused(await server.redeem(back, verifier), "invalid_grant")
    assert not await server.works(told["access_token"])
    again = await server.token(grant_type=REFRESH, refresh_token=told["refresh_token"], client_id="app")
    _refused(again, "invalid_grant")


@pytest.mark.parametrize("wrong", ["", "short", "x" * 43, "x" * 129, "ä" * 43])
async def test_a_code_needs_the_verifier_of_its_challenge(server: Smart, wrong: str) -> None:
    back, _ = await _code(server)
    answer = await server.redeem(back, wrong)
    _refused(answer, "invalid_grant" if wrong else "invalid_request")


async def test_the_challenge_itself_is_no_verifier(server: Smart) -> None:
    back, verifier = await _code(server)
    _refused(await server.redeem(back, challenge_of(verifier)), "invalid_grant")


async def test_a_code_is_for_the_client_that_asked(server: Smart) -> None:
    back, verifier = await _code(server)
    await server.client("other")
    _refused(await server.redeem(back, verifier, "other"), "invalid_grant")
    _refused(await server.redeem(back, verifier), "invalid_grant")  # whoever had it, it has leaked


@pytest.mark.parametrize("uri", [REDIRECT + "/", "https://app.example.org/other", ""])
async def test_a_code_is_for_the_redirect_uri_that_it_was_sent_to(server: Smart, uri: str) -> None:
    back, verifier = await _code(server)
    answer = await server.redeem(back, verifier, redirect_uri=uri)
    _refused(answer, "invalid_grant" if uri else "invalid_request")


async def test_a_code_expires_after_a_minute(server: Smart) -> None:
    back, verifier = await _code(server)
    async with server.authority.store.pool.connection() as conn:
        row = await (
            await conn.execute("SELECT max(expires - now()) < interval '61 seconds' FROM auth_code")
        ).fetchone()
        assert row == (True,)
        await conn.execute("UPDATE auth_code SET expires = now() - interval '1 second'")
    _refused(await server.redeem(back, verifier), "invalid_grant")


async def test_codes_and_tokens_are_stored_as_hashes(server: Smart) -> None:
    back, verifier = await _code(server)
    told = (await server.redeem(back, verifier)).json()
    async with server.authority.store.pool.connection() as conn:
        for table in ("auth_code", "auth_refresh", "auth_family", "auth_ask"):
            dump = str(await (await conn.execute(f"SELECT t::text FROM {table} t")).fetchall())
            assert only(back, "code") not in dump
            assert told["refresh_token"] not in dump
            assert told["refresh_token"].encode().hex() not in dump


async def _renewed(server: Smart, told: dict[str, Any], **form: str) -> httpx.Response:
    said = {"grant_type": REFRESH, "refresh_token": told["refresh_token"], "client_id": "app", **form}
    return await server.token(**said)


async def test_a_refresh_token_gives_new_tokens_in_the_same_context(server: Smart) -> None:
    await server.client()
    first = await server.launch(scope="openid fhirUser launch/patient offline_access patient/*.rs")
    answer = await _renewed(server, first)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    for name in ("scope", "patient", "token_type", "expires_in"):
        assert second[name] == first[name]
    assert await server.works(second["access_token"])


async def test_a_refresh_token_that_comes_twice_ends_the_family(server: Smart) -> None:
    await server.client()
    first = await server.launch()
    second = (await _renewed(server, first)).json()
    _refused(await _renewed(server, first), "invalid_grant")
    _refused(await _renewed(server, second), "invalid_grant")
    assert not await server.works(first["access_token"])
    assert not await server.works(second["access_token"])


async def test_another_client_with_a_refresh_token_ends_the_family(server: Smart) -> None:
    await server.client()
    await server.client("other")
    told = await server.launch()
    _refused(await _renewed(server, told, client_id="other"), "invalid_grant")
    _refused(await _renewed(server, told), "invalid_grant")


async def test_a_refresh_lives_three_months_from_each_use(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    lives = "SELECT min(expires - now()) > interval '92 days' FROM auth_refresh WHERE used IS NULL"
    async with server.authority.store.pool.connection() as conn:
        assert await (await conn.execute(lives)).fetchone() == (True,)
        await conn.execute("UPDATE auth_refresh SET expires = now() + interval '1 day'")
    await _renewed(server, told)
    async with server.authority.store.pool.connection() as conn:
        assert await (
            await conn.execute(f"{lives} AND issued = (SELECT max(issued) FROM auth_refresh)")
        ).fetchone() == (True,)


async def test_a_refreshed_token_may_have_less_but_never_more(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    answer = await _renewed(server, told, scope="patient/*.cruds")
    _refused(answer, "invalid_scope")
    less = (
        await _renewed(server, told, scope="patient/Observation.r")
    ).json()  # the wrong wish has not cost the token
    assert less["scope"] == "patient/Observation.r"
    full = (await _renewed(server, less)).json()
    assert full["scope"] == told["scope"]


async def test_online_access_ends_with_the_session(server: Smart) -> None:
    await server.client()
    told = await server.launch(scope="launch/patient online_access patient/*.rs")
    second = (await _renewed(server, told)).json()
    server.people.ended.add(ANA.session)
    _refused(await _renewed(server, second), "invalid_grant")
    assert not await server.works(second["access_token"])


async def test_offline_access_goes_on_after_the_session(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    server.people.ended.add(ANA.session)
    await families.revoke_sessions(server.authority.store, ANA.account, ANA.session)
    assert (await _renewed(server, told)).status_code == 200


async def test_an_account_that_is_locked_gets_no_new_tokens(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    del server.people.people["ana"]
    _refused(await _renewed(server, told), "invalid_grant")


async def test_roles_of_a_refreshed_token_are_those_of_now(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    server.people.people["ana"] = msgspec.structs.replace(ANA, roles=("patient", "auditor"))
    again = (await _renewed(server, told)).json()
    assert server.authority.bearer.known(again["access_token"]).roles == ("patient", "auditor")


async def test_an_app_that_is_revoked_has_no_access_within_a_second(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    assert [one.client for one in await families.apps(server.authority.store, "ana")][:1] == ["app"]
    await families.revoke_app(server.authority.store, "ana", "app")
    assert not await server.works(told["access_token"])
    assert await families.apps(server.authority.store, "ana") == []
    _refused(await _renewed(server, told), "invalid_grant")
    page = await server.ask(pkce()[1])
    assert page.startswith("/auth/consent")


async def test_a_code_that_waits_is_worth_nothing_after_revocation(server: Smart) -> None:
    back, verifier = await _code(server)
    await families.revoke_app(server.authority.store, "ana", "app")
    _refused(await server.redeem(back, verifier), "invalid_grant")


async def test_without_leave_to_stay_there_is_no_refresh_token(server: Smart) -> None:
    await server.client()
    told = await server.launch(scope="launch/patient patient/*.rs")
    assert "refresh_token" not in told


@pytest.mark.parametrize("form", [{}, {"grant_type": "password"}, {"grant_type": "implicit"}])
async def test_other_grants_are_refused(server: Smart, form: dict[str, str]) -> None:
    await server.client()
    answer = await server.token(client_id="app", **form)
    _refused(answer, "unsupported_grant_type" if form else "invalid_request")


async def test_a_parameter_may_be_sent_once(server: Smart) -> None:
    answer = await server.web.post(
        "/auth/token",
        content="grant_type=refresh_token&grant_type=refresh_token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    _refused(answer, "invalid_request")


async def test_parameters_come_in_a_form(server: Smart) -> None:
    answer = await server.web.post(
        "/auth/token?grant_type=refresh_token", json={"grant_type": "refresh_token"}
    )
    assert answer.status_code == 415
    assert answer.json()["error"] == "invalid_request"
