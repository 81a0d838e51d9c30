"""Resources into a running server by url and version: made where they are not there, replaced where they are."""

from __future__ import annotations

from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import httpx

from resources.codec.json import dump_json, parse_json

Json = dict[str, Any]
JSON = "application/fhir+json"
HEADERS = {"Content-Type": JSON, "Accept": JSON, "Prefer": "return=minimal"}
TIMEOUT = httpx.Timeout(600.0, connect=10.0)
MOST_BYTES = 4_000_000
MOST_ENTRIES = 100


class Keeper:
    """Sends resources in batches; `kept` counts those stored, `refused` tells the others."""

    def __init__(self, base: str, auth: httpx.Auth | None = None, client: httpx.Client | None = None) -> None:
        self._base = base.rstrip("/")
        self._client = client or httpx.Client(timeout=TIMEOUT, auth=auth)
        self._entries: list[Json] = []
        self._bytes = 0
        self.kept = 0
        self.refused: list[str] = []

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def keep(self, resource: Json) -> None:
        """Store a resource, now or with those that follow."""
        query = _query(resource["url"], resource.get("version", ""))
        url = f"{resource['resourceType']}?{query}"
        self._entries.append({"resource": resource, "request": {"method": "PUT", "url": url}})
        self._bytes += len(dump_json(resource))
        if self._bytes > MOST_BYTES or len(self._entries) >= MOST_ENTRIES:
            self.end()

    def end(self) -> None:
        """Send what is waiting."""
        if not self._entries:
            return
        entries, self._entries, self._bytes = self._entries, [], 0
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        answer = self._client.post(self._base, content=dump_json(bundle), headers=HEADERS)
        if not answer.is_success:
            self.refused += [
                f"{entry['resource']['url']}: {answer.status_code} {_why(answer)}" for entry in entries
            ]
            return
        for entry, told in zip(entries, parse_json(answer.content).get("entry", []), strict=True):
            response = told.get("response", {})
            if str(response.get("status", "")).startswith("2"):
                self.kept += 1
            else:
                why = _texts(response.get("outcome", {}))
                self.refused.append(f"{entry['resource']['url']}: {response.get('status')} {why}")

    def drop(self, type_name: str, url: str, version: str) -> None:
        """Remove the resource of a url and version, if it is there."""
        answer = self._client.delete(f"{self._base}/{type_name}?{_query(url, version)}", headers=HEADERS)
        if not answer.is_success:
            self.refused.append(f"{url}: {answer.status_code} {_why(answer)}")


def _query(url: str, version: str) -> str:
    plain = {"url": url} | ({"version": version} if version else {})
    return urlencode({name: _escaped(value) for name, value in plain.items()})


def _escaped(value: str) -> str:
    """Return a value as a search takes it for one. Source: http://hl7.org/fhir/R4/search.html#escaping"""
    return "".join(f"\\{c}" if c in "\\,|$" else c for c in value)


def _why(answer: httpx.Response) -> str:
    try:
        return _texts(answer.json())
    except ValueError:
        return answer.text[:200]


def _texts(outcome: Json) -> str:
    return "; ".join(
        str(issue.get("diagnostics") or issue.get("code", "")) for issue in outcome.get("issue", ())
    )
