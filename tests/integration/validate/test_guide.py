"""A whole guide, stored: the server says of its examples what files say, and remembers no more than it may."""

from __future__ import annotations

import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_server.conformance import kept
from ig.offline import Offline
from resources.codec.json import parse_json
from resources.codec.positions import located
from resources.outcome import operation_outcome
from resources.validate.validator import validate
from tests.integration.web import client as client_of_server
from tests.shared import shared_path

STORED = ("StructureDefinition", "ValueSet", "CodeSystem")
EXAMPLES = 30


def _files(package: Path, folder: str) -> Iterator[bytes]:
    with tarfile.open(package) as archive:
        for member in sorted(archive, key=lambda one: one.name):
            name = member.name.removeprefix("./")
            if name.startswith(folder) and name.endswith(".json") and name.count("/") == folder.count("/"):
                file = archive.extractfile(member)
                assert file is not None
                yield file.read()


@pytest.fixture(scope="module")
def package() -> Path:
    """Return US Core's package."""
    return shared_path("packages") / "us-core-6.1.0.tgz"


@pytest.fixture(scope="module")
def examples(package: Path) -> list[bytes]:
    """Return every sixth example or so, one text each."""
    found = [data for data in _files(package, "package/example/") if b'"resourceType"' in data]
    assert len(found) > 150
    return found[:: len(found) // EXAMPLES]


async def _store(client: httpx.AsyncClient, package: Path) -> None:
    resources = [json.loads(data) for data in _files(package, "package/")]
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
        if one.get("resourceType") in STORED
    ]
    assert len(entries) > 80
    answer = await client.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    statuses = {one["response"]["status"][:3] for one in answer.json()["entry"]}
    assert statuses <= {"200", "201"}


@pytest.fixture
async def guide(database_url: str, package: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a server with the guide."""
    async with client_of_server(database_url) as client:
        if not (await client.get("StructureDefinition/us-core-patient")).is_success:
            await _store(client, package)
        yield client


async def _said(client: httpx.AsyncClient, data: bytes) -> Any:
    kind = json.loads(data)["resourceType"]
    headers = {"Content-Type": "application/fhir+json"}
    answer = await client.post(f"{kind}/$validate", content=data, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_server_says_what_files_say(
    guide: httpx.AsyncClient, package: Path, examples: list[bytes]
) -> None:
    offline = Offline([package])
    for data in examples:
        expected = operation_outcome(located(validate(parse_json(data), offline), data))
        assert await _said(guide, data) == json.loads(json.dumps(expected))


async def test_what_is_kept_stays_below_its_bound_and_changes_no_answer(
    guide: httpx.AsyncClient, database_url: str, examples: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOST_NODES", "MOST_VERDICTS"):
        monkeypatch.setattr(kept, name, 20)
    before = set(kept._KEPT)
    async with client_of_server(database_url) as small:
        for data in examples[:8]:
            assert await _said(small, data) == await _said(guide, data)
        ours = [one for store, one in kept._KEPT.items() if store not in before]
        assert min(one.profiles.most for one in ours) == 20
        assert all(one.profiles.size <= one.profiles.most for one in ours)
        assert all(one.verdicts.size <= one.verdicts.most for one in ours)
