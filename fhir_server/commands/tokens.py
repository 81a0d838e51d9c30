"""How commands that speak to a server get in: as a backend service of this machine, or by a token that they are given.

Source: SMART App Launch 2.2, backend-services and client-confidential-asymmetric
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from typing import Annotated, Any, NamedTuple
from uuid import uuid4

import httpx
import typer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from fhir_server.commands.terminal import fail, out
from fhir_server.crypto.files import SecretFileError, read_secret, secret_file
from fhir_server.settings import Settings

CLIENT = "healthbuddy-cli"
"""Beginning of the id of our own client: registered at each start, its key in the data folder."""
SCOPES = "system/*.cruds"
VARIABLE = "HEALTHBUDDY_TOKEN"
"""Environment variable with an access token for servers that do not know this machine."""
ALGORITHM = "ES384"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EARLY_S = 30.0

ELSEWHERE = (
    f"The server at {{base}} wants an access token. Give one that may do this in {VARIABLE}, or run the command on the"
    " server's machine with its data folder (HEALTHBUDDY_DATA_DIR)."
)


class Target(NamedTuple):
    """A server to speak to, and how to get in (None: it is open)."""

    base: str
    auth: httpx.Auth | None = None


class Given(httpx.Auth):
    """Shows a token that somebody gave us."""

    def __init__(self, token: str) -> None:
        self._said = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the request with the token."""
        request.headers["Authorization"] = self._said
        yield request


class Signed(httpx.Auth):
    """Gets tokens by signed assertions and keeps them fresh; used by several threads."""

    requires_response_body = True

    def __init__(self, endpoint: str, key: ECKey, scopes: str = SCOPES) -> None:
        self._endpoint, self._key, self._scopes = endpoint, key, scopes
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the request with a token, got before where there is none; once more where that one was revoked."""
        for _ in range(2):
            with self._lock:
                if time.time() >= self._until:
                    self._keep((yield self._asking()))
                token = self._token
            request.headers["Authorization"] = f"Bearer {token}"
            answer = yield request
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                return
            with self._lock:
                if token == self._token:
                    self._until = 0.0

    def wanting(self, scopes: str) -> Signed:
        """Return one that asks for other scopes."""
        return Signed(self._endpoint, self._key, scopes)

    def token(self) -> str:
        """Return a fresh token; raises httpx.HTTPError, and exits where the server refuses."""
        with httpx.Client(timeout=30) as client, self._lock:
            self._keep(client.send(self._asking()))
            return self._token

    def _asking(self) -> httpx.Request:
        form = {
            "grant_type": "client_credentials",
            "scope": self._scopes,
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion(self._key, self._endpoint),
        }
        return httpx.Request("POST", self._endpoint, data=form)

    def _keep(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            base = self._endpoint.removesuffix("/auth/token")
            raise fail(f"{ELSEWHERE.format(base=base)} ({answer.status_code}: {answer.text[:200]})")
        told: dict[str, Any] = answer.json()
        self._token = str(told["access_token"])
        self._until = time.time() + max(float(told.get("expires_in", 60)) - EARLY_S, 5.0)


def new_key() -> bytes:
    """Return a new key as the data folder keeps it."""
    return ECKey.generate_key("P-384").as_pem(private=True)


def own_key(settings: Settings) -> ECKey:
    """Return this machine's key, made where there is none; raises SecretFileError."""
    return ECKey.import_key(secret_file(settings.data_dir / "keys" / "cli.pem", new_key))


def client_id(key: ECKey) -> str:
    """Return the id of the client that has a key: machines with one database and a data folder each are several."""
    return f"{CLIENT}-{key.thumbprint()[:10]}"


def assertion(key: ECKey, endpoint: str) -> str:
    """Return a signed statement that we are we, good for a minute and once."""
    now = int(time.time())
    us = client_id(key)
    claims = {"iss": us, "sub": us, "aud": endpoint, "iat": now, "exp": now + 60, "jti": uuid4().hex}
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.thumbprint()}
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


def target(settings: Settings, base: str) -> Target:
    """Return how to speak to the server at `base`; exits where it wants a token that we have not."""
    base = base.rstrip("/")
    if token := os.environ.get(VARIABLE):
        return Target(base, Given(token))
    try:
        if httpx.get(f"{base}/Patient", params={"_count": "0"}, timeout=10).is_success:  # whoever comes
            return Target(base)
        found = httpx.get(f"{base}/.well-known/smart-configuration", timeout=10)
        endpoint = str(found.json()["token_endpoint"]) if found.is_success else ""
        key = ECKey.import_key(read_secret(settings.data_dir / "keys" / "cli.pem"))
    except httpx.HTTPError as error:
        raise fail(f"No FHIR server answers at {base}: {error}") from error
    except (OSError, SecretFileError, ValueError, KeyError, JoseError) as error:
        raise fail(f"{ELSEWHERE.format(base=base)} ({error})") from error
    return Target(base, Signed(endpoint, key)) if endpoint else Target(base)


def token(
    base: Annotated[
        str | None, typer.Option(help="FHIR base of a running server [default: the local one]")
    ] = None,
    scope: Annotated[str, typer.Option(help="What it may do")] = SCOPES,
) -> None:
    """Print an access token of this machine's own client, for curl and scripts."""
    settings = Settings()
    found = target(settings, base or settings.own_base)
    if not isinstance(found.auth, Signed):
        raise fail("That server asks for no token, or one was given in HEALTHBUDDY_TOKEN")
    try:
        out.print(found.auth.wanting(scope).token(), markup=False, soft_wrap=True)
    except httpx.HTTPError as error:
        raise fail(f"The server does not answer: {error}") from error
