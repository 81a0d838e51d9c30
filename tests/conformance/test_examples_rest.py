"""Every official example is put, read back equal in JSON, and asked for in XML."""

from __future__ import annotations

import json

import httpx
import pytest

from resources.codec.json import parse_json
from resources.codec.xml import parse_xml
from tests.conformance.test_r4_examples import COUNT
from tests.conformance.test_r4_examples import WRONG as KNOWN_WRONG
from tests.conformance.test_synthea import exact, unstamped
from tests.integration.web import JSON, XML
from tests.shared import r4_examples


@pytest.mark.timeout(300)
async def test_all_examples_are_stored_and_read_back_equal(client: httpx.AsyncClient) -> None:
    done = 0
    for name, raw in r4_examples().items():
        place = "{resourceType}/{id}".format(**json.loads(raw))
        put = await client.put(place, content=raw, headers={"Content-Type": JSON})
        if name in KNOWN_WRONG:
            assert put.status_code == 422, name
            continue
        assert put.status_code in (200, 201), (name, put.text[:1000])
        back = await client.get(place, headers={"Accept": JSON})
        assert unstamped(exact(back.text)) == unstamped(exact(raw)), name
        xml = await client.get(place, headers={"Accept": XML})
        assert unstamped(parse_xml(xml.content)) == unstamped(parse_json(raw)), name
        done += 1
    assert done == COUNT - len(KNOWN_WRONG)
