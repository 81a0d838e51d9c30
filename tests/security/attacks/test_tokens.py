"""Access tokens that are forged, bent, borrowed or put where they do not belong.

Source: RFC 8725 (JSON Web Token best current practices), RFC 9068 section 4, RFC 6750, CVE-2015-9235 (none, algorithm
confusion), CVE-2018-0114 (key in the header), CVE-2022-21449 (empty ECDSA signature)
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.integration.auth.smart import BASE, ISSUER, Smart, compact, only, pkce, smart

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = RSAKey.generate_key(2048, {"kid": "mine"})
CURVE = ECKey.generate_key("P-256", {"kid": "mine"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Smart]:
    """Yield a server with authorization and an app."""
    folder: Path = tmp_path_factory.mktemp("data")
    async with smart(database_url, data_dir=folder) as one:
        await one.client()
        yield one


def claims(**said: Any) -> dict[str, Any]:
    """Return the claims of a good token; None leaves one out."""
    now = int(time.time())
    plain = {
        "iss": ISSUER, "aud": BASE, "sub": "ana", "client_id": "app", "scope": "patient/*.rs", "iat": now,
        "exp": now + 300, "jti": "t", "sid": "f", "patient": "ana", "fhirUser": "Patient/ana", "roles": ["patient"],
    }  # fmt: skip
    return {name: value for name, value in {**plain, **said}.items() if value is not None}


def _header(server: Smart, **said: Any) -> dict[str, Any]:
    return {"alg": "RS256", "typ": "at+jwt", "kid": server.authority.keys.signing.kid, **said}


def _by_us(server: Smart, said: dict[str, Any], **header: Any) -> str:
    return jwt.encode(_header(server, **header), said, server.authority.keys.signing, algorithms=["RS256"])


def _by_me(server: Smart, key: Any = MINE, alg: str = "RS256", **header: Any) -> str:
    return jwt.encode(
        _header(server, alg=alg, **header), claims(scope="system/*.cruds"), key, algorithms=[alg]
    )


def _by_hand(server: Smart, said: Any, **header: Any) -> str:
    """Return what our own key signs although no library of ours would let it."""
    said_so = compact(_header(server, **header), said).rpartition(".")[0]
    key = server.authority.keys.signing.private_key
    assert key is not None
    proof = key.sign(said_so.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{said_so}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def _unsigned(server: Smart, alg: str) -> str:
    return compact(_header(server, alg=alg), claims())


def _hashed(server: Smart, secret: bytes, alg: str = "HS256") -> str:
    return compact(_header(server, alg=alg), claims(), secret)


def _pem(server: Smart) -> bytes:
    return server.authority.keys.signing.as_pem(private=False)


def _der(server: Smart) -> bytes:
    return server.authority.keys.signing.as_der(private=False)


def _jwk(server: Smart) -> bytes:
    return json.dumps(server.authority.keys.signing.as_dict(private=False)).encode()


def _swapped(server: Smart, **said: Any) -> str:
    head, _, proof = _by_us(server, claims()).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(**said)).encode()).decode().rstrip("=")
    return f"{head}.{body}.{proof}"


def _cut(server: Smart, keep: int) -> str:
    return ".".join([*_by_us(server, claims()).split(".")[:keep], *[""] * (3 - keep)])


def _flipped(server: Smart) -> str:
    token = _by_us(server, claims())
    return token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]


TOKENS: dict[str, Callable[[Smart], str]] = {
    "no algorithm": lambda s: _unsigned(s, "none"),
    "no algorithm, in other letters": lambda s: _unsigned(s, "nOnE"),
    "no algorithm, empty": lambda s: _unsigned(s, ""),
    "no signature under the right algorithm": lambda s: _unsigned(s, "RS256"),
    "HMAC with our public key as PEM": lambda s: _hashed(s, _pem(s)),
    "HMAC with our public key as DER": lambda s: _hashed(s, _der(s)),
    "HMAC with our public key as JWK": lambda s: _hashed(s, _jwk(s)),
    "HMAC with nothing": lambda s: _hashed(s, b"\0"),
    "HMAC that says RS256": lambda s: _hashed(s, _pem(s), "RS256"),
    "a key of one's own under our name": _by_me,
    "a key of one's own under its name": lambda s: _by_me(s, kid="mine"),
    "a key in the header": lambda s: _by_me(s, jwk=MINE.as_dict(private=False)),
    "a key set named in the header": lambda s: _by_me(s, kid="mine", jku="https://evil.example/jwks.json"),
    "a certificate named in the header": lambda s: _by_me(s, kid="mine", x5u="https://evil.example/cert.pem"),
    "a name of a key that is a path": lambda s: _by_me(s, kid="../../../../dev/null"),
    "a name of a key that is SQL": lambda s: _by_me(s, kid="' UNION SELECT 'x' --"),
    "no name of a key": lambda s: _by_me(s, kid=""),
    "an elliptic key": lambda s: _by_me(s, CURVE, "ES256"),
    "an empty elliptic signature": lambda s: _unsigned(s, "ES256") + "A" * 86,
    "a longer hash": lambda s: _by_me(s, MINE, "RS512"),
    "PSS instead of PKCS#1": lambda s: _by_me(s, MINE, "PS256"),
    "more scope under the old signature": lambda s: _swapped(s, scope="system/*.cruds"),
    "another patient under the old signature": lambda s: _swapped(s, patient="bob"),
    "longer under the old signature": lambda s: _swapped(s, exp=4_000_000_000),
    "a role under the old signature": lambda s: _swapped(s, roles=["operator"]),
    "one letter of the signature changed": _flipped,
    "signature cut off": lambda s: _cut(s, 2),
    "claims and signature cut off": lambda s: _cut(s, 1),
    "something critical that nobody knows": lambda s: _by_hand(s, claims(), crit=["x-mine"], **{"x-mine": 1}),
    "claims that are a list, signed by us": lambda s: _by_hand(s, [1]),
    "claims that are null, signed by us": lambda s: _by_hand(s, None),
    "claims that are not encoded": lambda s: compact(_header(s, b64=False, crit=["b64"]), claims()),
    "an id token": lambda s: _by_us(s, claims(aud="app"), typ="JWT"),
    "an access token of another kind": lambda s: _by_us(s, claims(), typ="jwt"),
    "issued by another": lambda s: _by_us(s, claims(iss="https://evil.example")),
    "issued by one who is almost us": lambda s: _by_us(s, claims(iss=ISSUER + "/")),
    "issued by nobody": lambda s: _by_us(s, claims(iss=None)),
    "for another server": lambda s: _by_us(s, claims(aud="https://evil.example/fhir")),
    "for one whose name begins like ours": lambda s: _by_us(s, claims(aud=BASE + ".evil.example")),
    "for nobody": lambda s: _by_us(s, claims(aud=None)),
    "expired": lambda s: _by_us(s, claims(exp=int(time.time()) - 1)),
    "that never expires": lambda s: _by_us(s, claims(exp=None)),
    "that expires in words": lambda s: _by_us(s, claims(exp="never")),
    "that expires at true": lambda s: _by_us(s, claims(exp=True)),
    "from the future": lambda s: _by_us(s, claims(iat=int(time.time()) + 86_400, exp=int(time.time()) + 90_000)),
    "five parts, as if it were encrypted": lambda s: _by_us(s, claims()) + ".a.b",
    "claims that are no object": lambda s: compact(_header(s), [1]),  # type: ignore[arg-type]
    "depth that ends stacks": lambda s: "A" * 10 + "." + base64.urlsafe_b64encode(b"[" * 9000).decode() + ".A",
    "nothing": lambda s: "",
    "a thousand dots": lambda s: "." * 1000,
}  # fmt: skip


@pytest.mark.parametrize("tried", TOKENS)
async def test_what_is_no_token_of_ours_opens_nothing(server: Smart, tried: str) -> None:
    for path in (
        "/fhir/Observation",
        "/fhir/Patient/ana",
        "/fhir/Patient/ana/$everything",
        "/fhir/AuditEvent",
    ):
        answer = await server.web.get(
            path, headers={"Authorization": f"Bearer {TOKENS[tried](server)}".strip()}
        )
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert answer.json()["resourceType"] == "OperationOutcome"


async def test_the_same_token_unforged_does_open(server: Smart) -> None:
    for token in (_by_us(server, claims()), _by_hand(server, claims())):
        answer = await server.web.get("/fhir/Observation", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "in the address": lambda t: {"url": f"/fhir/Observation?access_token={t}"},
    "in a form": lambda t: {
        "method": "POST",
        "url": "/fhir/Observation/_search",
        "data": {"access_token": t},
    },
    "in a cookie": lambda t: {"headers": {"Cookie": f"access_token={t}; hb={t}"}},
    "as Basic": lambda t: {"headers": {"Authorization": f"Basic {t}"}},
    "without its scheme": lambda t: {"headers": {"Authorization": t}},
    "twice in a header": lambda t: {"headers": {"Authorization": f"Bearer {t}, Bearer {t}"}},
    "in a header of proxies": lambda t: {
        "headers": {"X-Forwarded-Authorization": f"Bearer {t}", "X-Auth": t}
    },
    "with a line end": lambda t: {"headers": {"Authorization": f"Bearer {t}\tx"}},
}


@pytest.mark.parametrize("tried", PLACES)
async def test_a_token_counts_in_its_header_alone(server: Smart, tried: str) -> None:
    said = {"method": "GET", "url": "/fhir/Observation", **PLACES[tried](_by_us(server, claims()))}
    assert (await server.web.request(**said)).status_code in (400, 401)


async def test_other_secrets_are_no_access_tokens(server: Smart) -> None:
    """Codes, refresh tokens, id tokens: each is good for its own purpose."""
    verifier, challenge = pkce()
    back = await server.agree(await server.ask(challenge, prompt="consent"))
    code = only(back, "code")
    told = (await server.redeem(back, verifier)).json()
    for secret in (code, told["refresh_token"], told["id_token"]):
        assert not await server.works(secret)
    assert await server.works(told["access_token"])


async def test_an_access_token_is_no_other_secret(server: Smart) -> None:
    told = await server.launch(prompt="consent")
    access = told["access_token"]
    refreshed = await server.token(grant_type="refresh_token", refresh_token=access, client_id="app")
    assert refreshed.json()["error"] == "invalid_grant"
    redeemed = await server.redeem(f"https://app.example.org/back?code={access}", "v" * 64)
    assert redeemed.json()["error"] == "invalid_grant"
    managed = await server.web.get("/auth/register/app", headers={"Authorization": f"Bearer {access}"})
    assert managed.status_code == 401


TOO_MUCH = [
    ("write with a token to read", "patient/*.rs", "POST", "/fhir/Observation", 403),
    ("search with a token to read", "patient/*.r", "GET", "/fhir/Observation", 403),
    ("read with a token to search", "patient/*.s", "GET", "/fhir/Observation/x", 403),
    ("another type", "patient/Observation.rs", "GET", "/fhir/Condition", 403),
    ("all types", "patient/Observation.rs", "GET", "/fhir/?_type=Condition", 200),
    ("delete with a token to update", "patient/*.u", "DELETE", "/fhir/Observation/x", 403),
    ("patch with a token to create", "patient/*.c", "PATCH", "/fhir/Observation/x", 403),
    ("history of everything", "patient/Observation.rs", "GET", "/fhir/_history", 200),
    ("an administrator's operation", "patient/*.cruds user/*.cruds", "POST", "/fhir/$reindex", 403),
    ("erasing", "patient/*.cruds user/*.cruds", "POST", "/fhir/Patient/ana/$erase", 403),
    ("the trail", "patient/*.cruds user/*.cruds", "GET", "/fhir/AuditEvent", 403),
    ("anything with a token for identity alone", "openid fhirUser", "GET", "/fhir/Observation", 403),
    ("a scope of a type that does not exist", "patient/Everything.rs", "GET", "/fhir/Observation", 403),
    ("system scope in a person's token", "system/*.cruds", "GET", "/fhir/Observation", 403),
]


@pytest.mark.parametrize(
    ("tried", "scope", "method", "url", "status"), TOO_MUCH, ids=[row[0] for row in TOO_MUCH]
)
async def test_a_token_opens_no_more_than_it_says(
    server: Smart, tried: str, scope: str, method: str, url: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {_by_us(server, claims(scope=scope))}"}
    body = (
        {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
        if method == "POST"
        else None
    )
    answer = await server.web.request(method, url, headers=headers, json=body)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["issue"][0]["code"] == "forbidden"
    else:  # what asks for all types gets those that were granted, here none
        assert "entry" not in answer.json()
