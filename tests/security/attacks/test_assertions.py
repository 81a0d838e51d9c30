"""Programs that prove who they are with assertions which are not theirs, not for us, or not for now.

Source: SMART App Launch 2.2 (client-confidential-asymmetric), RFC 7523 section 3, RFC 8725
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey, RSAKey

from fhir_server.auth.assertions import TYPE
from tests.integration.auth.smart import BASE, CREDENTIALS, ISSUER, Smart, compact, smart
from tests.integration.auth.test_backend import EC, KEYS, RSA, claims, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = RSAKey.generate_key(2048, {"kid": "rsa"})
OTHERS = RSAKey.generate_key(2048, {"kid": "others"})
SMALL = ECKey.generate_key("P-256", {"kid": "ec"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Smart]:
    """Yield a server with a backend service, another one, an app, and a service that is switched off."""
    async with smart(database_url, data_dir=tmp_path_factory.mktemp("data")) as one:
        program: dict[str, Any] = {"kind": "key", "grants": [CREDENTIALS], "redirect_uris": []}
        others = {"keys": [OTHERS.as_dict(private=False)]}
        await one.client("backend", jwks=KEYS, scopes=["system/*.rs"], **program)
        await one.client("other", jwks=others, scopes=["system/*.cruds"], **program)
        await one.client("off", jwks=KEYS, scopes=["system/*.rs"], state="off", **program)
        await one.client()
        yield one


def _now(seconds: float) -> int:
    return int(time.time() + seconds)


FORGED: dict[str, Callable[[Smart], str]] = {
    "by another key under the same name": lambda s: signed(claims(), MINE),
    "by another service's key": lambda s: signed(claims(), OTHERS),
    "by another service's key under its name": lambda s: signed(claims(iss="other", sub="other"), RSA),
    "by the server's own key": lambda s: signed(claims(), s.authority.keys.signing, "RS256"),
    "without a signature": lambda s: compact({"alg": "none", "kid": "rsa"}, claims()),
    "with HMAC and the public key": lambda s: compact({"alg": "HS256", "kid": "rsa"}, claims(), RSA.as_pem(private=False)),
    "with HMAC that says RS384": lambda s: compact({"alg": "RS384", "kid": "rsa"}, claims(), RSA.as_pem(private=False)),
    "with RS256": lambda s: signed(claims(), RSA, "RS256"),
    "with PS384": lambda s: signed(claims(), RSA, "PS384"),
    "with a curve that is not registered": lambda s: signed(claims(), SMALL, "ES256"),
    "with the kinds of keys mixed": lambda s: compact({"alg": "RS384", "kid": "ec"}, claims()) + "AA",
    "with a key in its header": lambda s: signed(claims(), MINE, jwk=MINE.as_dict(private=False)),
    "with a key set in its header": lambda s: signed(claims(), MINE, jku="https://evil.example/jwks.json"),
    "with a certificate in its header": lambda s: signed(claims(), MINE, x5c=["AAAA"]),
    "without the name of a key": lambda s: compact({"alg": "RS384"}, claims()),
    "with a name that is SQL": lambda s: signed(claims(), MINE, kid="' OR '1'='1"),
    "for another server": lambda s: signed(claims(aud="https://evil.example/auth/token")),
    "for the server, not its endpoint": lambda s: signed(claims(aud=ISSUER)),
    "for the FHIR base": lambda s: signed(claims(aud=BASE)),
    "for nobody": lambda s: signed(claims(aud=None)),
    "expired": lambda s: signed(claims(exp=_now(-120))),
    "for an hour": lambda s: signed(claims(exp=_now(3600))),
    "for ever": lambda s: signed(claims(exp=None)),
    "until infinity": lambda s: signed(claims(exp=10**30)),
    "from tomorrow": lambda s: signed(claims(nbf=_now(86_400))),
    "made tomorrow": lambda s: signed(claims(iat=_now(86_400))),
    "without a jti": lambda s: signed(claims(jti=None)),
    "with an empty jti": lambda s: signed(claims(jti="")),
    "with a jti that is no text": lambda s: signed(claims(jti=7)),
    "in the name of two": lambda s: signed(claims(sub="other")),
    "in the name of an app": lambda s: signed(claims(iss="app", sub="app")),
    "in the name of nobody": lambda s: signed(claims(iss="nobody", sub="nobody")),
    "in a name that is SQL": lambda s: signed(claims(iss="' OR 1=1 --", sub="' OR 1=1 --")),
    "in a name with a zero byte": lambda s: signed(claims(iss="a\0b", sub="a\0b")),
    "in the name of one who is switched off": lambda s: signed(claims(iss="off", sub="off")),
    "an access token": lambda s: signed(claims(), RSA, typ="at+jwt"),
    "garbage": lambda s: "a.b.c",
    "nothing": lambda s: "",
    "a megabyte": lambda s: "a" * 20_000,
}  # fmt: skip


async def _sent(server: Smart, assertion: str, **form: str) -> httpx.Response:
    said = {"grant_type": CREDENTIALS, "scope": "system/*.rs", "client_assertion_type": TYPE, **form}
    return await server.token(**said, client_assertion=assertion)


@pytest.mark.parametrize("tried", FORGED)
async def test_a_forged_assertion_gets_nothing(server: Smart, tried: str) -> None:
    answer = await _sent(server, FORGED[tried](server))
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"] == "invalid_client"


async def test_of_an_assertion_sent_many_times_at_once_one_is_taken(server: Smart) -> None:
    assertion = signed(claims())
    answers = await asyncio.gather(*(_sent(server, assertion) for _ in range(8)))
    assert sorted(one.status_code for one in answers) == [200, *[401] * 7]


async def test_the_same_jti_of_another_service_is_another(server: Smart) -> None:
    said = claims()
    assert (await _sent(server, signed(said))).status_code == 200
    theirs = signed({**said, "iss": "other", "sub": "other"}, OTHERS)
    assert (await _sent(server, theirs)).status_code == 200
    assert (await _sent(server, signed(said, EC, "ES384"))).status_code == 401


FORMS: dict[str, dict[str, str]] = {
    "with a secret as well": {"client_secret": "x"},
    "with another's name": {"client_id": "other"},
    "of another kind": {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
    "of no kind": {"client_assertion_type": ""},
    "for a person's scopes": {"scope": "patient/*.rs"},
    "for more than it is registered for": {"scope": "system/*.cud"},
    "for no scope": {"scope": ""},
    "for a launch": {"scope": "launch openid fhirUser"},
    "for a code": {
        "grant_type": "authorization_code",
        "code": "x",
        "redirect_uri": "x",
        "code_verifier": "x" * 43,
    },
}


@pytest.mark.parametrize("tried", FORMS)
async def test_a_good_assertion_bent_to_another_purpose_gets_nothing(server: Smart, tried: str) -> None:
    answer = await _sent(server, signed(claims()), **FORMS[tried])
    assert answer.status_code in (400, 401), answer.text
    assert "access_token" not in answer.json()
