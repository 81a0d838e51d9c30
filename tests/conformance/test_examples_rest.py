"""Every official example is put, read back equal in JSON, and asked for in XML."""

from __future__ import annotations

import json
import zipfile

import httpx
import pytest

from resources.codec.json import parse_json
from resources.codec.xml import parse_xml
from tests.conformance.test_r4_examples import WRONG as KNOWN_WRONG
from tests.conformance.test_synthea import exact, unstamped
from tests.shared import shared_path


@pytest.mark.timeout(300)
async def test_all_examples_are_stored_and_read_back_equal(client: httpx.AsyncClient) -> None:
    done = 0
    with zipfile.ZipFile(shared_path("r4-examples") / "r4-examples.zip") as archive:
        for name in archive.namelist():
            if not name.endswith(".json"):
                continue
            raw = archive.read(name)
            place = f"{json.loads(raw)['resourceType']}/{json.loads(raw)['id']}"
            put = await client.put(place, content=raw, headers={"Content-Type": "application/fhir+json"})
            if name in KNOWN_WRONG:
                assert put.status_code == 422, name
                continue
            assert put.status_code in (200, 201), (name, put.text[:1000])
            native = {"Accept": "application/fhir+json"}
            assert unstamped(exact((await client.get(place, headers=native)).text)) == unstamped(
                exact(raw)
            ), name
            xml = await client.get(place, headers={"Accept": "application/fhir+xml"})
            assert unstamped(parse_xml(xml.content)) == unstamped(parse_json(raw)), name
            done += 1
    assert done == 727 - len(KNOWN_WRONG)
