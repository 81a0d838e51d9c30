"""Where the wrapping key comes from: the one key that everything else hangs on, and that no database has.

A provider wraps and unwraps class keys, a handful at each start; all other keys are unwrapped in this process. So a
key service sees one call for each data class, and none for a patient.
"""

from __future__ import annotations

import base64
import binascii
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.crypto.envelope import KEY_BYTES, SealError, new_key, unwrap, wrap
from fhir_server.crypto.files import SecretFileError, read_secret, replace_secret, secret_file


class KeyTroubleError(RuntimeError):
    """Keys cannot be had; the text says why and what to do, and holds none of them."""


class Wrapped(msgspec.Struct, frozen=True):
    """A key wrapped by a provider: under which of its keys, and the bytes."""

    under: str
    data: bytes


class KeyProvider(Protocol):
    """Wraps keys under a key that it keeps to itself."""

    @property
    def name(self) -> str:
        """What kind of provider it is, for people."""
        ...

    def current(self) -> str:
        """Return the name of the wrapping key that is in use."""
        ...

    def wrap(self, key: bytes, context: str) -> Wrapped:
        """Return `key` wrapped under the wrapping key in use, bound to `context`."""
        ...

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the key; raises KeyTroubleError."""
        ...


class MasterKey(msgspec.Struct, frozen=True):
    """A wrapping key as a key file has it."""

    id: str
    key: str
    made: str


class _File(msgspec.Struct, frozen=True):
    about: str
    keys: tuple[MasterKey, ...]


_ABOUT = "Wrapping keys of Health Buddy, the last one in use. Who has this file opens the database: keep a copy apart."


class _Held:
    """Wrapping keys in this process, the last one in use."""

    name = "held"

    def __init__(self, keys: dict[str, AESGCM]) -> None:
        self._keys = keys

    def current(self) -> str:
        """Return the name of the wrapping key that is in use."""
        return next(reversed(self._keys))

    def wrap(self, key: bytes, context: str) -> Wrapped:
        """Return `key` wrapped under the wrapping key in use, bound to `context`."""
        under = self.current()
        return Wrapped(under, wrap(key, self._keys[under], context.encode()))

    def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the key; raises KeyTroubleError."""
        under = self._keys.get(wrapped.under)
        if under is None:
            raise KeyTroubleError(
                f"The wrapping key '{wrapped.under}' is not among those of the {self.name}: {', '.join(self._keys)}"
            )
        try:
            return unwrap(wrapped.data, under, context.encode())
        except SealError:
            raise KeyTroubleError(
                f"The wrapping key '{wrapped.under}' of the {self.name} is another one"
            ) from None


class LocalFile(_Held):
    """Wrapping keys in a file of the data folder, readable by its owner alone."""

    name = "key file"

    def __init__(self, path: Path) -> None:
        """Read the file, or make it with one new key.

        Errors: KeyTroubleError where others may read it, or it is damaged
        """
        self.path = path
        try:
            secret_file(path, lambda: _text((_made(),)))
        except SecretFileError as error:
            raise KeyTroubleError(str(error)) from None
        super().__init__({one.id: _cipher(one.id, one.key) for one in self._read()})

    def rotate(self) -> str:
        """Return the name of a new wrapping key, in use from now on; older ones stay."""
        fresh = _made()
        replace_secret(self.path, _text((*self._read(), fresh)))
        self._keys[fresh.id] = _cipher(fresh.id, fresh.key)
        return fresh.id

    def names(self) -> set[str]:
        """Return the names of the wrapping keys in the file."""
        return set(self._keys)

    def retire(self, unused: set[str]) -> None:
        """Remove wrapping keys that nothing is wrapped under any more."""
        kept = tuple(one for one in self._read() if one.id not in unused or one.id == self.current())
        replace_secret(self.path, _text(kept))
        self._keys = {one.id: self._keys[one.id] for one in kept}

    def _read(self) -> tuple[MasterKey, ...]:
        try:
            keys = msgspec.json.decode(read_secret(self.path), type=_File).keys
        except SecretFileError as error:
            raise KeyTroubleError(str(error)) from None
        except msgspec.DecodeError:
            raise KeyTroubleError(f"{self.path} is damaged: restore it from your copy") from None
        if not keys:
            raise KeyTroubleError(f"{self.path} has no key: restore it from your copy")
        return keys


class Environment(_Held):
    """Wrapping keys from a setting, `id:base64` each, the last one in use: for orchestrators that inject secrets."""

    name = "setting master_keys"

    def __init__(self, text: str) -> None:
        """Parse the setting; raises KeyTroubleError."""
        pairs = [one.strip().partition(":") for one in text.split(",") if one.strip()]
        if not pairs:
            raise KeyTroubleError(
                "The setting master_keys is empty; it looks like 2026-01:BASE64-OF-32-BYTES"
            )
        super().__init__({id_: _cipher(id_, key) for id_, _, key in pairs})


def _text(keys: tuple[MasterKey, ...]) -> bytes:
    """Return the content of a key file."""
    return msgspec.json.format(msgspec.json.encode(_File(_ABOUT, keys)))


def _made() -> MasterKey:
    now = datetime.now(UTC)
    return MasterKey(
        f"{now:%Y%m%d-%H%M%S}-{os.urandom(3).hex()}",
        base64.b64encode(new_key()).decode(),
        now.isoformat(timespec="seconds"),
    )


def _cipher(id_: str, text: str) -> AESGCM:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not id_ or len(key) != KEY_BYTES:
        raise KeyTroubleError(f"The wrapping key '{id_}' is not the base64 of {KEY_BYTES} bytes")
    return AESGCM(key)
