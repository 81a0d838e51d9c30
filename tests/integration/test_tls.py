"""HTTPS spoken by the server itself. Source: RFC 9110 section 4.2.2, RFC 6797"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.certificates import trusting, write_certificate
from tests.live import SMALL, LiveServer


@pytest.fixture(scope="module")
def secured() -> Iterator[LiveServer]:
    with tempfile.TemporaryDirectory(prefix="hb-tls-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        certificate, key = write_certificate(Path(folder))
        files = {"tls_certificate": str(certificate), "tls_key": str(key), "authorization": "open"}
        server = LiveServer(Path(folder), **SMALL, workers="1", **files)
        server.trusted = trusting(certificate)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def test_https_is_answered_with_links_that_say_so(secured: LiveServer) -> None:
    answer = secured.get("Patient?_count=1")
    assert answer.status_code == 200
    assert answer.json()["link"][0]["url"].startswith(f"https://127.0.0.1:{secured.port}/fhir/")
    assert "max-age" in answer.headers["strict-transport-security"]


def test_large_answers_and_bodies_pass(secured: LiveServer) -> None:
    body = {"resourceType": "Basic", "code": {"text": "x" * 700_000}}
    with httpx.Client(verify=secured.trusted, timeout=30) as client:
        created = client.post(f"{secured.base}/Basic", json=body)
        assert created.status_code == 201
        assert client.get(created.headers["location"]).json()["code"] == body["code"]


def test_plain_http_on_that_port_gets_nothing(secured: LiveServer) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{secured.port}/fhir/metadata", timeout=5)
    assert secured.get("metadata").status_code == 200


def test_a_client_that_does_not_trust_the_certificate_is_not_forced_to(secured: LiveServer) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{secured.base}/metadata", timeout=5)
