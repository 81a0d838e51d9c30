"""The FHIR server as installing sees it: searches and batches over REST, whoever carries them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import httpx

from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError

Json = dict[str, Any]

JSON = "application/fhir+json"
TIMEOUT = httpx.Timeout(600.0, connect=10.0)
ASKED_AT_ONCE = 40
"""Canonicals or ids in one search."""


class Answer(NamedTuple):
    """What became of one entry of a batch: its status, the reasons of a refusal, the resource of a read."""

    status: int
    text: str = ""
    resource: Json | None = None


class Carrier(Protocol):
    """Sends a request to a FHIR server and returns the answer's resource; raises FhirError for a refusal."""

    def __call__(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the resource that the server answers with."""
        ...


class HttpCarrier:
    """Speaks to a server over HTTP."""

    def __init__(self, base: str, auth: httpx.Auth | None = None) -> None:
        self._base = base.rstrip("/")
        headers = {"Accept": JSON, "Content-Type": JSON}
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, auth=auth)

    def __call__(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the resource that the server answers with.

        Errors: FhirError 502 where it cannot be reached, else as the server says
        """
        content = dump_json(body) if body is not None else None
        try:
            answer = self._client.request(method, f"{self._base}/{path}".rstrip("/"), content=content)
        except httpx.HTTPError as problem:
            raise FhirError(502, "transient", f"{self._base} cannot be reached: {problem}") from None
        found: Json = parse_json(answer.content) if answer.content else {}
        if not answer.is_success:
            raise FhirError(answer.status_code, "processing", _reasons(found) or f"{method} {path} failed")
        return found

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class Client:
    """Searches and writes that installing needs."""

    def __init__(self, send: Carrier) -> None:
        self._send = send

    def read(self, path: str) -> Json:
        """Return the resource at a path."""
        return self._send("GET", path)

    def search(self, path: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Json]:
        """Yield every match of a search, page after page."""
        query = urlencode([*pairs, ("_count", "200")])
        following: str | None = f"{path}?{query}" if path else f"?{query}"
        while following is not None:
            bundle = self._send("GET", following)
            for entry in bundle.get("entry", ()):
                if entry.get("search", {}).get("mode", "match") == "match":
                    yield entry["resource"]
            link = next((one["url"] for one in bundle.get("link", ()) if one["relation"] == "next"), None)
            following = None if link is None else path + "?" + link.partition("?")[2]

    def find(self, kind: str, param: str, values: Sequence[str]) -> Iterator[Json]:
        """Yield the resources of a type that have one of `values`."""
        for start in range(0, len(values), ASKED_AT_ONCE):
            some = [escaped(value) for value in values[start : start + ASKED_AT_ONCE]]
            yield from self.search(kind, [(param, ",".join(some))])

    def batch(self, requests: Sequence[tuple[str, str, Json | None]]) -> list[Answer]:
        """Return what became of each (method, path, resource)."""
        entries = [
            {"request": {"method": method, "url": path}} | ({"resource": body} if body is not None else {})
            for method, path, body in requests
        ]
        answer = self._send("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
        return [_answer(entry) for entry in answer.get("entry", ())]


def escaped(value: str) -> str:
    """Return a value as a search parameter takes it among others."""
    for sign in ("\\", ",", "|", "$"):
        value = value.replace(sign, "\\" + sign)
    return value


def _answer(entry: Json) -> Answer:
    response = entry.get("response", {})
    outcome = response.get("outcome") or {}
    status = int(str(response.get("status", "500"))[:3])
    return Answer(status, _reasons(outcome), entry.get("resource"))


def _reasons(outcome: Json) -> str:
    """Return the errors of an OperationOutcome, each once."""
    told = [
        one.get("diagnostics", one.get("code", ""))
        for one in outcome.get("issue", ())
        if one.get("severity") in ("error", "fatal")
    ]
    return "; ".join(dict.fromkeys(told))
