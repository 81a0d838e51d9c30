"""Only this server's own access tokens open its FHIR interface, and only as long as they are good.

Source: RFC 6750 section 3, RFC 9068 section 4, RFC 8725 section 3
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from fhir_server.auth import keys
from fhir_server.auth.revocations import revoke
from tests.integration.auth.smart import BASE, ISSUER, Smart, compact

STRANGER = RSAKey.generate_key(2048)


def _claims(**said: Any) -> dict[str, Any]:
    now = int(time.time())
    plain = {
        "iss": ISSUER, "aud": BASE, "sub": "ana", "client_id": "app", "scope": "patient/*.rs", "iat": now,
        "exp": now + 300, "jti": "t-1", "sid": "f-1", "patient": "ana",
        "fhirUser": "Patient/ana",
    }  # fmt: skip
    return {name: value for name, value in {**plain, **said}.items() if value is not None}


def _signed(server: Smart, said: dict[str, Any], key: Any = None, alg: str = "RS256", **header: Any) -> str:
    ours = server.authority.keys.signing
    return jwt.encode(
        {"alg": alg, "typ": "at+jwt", "kid": ours.kid, **header}, said, key or ours, algorithms=[alg]
    )


async def _asked(server: Smart, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await server.web.get("/fhir/Observation", headers=headers)


def _refused(answer: httpx.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_good_token_is_let_in(server: Smart) -> None:
    assert (await _asked(server, f"Bearer {_signed(server, _claims())}")).status_code == 200
    assert (await _asked(server, f"bearer {_signed(server, _claims())}")).status_code == 200


async def test_without_a_token_the_way_to_one_is_told(server: Smart) -> None:
    answer = await _asked(server, None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer realm="{BASE}"'


async def test_a_token_in_the_address_is_not_looked_at(server: Smart) -> None:
    token = _signed(server, _claims())
    assert (await server.web.get(f"/fhir/Observation?access_token={token}")).status_code == 401


@pytest.mark.parametrize(
    "said",
    [
        {"iss": "https://other.example"}, {"iss": None}, {"aud": ISSUER}, {"aud": None}, {"aud": "https://x.example/fhir"},
        {"exp": 1}, {"exp": None}, {"exp": "9999999999"}, {"iat": None}, {"iat": int(time.time()) + 3600},
    ],
    ids="-".join,
)  # fmt: skip
async def test_a_token_with_wrong_claims_is_refused(server: Smart, said: dict[str, Any]) -> None:
    _refused(await _asked(server, f"Bearer {_signed(server, _claims(**said))}"))


def _none(server: Smart) -> str:
    return compact({"alg": "none", "typ": "at+jwt", "kid": server.authority.keys.signing.kid}, _claims())


def _confused(server: Smart) -> str:
    ours = server.authority.keys.signing
    return compact({"alg": "HS256", "typ": "at+jwt", "kid": ours.kid}, _claims(), ours.as_pem(private=False))


def _plain(server: Smart) -> RSAKey:
    """Return our key, willing to sign by any algorithm."""
    return RSAKey.import_key(server.authority.keys.signing.as_pem(private=True))


def _changed(server: Smart) -> str:
    head, _, signature = _signed(server, _claims()).split(".")
    more = base64.urlsafe_b64encode(json.dumps(_claims(scope="system/*.cruds")).encode()).decode().rstrip("=")
    return f"{head}.{more}.{signature}"


FORGED: dict[str, Callable[..., str]] = {
    "none": _none,
    "hmac with the public key": _confused,
    "changed claims": _changed,
    "another key": lambda server: _signed(server, _claims(), STRANGER),
    "another key in its header": lambda server: _signed(
        server, _claims(), STRANGER, jwk=STRANGER.as_dict(private=False)
    ),
    "unknown kid": lambda server: _signed(server, _claims(), kid="nobody"),
    "another algorithm": lambda server: _signed(server, _claims(), _plain(server), "RS384"),
    "an id token": lambda server: _signed(server, _claims(), typ="JWT"),
    "garbage": lambda server: "garbage",
    "dots": lambda server: "..",
    "not ASCII": lambda server: "\xe4.\xe4.\xe4",
    "too long": lambda server: "a" * 30_000,
    "two": lambda server: "a b",
}


@pytest.mark.parametrize("forge", FORGED)
async def test_a_forged_token_is_refused(server: Smart, forge: str) -> None:
    header = b"Bearer " + FORGED[forge](server).encode("latin-1")
    answer = await server.web.get("/fhir/Observation", headers={b"Authorization": header})
    if forge == "too long" and answer.status_code == 431:
        return
    _refused(answer)


async def test_an_id_token_opens_nothing(server: Smart) -> None:
    await server.client()
    _refused(await _asked(server, f"Bearer {(await server.launch())['id_token']}"))


async def test_a_known_token_is_refused_once_it_has_expired(server: Smart) -> None:
    token = _signed(server, _claims(exp=int(time.time()) + 1))
    assert (await _asked(server, f"Bearer {token}")).status_code == 200
    time.sleep(1.2)  # noqa: ASYNC251
    _refused(await _asked(server, f"Bearer {token}"))


@pytest.mark.parametrize("what", ["sid:f-7", "jti:t-7", "client:app-7"])
async def test_a_known_token_is_refused_within_a_second_of_its_revocation(server: Smart, what: str) -> None:

    kind, _, name = what.partition(":")
    token = _signed(server, _claims(**{{"sid": "sid", "jti": "jti", "client": "client_id"}[kind]: name}))
    assert (await _asked(server, f"Bearer {token}")).status_code == 200
    async with server.authority.store.pool.connection() as conn:
        await revoke(conn, [what], 60)
    await asyncio.sleep(1.3)
    _refused(await _asked(server, f"Bearer {token}"))
    other = _signed(server, _claims(sid="f-2", jti="t-2", client_id="b"))
    assert (await _asked(server, f"Bearer {other}")).status_code == 200


async def test_nobody_is_let_in_where_revocations_are_not_known(
    server: Smart, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = _signed(server, _claims())
    assert (await _asked(server, f"Bearer {token}")).status_code == 200
    monkeypatch.setattr(server.authority.revoked, "_read", time.monotonic() - 6)
    answer = await _asked(server, f"Bearer {token}")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_a_new_signing_key_is_published_before_it_signs_and_the_old_one_after(server: Smart) -> None:
    mine = server.authority
    old = mine.keys.signing.kid
    token = _signed(server, _claims())
    new = await keys.rotate(mine.store, mine.keys)
    await mine.keys.load(mine.store)
    published = {one["kid"] for one in (await server.web.get("/auth/jwks")).json()["keys"]}
    assert {old, new} <= published
    assert mine.keys.signing.kid == old
    async with mine.store.pool.connection() as conn:
        await conn.execute("UPDATE auth_signing_key SET signs = now() WHERE kid = %s", (new,))
    await mine.keys.load(mine.store)
    assert mine.keys.signing.kid == new
    assert (await _asked(server, f"Bearer {token}")).status_code == 200


async def test_a_stolen_signing_key_is_worth_nothing_at_once(server: Smart) -> None:
    mine = server.authority
    stolen = mine.keys.signing
    known = _signed(server, _claims(jti="seen before"))
    assert (await _asked(server, f"Bearer {known}")).status_code == 200
    await keys.rotate(mine.store, mine.keys, at_once=True)
    await mine.keys.load(mine.store)
    assert mine.keys.signing.kid != stolen.kid
    token = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": stolen.kid}, _claims(), stolen)
    _refused(await _asked(server, f"Bearer {token}"))
    _refused(await _asked(server, f"Bearer {known}"))


async def test_private_keys_are_sealed_in_the_database(server: Smart) -> None:
    secret = str(server.authority.keys.signing.as_dict(private=True)["d"])
    async with server.authority.store.pool.connection() as conn:
        rows = await (await conn.execute("SELECT public::text, private FROM auth_signing_key")).fetchall()
    assert rows
    for public, private in rows:
        assert secret not in public
        assert secret.encode() not in bytes(private)
