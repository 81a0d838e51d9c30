"""Binary in and out in its own type. Source: http://hl7.org/fhir/R4/binary.html#rest"""

from __future__ import annotations

from base64 import b64encode

import httpx
import pytest

from tests.integration.web import JSON, XML, outcome_codes

PNG = b"\x89PNG\r\n\x1a\n not really"


@pytest.fixture
async def web(web: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client that asks for nothing in particular."""
    web.headers["Accept"] = "*/*"
    return web


async def test_raw_content_becomes_a_binary_and_comes_back_raw(web: httpx.AsyncClient) -> None:
    made = await web.post("Binary", content=PNG, headers={"Content-Type": "image/png"})
    assert made.status_code == 201
    assert made.json() | {"contentType": "image/png", "data": b64encode(PNG).decode()} == made.json()
    read = await web.get(made.headers["location"].split("/_history")[0])
    assert (read.content, read.headers["content-type"]) == (PNG, "image/png")
    assert read.headers["etag"] == 'W/"1"'


async def test_raw_content_can_be_put_and_read_by_version(web: httpx.AsyncClient) -> None:
    for content in (b"first", b"second"):
        await web.put("Binary/note", content=content, headers={"Content-Type": "text/plain"})
    assert (await web.get("Binary/note/_history/1")).content == b"first"
    assert (await web.get("Binary/note")).content == b"second"


@pytest.mark.parametrize(
    ("accept", "native"),
    [
        ("*/*", True),
        ("image/png", True),
        ("image/*;q=0.5", True),
        (JSON, False),
        (XML, False),
        ("application/json", False),
        (f"{JSON};q=0.5, image/png", True),
    ],
)
async def test_accept_decides_between_content_and_resource(
    web: httpx.AsyncClient, accept: str, native: bool
) -> None:
    await web.put("Binary/pic", content=PNG, headers={"Content-Type": "image/png"})
    answer = await web.get("Binary/pic", headers={"Accept": accept})
    assert answer.status_code == 200
    assert (answer.content == PNG) is native


async def test_format_parameter_gives_the_resource(web: httpx.AsyncClient) -> None:
    await web.put("Binary/pic", content=PNG, headers={"Content-Type": "image/png"})
    assert (await web.get("Binary/pic?_format=json")).json()["resourceType"] == "Binary"


async def test_a_type_that_is_neither_content_nor_fhir_is_406(web: httpx.AsyncClient) -> None:
    await web.put("Binary/pic", content=PNG, headers={"Content-Type": "image/png"})
    answer = await web.get("Binary/pic", headers={"Accept": "audio/wav"})
    assert (answer.status_code, outcome_codes(answer)) == (406, ["not-supported"])


async def test_a_binary_resource_is_taken_as_one(web: httpx.AsyncClient) -> None:
    resource = {"resourceType": "Binary", "id": "res", "contentType": "text/plain", "data": "aGk="}
    made = await web.put("Binary/res", json=resource, headers={"Content-Type": JSON})
    assert made.status_code == 201
    assert (await web.get("Binary/res")).content == b"hi"


async def test_json_that_is_no_binary_resource_is_content(web: httpx.AsyncClient) -> None:
    document = b'{"resourceType": "Patient", "active": true}'
    await web.put("Binary/doc", content=document, headers={"Content-Type": JSON})
    resource = (await web.get("Binary/doc", headers={"Accept": XML})).text
    assert JSON in resource
    assert b64encode(document).decode() in resource


async def test_security_context_travels_as_a_header(web: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "text/plain", "X-Security-Context": "Patient/one"}
    made = await web.post("Binary", content=b"x", headers=headers)
    assert made.json()["securityContext"] == {"reference": "Patient/one"}
    read = await web.get(made.headers["location"])
    assert read.headers["x-security-context"] == "Patient/one"


async def test_a_malformed_security_context_is_400(web: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "text/plain", "X-Security-Context": "<x>"}
    assert (await web.post("Binary", content=b"x", headers=headers)).status_code == 400


@pytest.mark.parametrize(
    "mime", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "text/xml"]
)
async def test_active_content_is_a_sandboxed_download(web: httpx.AsyncClient, mime: str) -> None:
    made = await web.post("Binary", content=b"<script>alert(1)</script>", headers={"Content-Type": mime})
    answer = await web.get(made.headers["location"])
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_picture_is_shown_but_still_sandboxed(web: httpx.AsyncClient) -> None:
    made = await web.post("Binary", content=PNG, headers={"Content-Type": "image/png"})
    answer = await web.get(made.headers["location"])
    assert "content-disposition" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_head_of_content_has_its_length(web: httpx.AsyncClient) -> None:
    made = await web.post("Binary", content=PNG, headers={"Content-Type": "image/png"})
    answer = await web.head(made.headers["location"])
    assert (answer.content, answer.headers["content-length"]) == (b"", str(len(PNG)))
