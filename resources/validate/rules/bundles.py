"""Bundles: what names their entries, what a request or response in them must have, and what hangs together.

Source: http://hl7.org/fhir/R4/bundle.html, http.html#transaction, documents.html#content, messaging.html
"""

from __future__ import annotations

import re
from typing import Any

from resources.definitions import definitions
from resources.links import reference_holders
from resources.references import is_conditional
from resources.validate.rules.hooks import Run
from resources.validate.rules.scopes import Entries, Scope

Json = dict[str, Any]

_FIRST = {"document": "Composition", "message": "MessageHeader"}
_UNNAMED = frozenset({"batch", "transaction", "batch-response", "transaction-response"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_STATUS = re.compile(r"[1-5][0-9]{2}(?![0-9])")
_SINGLE = frozenset({"self", "first", "previous", "prev", "next", "last"})


def check(run: Run, bundle: Json, path: str, scope: Scope) -> None:
    """Say what is wrong about a Bundle beyond its invariants."""
    kind = bundle.get("type", "")
    entries = bundle.get("entry") or []
    _check_links(run, bundle, path)
    _check_unique(run, kind, entries, path)
    for index, entry in enumerate(entries):
        place = f"{path}.entry[{index}]"
        _check_full_url(run, kind, entry, place)
        _check_request(run, kind, entry, place)
        _check_response(run, entry, place)
    if kind in _FIRST:
        if not entries:
            run.say("bundle-entries-missing", f"{path}.entry", type=kind, first=_FIRST[kind])
        else:
            _check_reached(run, kind, scope.own_entries, entries, path)


# ------------------------------------------------------------------------------------------------ names


def _check_unique(run: Run, kind: str, entries: list[Json], path: str) -> None:
    """Say where two entries have one fullUrl and one version (bdl-7)."""
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(entries if kind != "history" else ()):
        url, meta = entry.get("fullUrl"), entry.get("resource", {}).get("meta", {})
        if url is None:
            continue
        name = (url, str(meta.get("versionId", "")))
        if name in seen:
            run.say("bundle-fullurl-duplicate", f"{path}.entry[{index}].fullUrl", url=url)
        seen.add(name)


def _check_full_url(run: Run, kind: str, entry: Json, place: str) -> None:
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if url is None:
        if kind not in _UNNAMED and resource is not None and "id" in resource and "_fullUrl" not in entry:
            run.say("bundle-fullurl-missing", f"{place}.fullUrl", type=kind)
        return
    if not _SCHEME.match(url):
        run.say("bundle-fullurl-relative", f"{place}.fullUrl", url=url)
    elif resource is not None and "id" in resource and url.startswith(("http://", "https://")):
        name = f"{resource['resourceType']}/{resource['id']}"
        if not url.endswith("/" + name) and "/_history/" not in url:
            run.say("bundle-fullurl-id", f"{place}.fullUrl", url=url, name=name)


# ------------------------------------------------------------------------------------ requests and responses


def _check_request(run: Run, kind: str, entry: Json, place: str) -> None:
    request = entry.get("request")
    if request is None or kind not in ("batch", "transaction"):
        return
    method, url, resource = request.get("method", ""), request.get("url", ""), entry.get("resource")
    if method in ("POST", "PUT", "PATCH") and resource is None and "$" not in url:
        run.say("bundle-method-resource", place, method=method, needs="needs")
    elif method in ("GET", "HEAD", "DELETE") and resource is not None:
        run.say("bundle-method-resource", f"{place}.resource", method=method, needs="cannot have")
    wanted = _wrong_url(method, url, resource)
    if wanted:
        run.say("bundle-request-url", f"{place}.request.url", url=url, method=method, wanted=wanted)


def _wrong_url(method: str, url: str, resource: Json | None) -> str:
    """Return what the url of a request should have been, empty where nothing is wrong about it."""
    if "$" in url or method in ("GET", "HEAD") or _SCHEME.match(url):
        return ""
    parts = url.partition("?")[0].strip("/").split("/")
    name = str(resource.get("resourceType", "")) if resource is not None else ""
    if not definitions().is_resource(parts[0]):
        return "it begins with a resource type" if url not in ("", "/") else ""
    if method == "POST" and (len(parts) > 1 and parts[1] != "_search"):
        return "a resource type alone"
    if method in ("PUT", "DELETE", "PATCH") and len(parts) == 1 and not is_conditional(url):
        return "Type/id or Type?criteria"
    if method in ("POST", "PUT") and name and parts[0] != name:
        return f"the resource is a {name}"
    if (
        method == "PUT"
        and resource is not None
        and len(parts) > 1
        and resource.get("id", parts[1]) != parts[1]
    ):
        return f"the resource has the id {resource['id']}"
    return ""


def _check_response(run: Run, entry: Json, place: str) -> None:
    status = entry.get("response", {}).get("status")
    if type(status) is str and not _STATUS.match(status):
        run.say("bundle-response-status", f"{place}.response.status", status=status)
    mode, resource = entry.get("search", {}).get("mode"), entry.get("resource")
    if mode == "outcome" and resource is not None and resource.get("resourceType") != "OperationOutcome":
        run.say("bundle-search-outcome", f"{place}.search.mode")


def _check_links(run: Run, bundle: Json, path: str) -> None:
    seen: set[str] = set()
    for index, link in enumerate(bundle.get("link", ())):
        relation = link.get("relation")
        if relation in seen and relation in _SINGLE:
            run.say("bundle-link-duplicate", f"{path}.link[{index}].relation", relation=relation)
        seen.add(relation)
    if bundle.get("type") == "searchset" and "self" not in seen:
        run.say("bundle-self-missing", f"{path}.link")


# ------------------------------------------------------------------------------------------------ reach


def _check_reached(run: Run, kind: str, entries: Entries, listed: list[Json], path: str) -> None:
    """Say which entries of a document or message are referred to from nowhere, the first one being the start.

    A Provenance that is about something in the document, and a stylesheet, need not be referred to.
    Source: http://hl7.org/fhir/R4/documents.html#content
    """
    linked = [_linked(entries, entry) for entry in listed]
    reached, waiting = {0}, [0]
    while waiting:
        fresh = linked[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
        if not waiting:  # what points at something reached belongs to it: Provenance and its like
            left = set(range(len(linked))) - reached
            backward = {index for index in left if _may_point(listed[index], linked[index] & reached)}
            reached |= backward
            waiting += backward
    for index, resource in enumerate(entries.resources):
        if index not in reached and resource is not None and resource.get("resourceType") != "Binary":
            run.say("bundle-entry-unreachable", f"{path}.entry[{index}]", first=_FIRST[kind])


def _may_point(entry: Json, targets: set[int]) -> bool:
    return bool(targets) and entry.get("resource", {}).get("resourceType") == "Provenance"


def _linked(entries: Entries, entry: Json) -> set[int]:
    """Return the entries that a resource refers to."""
    resource, url = entry.get("resource"), entry.get("fullUrl", "")
    if type(resource) is not dict:
        return set()
    texts = {holder["reference"] for holder in reference_holders(resource)}
    found = {index for text in texts for index in entries.find(text, url)}
    return found | {index for text in texts for index in entries.seemingly(text)}
