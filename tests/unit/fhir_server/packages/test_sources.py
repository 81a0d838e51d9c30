"""Where packages come from: a folder; a registry, which is trusted with nothing but what its digest says."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_server.packages.sources import Registry, in_folder
from resources.outcome import FhirError

BASE = "https://packages.example"


def packed(name: str, version: str) -> bytes:
    """Return a package file without resources."""
    data = json.dumps({"name": name, "version": version}).encode()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/package.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def registry(folder: Path, dist: dict[str, Any], body: bytes, status: int = 200) -> Registry:
    """Return a registry that has one package, `a.b@1.0.0`, and answers its file with `body`."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a.b":
            listing = {"dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"dist": dist}}}
            return httpx.Response(200, json=listing)
        if request.url.path == "/a.b.tgz":
            return httpx.Response(status, content=body, headers={"location": "http://169.254.169.254/"})
        return httpx.Response(404)

    return Registry(BASE, folder, httpx.Client(transport=httpx.MockTransport(answer)))


def integrity(body: bytes) -> str:
    """Return the digest of a file as a registry tells it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()


def test_a_folder_has_the_version_asked_for(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        (tmp_path / f"x-{version}.tgz").write_bytes(packed("x.y", version))
    find = in_folder(tmp_path)
    found = find("x.y", "1.x")
    assert found is not None
    assert found[0].version == "1.2.0"
    assert find("x.y", "3.0.0") is None
    assert find("other", "latest") is None


@pytest.mark.parametrize("told", ["integrity", "shasum"])
def test_a_registry_sends_what_its_digest_says(tmp_path: Path, told: str) -> None:
    body = packed("a.b", "1.0.0")
    digest = integrity(body) if told == "integrity" else hashlib.sha1(body).hexdigest()
    found = registry(tmp_path, {"tarball": f"{BASE}/a.b.tgz", told: digest}, body).find("a.b", "latest")
    assert found is not None
    assert (found[0].label, found[1].parent) == ("a.b@1.0.0", tmp_path)


def test_another_file_than_the_digest_says_is_refused_and_not_kept(tmp_path: Path) -> None:
    dist = {"tarball": f"{BASE}/a.b.tgz", "integrity": integrity(b"other")}
    with pytest.raises(FhirError, match="digest"):
        registry(tmp_path, dist, packed("a.b", "1.0.0")).find("a.b", "1.0.0")
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FhirError, match="no digest"):
        registry(tmp_path, {"tarball": f"{BASE}/a.b.tgz"}, packed("a.b", "1.0.0")).find("a.b", "1.0.0")


@pytest.mark.parametrize(
    "address", ["http://packages.example/a.b.tgz", "https://other.example/a.b.tgz", "file:///x"]
)
def test_a_registry_that_sends_elsewhere_is_refused(tmp_path: Path, address: str) -> None:
    body = packed("a.b", "1.0.0")
    with pytest.raises(FhirError, match="elsewhere"):
        registry(tmp_path, {"tarball": address, "integrity": integrity(body)}, body).find("a.b", "1.0.0")


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    body = packed("a.b", "1.0.0")
    dist = {"tarball": f"{BASE}/a.b.tgz", "integrity": integrity(body)}
    with pytest.raises(FhirError, match="302"):
        registry(tmp_path, dist, body, status=302).find("a.b", "1.0.0")


def test_a_file_of_another_package_is_refused(tmp_path: Path) -> None:
    body = packed("evil", "1.0.0")
    dist = {"tarball": f"{BASE}/a.b.tgz", "integrity": integrity(body)}
    with pytest.raises(FhirError, match="sent evil@"):
        registry(tmp_path, dist, body).find("a.b", "1.0.0")
    assert list(tmp_path.iterdir()) == []


def test_what_a_registry_does_not_have_is_not_there(tmp_path: Path) -> None:
    assert registry(tmp_path, {}, b"").find("c.d", "latest") is None


@pytest.mark.parametrize("address", ["ftp://x", "packages.example", "file:///etc"])
def test_a_registry_is_spoken_to_over_http_alone(tmp_path: Path, address: str) -> None:
    with pytest.raises(FhirError, match="no address"):
        Registry(address, tmp_path)
