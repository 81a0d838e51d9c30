"""Where packages are found: files in a folder, and a package registry where one is configured.

Nothing is fetched unless a registry is set. It is asked over its own address alone: what it sends elsewhere (other
hosts, redirects) is refused, and a package counts only with the digest that the registry tells.
Source: https://confluence.hl7.org/display/FHIR/FHIR+Package+Registry+User+Documentation (the npm registry's protocol)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ig.packages.archive import read_manifest
from ig.packages.manifest import Manifest, best, satisfies
from ig.packages.resolve import Find
from resources.outcome import FhirError

Found = tuple[Manifest, Path]

MAX_BYTES = 512 * 1024 * 1024
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_CHUNK = 1 << 20


def in_folder(folder: Path) -> Find:
    """Return what finds packages among the `.tgz` files of a folder."""
    known: dict[str, dict[str, Found]] = {}
    for path in sorted(folder.glob("*.tgz")):
        found = read_manifest(path)
        known.setdefault(found.name, {})[found.version] = found, path

    def find(name: str, wanted: str) -> Found | None:
        version = best(known.get(name, {}), wanted)
        return None if version is None else known[name][version]

    return find


class Registry:
    """A package registry: what was fetched is kept in `folder`."""

    def __init__(self, address: str, folder: Path, client: httpx.Client | None = None) -> None:
        """Errors: FhirError 400 for an address that is not http or https"""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FhirError(400, "value", f"'{address[:200]}' is no address of a package registry")
        self._address = address.rstrip("/")
        self._origin = (parts.scheme, parts.hostname, parts.port)
        self._folder = folder
        self._client = client or httpx.Client(timeout=TIMEOUT, follow_redirects=False)

    def find(self, name: str, wanted: str) -> Found | None:
        """Return a package, fetched; None where the registry does not have it.

        Errors: FhirError 400 or 502 where the registry cannot be asked, or what it sends is not what it promised
        """
        listing = self._listing(name)
        versions: Mapping[str, Any] = listing.get("versions") or {}
        latest = (listing.get("dist-tags") or {}).get("latest")
        version = latest if wanted == "latest" and latest in versions else best(versions, wanted)
        if version is None:
            return None
        path = self._folder / f"{name}-{version}.tgz"
        if not path.exists():
            self._fetch(versions[version].get("dist") or {}, path)
        found = read_manifest(path)
        if found.name != name or not satisfies(found.version, version):
            path.unlink()
            raise FhirError(502, "processing", f"The registry sent {found.label} for {name}@{version}")
        return found, path

    def _listing(self, name: str) -> Mapping[str, Any]:
        try:
            answer = self._client.get(f"{self._address}/{name}", headers={"Accept": "application/json"})
        except httpx.HTTPError as problem:
            raise FhirError(502, "transient", f"The package registry cannot be asked: {problem}") from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        if not answer.is_success:
            raise FhirError(502, "transient", f"The package registry answers {answer.status_code} for {name}")
        try:
            listing = answer.json()
        except ValueError:
            listing = None
        return listing if isinstance(listing, dict) else {}

    def _fetch(self, dist: Mapping[str, Any], path: Path) -> None:
        address = str(dist.get("tarball") or "")
        parts = urlsplit(address)
        if (parts.scheme, parts.hostname, parts.port) != self._origin:
            raise FhirError(
                400, "security", f"The registry sends elsewhere for {path.name}: '{address[:200]}'"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        check, size = _digest(dist), 0
        try:
            with self._client.stream("GET", address) as answer, draft.open("wb") as file:
                if not answer.is_success:
                    raise FhirError(502, "transient", f"{path.name} cannot be fetched ({answer.status_code})")
                for chunk in answer.iter_bytes(_CHUNK):
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise FhirError(400, "too-costly", f"{path.name} is larger than a package may be")
                    file.write(chunk)
                    check.update(chunk)
            check.verify(path.name)
            draft.replace(path)
        except httpx.HTTPError as problem:
            raise FhirError(502, "transient", f"{path.name} cannot be fetched: {problem}") from None
        finally:
            draft.unlink(missing_ok=True)


class _Digest:
    """The digest that a file has to have."""

    def __init__(self, algorithm: str, wanted: bytes) -> None:
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._wanted = wanted
        self.update: Callable[[bytes], None] = self._hash.update

    def verify(self, name: str) -> None:
        """Raise FhirError 502 where the file is another one."""
        if not hmac.compare_digest(self._hash.digest(), self._wanted):
            raise FhirError(502, "security", f"{name} is not what the registry's digest says")


def _digest(dist: Mapping[str, Any]) -> _Digest:
    algorithm, _, encoded = str(dist.get("integrity") or "").partition("-")
    shasum = str(dist.get("shasum") or "")
    try:
        if algorithm in ("sha512", "sha384", "sha256"):
            return _Digest(algorithm, base64.b64decode(encoded))
        if shasum:
            return _Digest("sha1", bytes.fromhex(shasum))
    except ValueError:
        raise FhirError(502, "security", "The registry tells a digest that is none") from None
    raise FhirError(400, "security", "The registry tells no digest of the package")
