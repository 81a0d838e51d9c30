"""Nothing a client sends may cause a 500: methods, paths, queries, headers and bodies at random.

Source: http://hl7.org/fhir/R4/http.html#Status-Codes (5xx is for what is our fault)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from fhir_server.app import App
from resources.definitions import definitions
from tests.integration.web import JSON, XML, patient, running

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "x y"]
SEGMENTS = [
    "", "Patient", "Observation", "Binary", "Bundle", "Nothing", "_history", "_search", "metadata", "1", "one", "*",
    "$everything", "$", "..", "%00", "\x00", "a b", "é", "x" * 65, "-1", "99999999999999999999", "Patient?x",
]  # fmt: skip
NAMES = [
    "_format", "_pretty", "_summary", "_elements", "_count", "_sort", "_include", "_revinclude", "_since", "_at",
    "_total", "_id", "_lastUpdated", "_has", "_list", "mode", "name", "family:exact", "birthdate", "identifier",
    "general-practitioner:Practitioner.name", "organization.name", "active:missing", "_cursor", "_type", "code",
    "value-quantity", "subject:Patient", "date", "_has:Observation:patient:code", "url", "near",
]  # fmt: skip
VALUES = [
    "json", "xml", "true", "false", "count", "text", "data", "1", "0", "-1", "1e400", "NaN", "", " ", "|", "a|b", "a|",
    "2020", "2020-13-45", "ge2020-01-01", "sa9999999", "0000-00-00", "9999-12-31T23:59:59.999999999999Z",
    "Patient/1",
    "Patient/1/_history/1", "http://x/y", "*", "Observation:subject", "Patient:organization:Organization", "\x00",
    "\ud7ff", "é", "x" * 5000, "5.4|http://unitsofmeasure.org|mg", "lt1e-999999999", ",", "\\,", "$", "9" * 400,
    "-birthdate", "_id,-_lastUpdated", "2020-01-01T00:00:00+99:99", "%", "🐛",
]  # fmt: skip
HEADERS = [
    "accept", "content-type", "content-encoding", "if-match", "if-none-match", "if-modified-since", "if-none-exist",
    "prefer", "accept-encoding", "host", "x-request-id", "x-security-context", "content-length", "expect", "cookie",
]  # fmt: skip
HEADER_VALUES = [
    JSON,
    XML,
    "*/*",
    "text/html",
    "image/png",
    "application/json-patch+json",
    "application/xml-patch+xml",
    "application/x-www-form-urlencoded",
    "gzip",
    "identity",
    "br",
    'W/"1"',
    '"',
    "*",
    "name=x",
    "identifier=a|b",
    "?",
    "Patient?name=x",
    "return=minimal",
    "return=OperationOutcome",
    "handling=strict",
    "respond-async",
    "q=;,",
    "\xff\x00",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    f"{JSON};fhirVersion=9",
    f"{JSON}; charset=utf-16",
    "1" * 300,
    "-5",
    "a\r\nb: c",
]

keys = st.sampled_from(
    [
        "resourceType",
        "id",
        "name",
        "entry",
        "type",
        "op",
        "path",
        "value",
        "parameter",
        "meta",
        "link",
        "extension",
        "subject",
        "valueQuantity",
        "code",
        "text",
        "div",
        "request",
        "url",
        "data",
    ]
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.sampled_from(
        [
            "Patient",
            "Bundle",
            "transaction",
            "batch",
            "add",
            "replace",
            "/name",
            "urn:uuid:1",
            "POST",
            "Patient/1",
            "1",
        ]
    ),
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=15,
)
resources = st.builds(
    lambda extra: json.dumps({**patient(id="one"), **extra}), st.dictionaries(keys, anything, max_size=3)
)
entries = st.fixed_dictionaries(
    {
        "request": st.fixed_dictionaries(
            {"method": st.sampled_from([*METHODS, 1, None]), "url": st.sampled_from(SEGMENTS + VALUES)}
        )
    },
    optional={"resource": anything | st.just(patient()), "fullUrl": st.sampled_from(["urn:uuid:1", "x", 5])},
)
bundles = st.builds(
    lambda kind, found: json.dumps({"resourceType": "Bundle", "type": kind, "entry": found}),
    st.sampled_from(["transaction", "batch", "history", "document", 3]),
    st.lists(entries, max_size=4) | anything,
)
patches = st.builds(
    lambda op, path, value: json.dumps([{"op": op, "path": path, "value": value}]),
    st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
    st.sampled_from(["/name/0", "/name/-", "/id", "", "/", "/~2", "x", "/name/99"]),
    anything,
)
xmls = st.sampled_from(
    [
        '<Patient xmlns="http://hl7.org/fhir"><id value="one"/></Patient>',
        "<x/>",
        "<",
        "<?xml version='1.1'?><a/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><Patient xmlns="http://hl7.org/fhir"><id value="&b;"/></Patient>',
        '<diff><replace sel="Patient/active/@value">false</replace></diff>',
        '<diff><add sel="//*[">x</add></diff>',
    ]
)
bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=60),
    st.one_of(anything.map(json.dumps), resources, bundles, patches, xmls, st.text(max_size=50)).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
    st.just(b'{"a":' * 3000),
    st.just(b"[" * 100_000),
    st.just(b'{"resourceType":"Patient","id":"\\ud800"}'),
)
paths = st.lists(st.sampled_from(SEGMENTS) | st.text(max_size=8), max_size=5).map("/".join)
queries = st.one_of(
    st.just(b""),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(max_size=8), st.sampled_from(VALUES) | st.text(max_size=12)
        ),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs).encode()),
    st.binary(max_size=30),
)
headers = st.lists(
    st.tuples(st.sampled_from(HEADERS), st.sampled_from(HEADER_VALUES) | st.text(max_size=20)), max_size=4
)


def _quoted(text: str) -> str:
    return "".join(
        f"%{byte:02x}" if byte < 33 or byte in b"&=%+#?" or byte > 126 else chr(byte)
        for byte in text.encode("utf-8", "replace")
    )


class Fuzzed:
    """A running app on a loop of its own, so that Hypothesis can call it step by step."""

    def __init__(self, database_url: str) -> None:
        self.runner = asyncio.Runner()
        self.context = running(database_url, max_body_bytes=1 << 20)
        self.app: App = self.runner.run(self.context.__aenter__())

    def close(self) -> None:
        """Shut the app down."""
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    def send(
        self, method: str, path: str, query: bytes, sent: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Return (status, headers, body) of one raw ASGI request."""
        return self.runner.run(asyncio.wait_for(self._send(method, path, query, sent, body), 20))

    async def _send(
        self, method: str, path: str, query: bytes, sent: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent]
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/fhir/" + path,
            "raw_path": b"",
            "query_string": query,
            "headers": raw,
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "http_version": "1.1",
            "root_path": "",
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        found = {name.decode("latin-1"): value.decode("latin-1") for name, value in messages[0]["headers"]}
        return messages[0]["status"], found, messages[1]["body"]


