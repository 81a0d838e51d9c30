"""Commands get in as a backend service of this machine: one token for many requests, a new one when it ends.

Source: SMART App Launch 2.2, client-confidential-asymmetric
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import typer
from joserfc import jwt
from joserfc.jwk import ECKey

from fhir_server.commands.tokens import (
    ASSERTION,
    SCOPES,
    Given,
    Signed,
    assertion,
    client_id,
    new_key,
    own_key,
    target,
)
from fhir_server.settings import Settings

ENDPOINT = "http://server.example/auth/token"
KEY = ECKey.import_key(new_key())


class Server:
    """Gives out tokens and takes those that are good."""

    def __init__(self, expires_in: int = 300) -> None:
        self.expires_in = expires_in
        self.good = ""
        self.forms: list[dict[str, list[str]]] = []
        self.refuses = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            if self.refuses:
                return httpx.Response(401, json={"error": "invalid_client"})
            self.forms.append(parse_qs(request.content.decode()))
            self.good = f"token-{len(self.forms)}"
            return httpx.Response(200, json={"access_token": self.good, "expires_in": self.expires_in})
        taken = request.headers.get("authorization") == f"Bearer {self.good}"
        return httpx.Response(200 if taken else 401)


def client(server: Server) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(server), auth=Signed(ENDPOINT, KEY))


def test_one_token_serves_many_requests() -> None:
    server = Server()
    with client(server) as web:
        assert [web.get("http://server.example/fhir/Patient").status_code for _ in range(3)] == [200] * 3
    assert len(server.forms) == 1
    assert server.forms[0]["scope"] == [SCOPES]
    assert server.forms[0]["client_assertion_type"] == [ASSERTION]


def test_a_revoked_token_is_replaced_and_the_request_sent_again() -> None:
    server = Server()
    with client(server) as web:
        web.get("http://server.example/fhir/Patient")
        server.good = "another"
        assert web.get("http://server.example/fhir/Patient").status_code == 200
    assert len(server.forms) == 2


def test_a_token_about_to_expire_is_replaced_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("fhir_server.commands.tokens.time.time", lambda: now[0])
    server = Server(expires_in=300)
    with client(server) as web:
        web.get("http://server.example/fhir/Patient")
        now[0] += 271
        web.get("http://server.example/fhir/Patient")
    assert len(server.forms) == 2


def test_a_request_that_is_refused_again_is_not_tried_for_ever() -> None:
    server = Server()

    def refusing(request: httpx.Request) -> httpx.Response:
        return server(request) if request.url.path == "/auth/token" else httpx.Response(401)

    with httpx.Client(transport=httpx.MockTransport(refusing), auth=Signed(ENDPOINT, KEY)) as web:
        assert web.get("http://server.example/fhir/Patient").status_code == 401
    assert len(server.forms) == 2


def test_a_server_that_does_not_know_us_is_told_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    server.refuses = True
    with client(server) as web, pytest.raises(typer.Exit):
        web.get("http://server.example/fhir/Patient")
    assert "HEALTHBUDDY_TOKEN" in capsys.readouterr().err


def test_the_assertion_names_us_and_the_endpoint_and_ends_within_five_minutes() -> None:
    first, second = (jwt.decode(assertion(KEY, ENDPOINT), KEY, algorithms=["ES384"]) for _ in range(2))
    claims: dict[str, Any] = first.claims
    us = client_id(KEY)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (us, us, ENDPOINT)
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims["jti"] != second.claims["jti"]
    assert first.header["kid"] == KEY.thumbprint()


def test_the_key_stays_the_same_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert own_key(settings).thumbprint() == own_key(settings).thumbprint()
    assert stat.S_IMODE((tmp_path / "keys" / "cli.pem").stat().st_mode) == 0o600


def test_a_given_token_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEALTHBUDDY_TOKEN", "abc")
    found = target(Settings(data_dir=tmp_path), "http://server.example/fhir/")
    assert found.base == "http://server.example/fhir"
    assert isinstance(found.auth, Given)
    request = next(found.auth.auth_flow(httpx.Request("GET", found.base)))
    assert request.headers["authorization"] == "Bearer abc"


def test_machines_with_one_database_are_different_clients() -> None:
    other = ECKey.import_key(new_key())
    assert client_id(other) != client_id(KEY)
    assert jwt.decode(assertion(other, ENDPOINT), other, algorithms=["ES384"]).claims["sub"] == client_id(
        other
    )
