"""Wrapping keys: made readable by their owner alone, refused otherwise, and rotated without losing the older ones."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_server.crypto.envelope import new_key
from fhir_server.crypto.providers import Environment, KeyProvider, KeyTroubleError, LocalFile, Wrapped
from fhir_server.crypto.services import AwsKms, VaultTransit


class FakeKms:
    """Answers as AWS KMS does: bound to its encryption context."""

    def __init__(self) -> None:
        self.calls = 0

    def encrypt(self, **asked: Any) -> dict[str, Any]:
        self.calls += 1
        blob = repr((asked["KeyId"], asked["EncryptionContext"], asked["Plaintext"].hex()))
        return {"CiphertextBlob": base64.b85encode(blob.encode())}

    def decrypt(self, **asked: Any) -> dict[str, Any]:
        self.calls += 1
        key, context, plain = eval(base64.b85decode(asked["CiphertextBlob"]))
        if (key, context) != (asked["KeyId"], asked["EncryptionContext"]):
            raise ValueError("InvalidCiphertextException")
        return {"Plaintext": bytes.fromhex(plain)}


def vault(request: httpx.Request) -> httpx.Response:
    """Answer as Vault's Transit engine does."""
    if request.headers["X-Vault-Token"] != "token":
        return httpx.Response(403, json={"errors": ["permission denied"]})
    asked, path = __import__("json").loads(request.content), request.url.path
    if path == "/v1/transit/encrypt/health":
        return httpx.Response(
            200, json={"data": {"ciphertext": f"vault:v1:{asked['plaintext']}:{asked['associated_data']}"}}
        )
    _, _, plain, bound = asked["ciphertext"].split(":")
    if path != "/v1/transit/decrypt/health" or bound != asked["associated_data"]:
        return httpx.Response(400, json={"errors": ["cipher: message authentication failed"]})
    return httpx.Response(200, json={"data": {"plaintext": plain}})


def transit(token: str = "token") -> VaultTransit:
    client = httpx.Client(transport=httpx.MockTransport(vault))
    return VaultTransit("https://vault.example", token, "health", client=client)


def environment() -> Environment:
    return Environment(
        "old:" + base64.b64encode(new_key()).decode() + ",new:" + base64.b64encode(new_key()).decode()
    )


@pytest.fixture(params=["file", "environment", "kms", "vault"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> KeyProvider:
    """Yield one of each kind."""
    if request.param == "file":
        return LocalFile(tmp_path / "master.key")
    if request.param == "environment":
        return environment()
    return AwsKms("arn:key", FakeKms()) if request.param == "kms" else transit()


def test_what_a_provider_wraps_it_unwraps_for_the_same_purpose_only(provider: KeyProvider) -> None:
    key = new_key()
    wrapped = provider.wrap(key, "class/clinical/1")
    assert wrapped.under == provider.current()
    assert key not in wrapped.data
    assert provider.unwrap(wrapped, "class/clinical/1") == key
    with pytest.raises(KeyTroubleError):
        provider.unwrap(wrapped, "class/identity/1")


def test_a_new_key_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    before = os.umask(0)
    try:
        LocalFile(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    LocalFile(path)
    path.chmod(mode)
    with pytest.raises(KeyTroubleError, match="chmod 600"):
        LocalFile(path)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"about":"","keys":[]}', '{"about":"","keys":[{"id":"a","key":"QQ==","made":""}]}']
)
def test_a_damaged_key_file_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(KeyTroubleError) as told:
        LocalFile(path)
    assert "QQ==" not in str(told.value)


def test_rotation_keeps_what_was_wrapped_before(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    file = LocalFile(path)
    before = file.wrap(b"k" * 32, "x")
    name = file.rotate()
    assert file.current() == name != before.under
    again = LocalFile(path)
    assert again.current() == name
    assert again.unwrap(before, "x") == b"k" * 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_retired_wrapping_key_is_gone_from_the_file_and_the_one_in_use_never_is(tmp_path: Path) -> None:
    file = LocalFile(tmp_path / "master.key")
    before = file.wrap(b"k" * 32, "x")
    file.rotate()
    file.retire({before.under, file.current()})
    assert before.under not in (tmp_path / "master.key").read_text()
    assert LocalFile(tmp_path / "master.key").current() == file.current()
    with pytest.raises(KeyTroubleError, match="is not among"):
        file.unwrap(before, "x")


@pytest.mark.parametrize("text", ["", " , ", "a", "a:", "a:QUJD", ":" + base64.b64encode(bytes(32)).decode()])
def test_a_setting_that_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(KeyTroubleError) as told:
        Environment(text)
    assert "QUJD" not in str(told.value)


def test_the_last_key_of_the_setting_is_in_use() -> None:
    assert environment().current() == "new"


def test_a_service_that_refuses_is_told_by_its_status_and_not_its_token() -> None:
    with pytest.raises(KeyTroubleError, match="403") as told:
        transit("secret-token").wrap(new_key(), "x")
    assert "secret-token" not in str(told.value)
    with pytest.raises(KeyTroubleError, match="ValueError"):
        AwsKms("arn:key", FakeKms()).unwrap(
            Wrapped(
                "arn:key",
                FakeKms().encrypt(KeyId="arn:key", EncryptionContext={"for": "y"}, Plaintext=b"x")[
                    "CiphertextBlob"
                ],
            ),
            "x",
        )
