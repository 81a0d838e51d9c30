"""The entries of a batch or transaction, each understood as a request of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from fhir_server.exchange import Pairs, Request
from fhir_server.routing import Route, route
from resources.outcome import FhirError, Issue
from resources.validate.base import check

Json = dict[str, Any]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}
_ALLOWED = {
    "GET": ("ifNoneMatch", "ifModifiedSince"),
    "HEAD": ("ifNoneMatch", "ifModifiedSince"),
    "POST": ("ifNoneExist",),
    "PUT": ("ifMatch",),
    "PATCH": ("ifMatch",),
    "DELETE": ("ifMatch",),
}
WRITES = {"create", "update", "patch", "delete"}


class Entry(msgspec.Struct):
    """One entry of a batch or transaction.

    Shape:  `index` its place in the request; `path` decoded and relative; `resource` is the entry's own dict
    """

    index: int
    method: str
    path: str
    query: Pairs
    route: Route
    full_url: str | None
    resource: Json | None
    headers: dict[str, str]

    @property
    def where(self) -> str:
        """The entry's FHIRPath location."""
        return f"Bundle.entry[{self.index}]"

    @property
    def writes(self) -> bool:
        """Whether the entry changes a resource."""
        return self.route.interaction in WRITES

    def request(self, outer: Request) -> Request:
        """Return the entry as a request in its own right, sharing the outer one's base, id and preferences."""
        kept = {name: outer.headers[name] for name in ("prefer", "accept") if name in outer.headers}
        return Request(
            self.method, self.path, self.query, kept | self.headers, b"", outer.base, outer.id, self.resource
        )


def check_bundle(bundle: Json, limit: int) -> None:
    """Refuse what is no batch or transaction at all.

    Errors: 400 for another type of resource or Bundle, 413 for more than `limit` entries, 422 for wrong structure
            outside of the entries' resources
    """
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in ("batch", "transaction"):
        text = (
            "The base takes a Bundle of type batch or transaction; other resources go to their own type's URL"
        )
        raise FhirError(400, "invalid", text, "Bundle.type")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FhirError(400, "structure", "Bundle.entry must be an array of objects", "Bundle.entry")
    if len(entries) > limit:
        text = f"The Bundle has {len(entries)} entries; at most {limit} are taken at once"
        raise FhirError(413, "too-costly", text, "Bundle.entry")
    bare = [{key: value for key, value in entry.items() if key != "resource"} for entry in entries]
    shell = {**bundle, "entry": bare} if bare else {k: v for k, v in bundle.items() if k != "entry"}
    check(shell)


def parse_entry(json: Json, index: int, base: str) -> Entry:
    """Return entry number `index` as a request.

    Errors: whatever routing its URL says, and 400 for a request that is not complete; located in the entry
    """
    with located(f"Bundle.entry[{index}].request"):
        return _parsed(json, index, base)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Give `where` as the place of every issue that leaves without one."""
    try:
        yield
    except FhirError as error:
        issues = [
            msgspec.structs.replace(issue, expression=issue.expression or (where,)) for issue in error.issues
        ]
        raise FhirError(error.status, issues=issues, headers=error.headers) from None


def _parsed(json: Json, index: int, base: str) -> Entry:
    where = f"Bundle.entry[{index}]"
    asked = json.get("request")
    if asked is None:
        raise FhirError(
            400, "required", "An entry of a batch or transaction needs a request", f"{where}.request"
        )
    method, url = asked.get("method"), asked.get("url")
    if method is None or url is None:
        raise FhirError(400, "required", "A request needs values for method and url", f"{where}.request")
    path, _, query = url.removeprefix(base + "/").partition("?")
    path = unquote(path).strip("/")
    found = route(method, path)
    resource = json.get("resource")
    if not isinstance(resource, dict | None):
        raise FhirError(400, "structure", "A resource is a JSON object", f"{where}.resource")
    if found.interaction in ("create", "update", "patch") and resource is None:
        raise FhirError(400, "required", f"{method} needs a resource", f"{where}.resource")
    kind = (resource or {}).get("resourceType")
    if found.interaction in ("create", "update") and kind != found.type:
        text = f"The resource is a '{kind}', but the URL asks for '{found.type}'"
        raise FhirError(400, "invalid", text, f"{where}.resource")
    if resource is not None and found.interaction not in ("create", "update", "patch", "operation"):
        raise FhirError(400, "invalid", f"{method} takes no resource", f"{where}.resource")
    headers = {}
    for name, header in _HEADERS.items():
        if name in asked:
            if name not in _ALLOWED[method]:
                raise FhirError(
                    400, "not-supported", f"{name} means nothing with {method}", f"{where}.request.{name}"
                )
            headers[header] = asked[name]
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return Entry(index, method, path, pairs, found, json.get("fullUrl"), resource, headers)


def parse_transaction(bundle: Json, base: str) -> list[Entry]:
    """Return all entries; raises FhirError that lists every entry that cannot be understood."""
    entries: list[Entry] = []
    issues: list[Issue] = []
    for index, json in enumerate(bundle.get("entry", ())):
        try:
            entries.append(parse_entry(json, index, base))
        except FhirError as error:
            issues.extend(error.issues)
    if not issues:
        issues = list(_repeated_urls(entries)) + list(_not_in_transactions(entries))
    if issues:
        raise FhirError(400, issues=issues)
    return entries


def _repeated_urls(entries: list[Entry]) -> list[Issue]:
    seen: set[str] = set()
    issues = []
    for entry in entries:
        if entry.full_url is not None and entry.full_url in seen:
            text = f"The fullUrl '{entry.full_url}' occurs twice, so links to it are ambiguous"
            issues.append(Issue("duplicate", text, (f"{entry.where}.fullUrl",)))
        seen.add(entry.full_url or "")
    return issues


def _not_in_transactions(entries: list[Entry]) -> list[Issue]:
    return [
        Issue(
            "not-supported",
            f"{e.route.interaction} has no place in a transaction",
            (f"{e.where}.request.url",),
        )
        for e in entries
        if e.route.interaction == "transaction" or (e.route.interaction == "operation" and e.method == "POST")
    ]
