"""Wrapping keys that stay in a key service: AWS KMS, and the Transit engine of HashiCorp Vault (or OpenBao).

Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html,
        https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data
"""

from __future__ import annotations

import base64
from typing import Any, Protocol

import httpx

from fhir_server.crypto.providers import KeyTroubleError, Wrapped

TIMEOUT_S = 10.0


class KmsClient(Protocol):
    """What is used of `boto3.client("kms")`."""

    def encrypt(self, **asked: Any) -> dict[str, Any]:
        """Encrypt up to 4,096 bytes."""
        ...

    def decrypt(self, **asked: Any) -> dict[str, Any]:
        """Decrypt what `encrypt` gave."""
        ...


class AwsKms:
    """A symmetric key of AWS KMS; the extra `aws` brings its client."""

    name = "AWS KMS"

    def __init__(self, key_id: str, client: KmsClient) -> None:
        self._key, self._client = key_id, client

    def current(self) -> str:
        """Return the name of the wrapping key that is in use."""
        return self._key

    def wrap(self, key: bytes, context: str) -> Wrapped:
        """Return `key` wrapped under the wrapping key in use, bound to `context`."""
        found = self._called("encrypt", KeyId=self._key, Plaintext=key, EncryptionContext={"for": context})
        return Wrapped(self._key, bytes(found["CiphertextBlob"]))

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the key; raises KeyTroubleError."""
        found = self._called(
            "decrypt", KeyId=wrapped.under, CiphertextBlob=wrapped.data, EncryptionContext={"for": context}
        )
        return bytes(found["Plaintext"])

    def _called(self, name: str, **asked: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = getattr(self._client, name)(**asked)
        except Exception as error:  # botocore makes its classes while it runs
            raise KeyTroubleError(
                f"AWS KMS refuses to {name} with {asked['KeyId']}: {type(error).__name__}"
            ) from error
        return found


class VaultTransit:
    """A key of Vault's Transit engine (type aes256-gcm96), which rotates it by versions of its own."""

    name = "Vault Transit"

    def __init__(
        self,
        address: str,
        token: str,
        key: str,
        *,
        mount: str = "transit",
        client: httpx.Client | None = None,
    ) -> None:
        self._base = f"{address.rstrip('/')}/v1/{mount}"
        self._key = key
        self._client = client or httpx.Client(timeout=TIMEOUT_S)
        self._headers = {"X-Vault-Token": token}

    def current(self) -> str:
        """Return the name of the wrapping key that is in use."""
        return self._key

    def wrap(self, key: bytes, context: str) -> Wrapped:
        """Return `key` wrapped under the wrapping key in use, bound to `context`."""
        found = self._called(
            "encrypt", self._key, plaintext=_text(key), associated_data=_text(context.encode())
        )
        return Wrapped(self._key, str(found["ciphertext"]).encode())

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the key; raises KeyTroubleError."""
        found = self._called(
            "decrypt",
            wrapped.under,
            ciphertext=wrapped.data.decode(),
            associated_data=_text(context.encode()),
        )
        return base64.b64decode(found["plaintext"])

    def _called(self, name: str, key: str, **asked: str) -> dict[str, Any]:
        try:
            answer = self._client.post(f"{self._base}/{name}/{key}", json=asked, headers=self._headers)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()["data"]
        except httpx.HTTPStatusError as error:
            raise KeyTroubleError(
                f"Vault refuses to {name} with '{key}': {error.response.status_code}"
            ) from None
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise KeyTroubleError(f"Vault does not {name} with '{key}': {type(error).__name__}") from None
        return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