@pytest.fixture(scope="module")
def fuzzed(database_url: str) -> Iterator[Fuzzed]:
    """Yield the app; Patient/one is there."""
    one = Fuzzed(database_url)
    body = json.dumps(patient(id="one")).encode()
    assert one.send("PUT", "Patient/one", b"", [("content-type", JSON)], body)[0] == 201
    yield one
    one.close()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(method=st.sampled_from(METHODS), path=paths, query=queries, sent=headers, body=bodies)
@example("GET", "Patient", b"name=%00", [], b"")
@example(
    "PUT",
    "Patient/one",
    b"",
    [("content-type", JSON)],
    b'{"resourceType":"Patient","id":"one","name":[{"text":"\\u0000"}]}',
)
@example(
    "POST", "", b"", [("content-type", JSON)], b'{"resourceType":"Bundle","type":"batch","entry":[null]}'
)
def test_no_request_is_answered_with_a_500(
    fuzzed: Fuzzed, method: str, path: str, query: bytes, sent: list[tuple[str, str]], body: bytes
) -> None:
    status, found, content = fuzzed.send(method, path, query, sent, body)
    assert status < 500, (status, content)
    assert all("\r" not in value and "\n" not in value for value in found.values())
    if status >= 400 and method != "HEAD" and found.get("content-encoding") != "gzip":
        assert b"OperationOutcome" in content


@settings(
    max_examples=2500,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(
    target=st.sampled_from(
        [
            ("POST", "Patient"),
            ("PUT", "Patient/one"),
            ("POST", ""),
            ("PATCH", "Patient/one"),
            ("PUT", "Patient"),
            ("POST", "Binary"),
        ]
    ),
    kind=st.sampled_from([JSON, XML, "application/json-patch+json", "application/xml-patch+xml"]),
    body=st.one_of(resources, bundles, patches, xmls),
    extra=headers,
)
@example(("POST", "Patient"), JSON, "{}", [("content-length", "\u00b9")])
def test_no_well_addressed_write_is_answered_with_a_500(
    fuzzed: Fuzzed, target: tuple[str, str], kind: str, body: str, extra: list[tuple[str, str]]
) -> None:
    sent = [("content-type", kind), *((name, value) for name, value in extra if name != "content-type")]
    status, _, content = fuzzed.send(*target, b"", sent, body.encode("utf-8", "surrogatepass"))
    assert status < 500, (status, content)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["Patient", "Observation", "Patient/_history", "_history", "Patient/one/_history", "metadata"]
    )
    | st.sampled_from(definitions().resource_types),
    pairs=st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.text(max_size=20)),
        min_size=1,
        max_size=3,
    ),
)
def test_no_search_is_answered_with_a_500(fuzzed: Fuzzed, path: str, pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs).encode()
    status, _, content = fuzzed.send("GET", path, query, [], b"")
    assert status < 500, (status, content)
