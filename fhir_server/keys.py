"""The keys of a process, made as its settings say."""

from __future__ import annotations

from importlib import import_module

from fhir_server.crypto import keystore
from fhir_server.crypto.keystore import KeyStore
from fhir_server.crypto.providers import Environment, KeyProvider, KeyTroubleError, LocalFile
from fhir_server.crypto.ring import Ring
from fhir_server.crypto.services import AwsKms, VaultTransit
from fhir_server.search.clear import clear_part
from fhir_server.settings import Settings
from fhir_server.storage.sealing import Sealer


def provider(settings: Settings) -> KeyProvider:
    """Return the provider of the wrapping key; raises KeyTroubleError."""
    if settings.key_provider == "file":
        return LocalFile(settings.key_file or settings.data_dir / "keys" / "master.json")
    if settings.key_provider == "environment":
        return Environment(settings.master_keys)
    if not settings.key_name:
        raise KeyTroubleError(f"key_provider '{settings.key_provider}' needs the setting key_name")
    if settings.key_provider == "vault":
        return VaultTransit(settings.vault_address, settings.vault_token, settings.key_name)
    try:
        boto3 = import_module("boto3")
    except ImportError:
        raise KeyTroubleError("key_provider 'aws-kms' needs the package boto3") from None
    return AwsKms(settings.key_name, boto3.client("kms"))


def key_store(settings: Settings) -> KeyStore:
    """Return the key store, not connected yet."""
    return KeyStore(settings.keys_database_url or keystore.beside(settings.database_url))


def ring(settings: Settings) -> Ring:
    """Return the keys of this process; nothing is read before the first is needed."""
    return Ring(key_store(settings), lambda: provider(settings), sealing=settings.encryption == "on")


def sealer(settings: Settings) -> Sealer:
    """Return what seals and opens the content of this process's database."""
    return Sealer(ring(settings), clear_part)


async def ready(settings: Settings, one: Sealer) -> None:
    """Have the keys at hand that sealing needs, making key store and keys where there are none.

    Errors: KeyTroubleError with what to do
    """
    if one.ring.sealing:
        await keystore.create(one.ring.store.conninfo, settings.database_url)
        await one.ring.load()


async def unlocked(settings: Settings) -> Sealer:
    """Return a sealer that is ready, for a command that opens a store itself; raises KeyTroubleError."""
    one = sealer(settings)
    await ready(settings, one)
    return one
