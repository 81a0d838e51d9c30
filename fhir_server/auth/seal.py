"""What seals the secrets that accounts need back in clear: those of one-time password apps."""

from __future__ import annotations

import os
from base64 import b64decode
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.crypto.files import secret_file

if TYPE_CHECKING:
    from fhir_server.settings import Settings


class Seal:
    """AES-256-GCM under one key; the place of a value is part of what is sealed."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def sealed(self, plain: bytes, place: str) -> bytes:
        """Return `plain`, readable only at `place` and with the key."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def opened(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed at `place`; raises cryptography's InvalidTag for anything else."""
        return self._cipher.decrypt(bytes(sealed[:12]), bytes(sealed[12:]), place.encode())


def seal(settings: Settings) -> Seal:
    """Return the seal of a server: its key is a setting, else a file in the data folder, made at the first use."""
    if settings.accounts_key:
        return Seal(b64decode(settings.accounts_key, validate=True))
    return Seal(secret_file(settings.data_dir / "keys" / "accounts.key", lambda: os.urandom(32)))
