"""From files to what is sent: each piece is one Bundle and one request."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from fhir_server.loader.files import kind, open_bytes
from resources.codec.json import dump_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError

GROUP = 250
GROUP_BYTES = 1 << 20
"""Single resources travel together: at most so many, at most so many bytes."""

MEMBERS = frozenset({"collection", "searchset"})
"""Bundles that merely hold resources; `document` and `message` are stored as the Bundles that they are."""

_CONDITIONAL = re.compile(rb'"reference"\s*:\s*"[A-Za-z]+\?')


class Refusal(NamedTuple):
    """What was not loaded, and why; `status` is 0 where it was never sent."""

    source: str
    status: int
    reason: str


@dataclass(frozen=True)
class Piece:
    """One Bundle to send.

    Shape:  `sources` names where it comes from, one per entry where it may be sent entry by entry (`split`), else one;
            `safe`: sending it twice does no harm; `weight` is its share of the progress bar, in bytes of the file
    """

    body: bytes
    sources: tuple[str, ...]
    count: int
    weight: int = 0
    split: bool = False
    safe: bool = True

    @property
    def key(self) -> str:
        """A digest of the content: what the state file remembers."""
        return hashlib.sha256(self.body).hexdigest()[:32]

    @property
    def conditional(self) -> bool:
        """Whether it refers to resources by conditional references, which may be waiting for another piece."""
        return _CONDITIONAL.search(self.body) is not None


class _Call(msgspec.Struct):
    method: str = ""
    ifNoneExist: str | None = None  # noqa: N815


class _Entry(msgspec.Struct):
    fullUrl: str | None = None  # noqa: N815
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: _Call | None = None


class _Bundle(msgspec.Struct):
    type: str = ""
    entry: Sequence[_Entry] = ()


class _Head(msgspec.Struct):
    resourceType: str = ""  # noqa: N815
    id: str | None = None


class _Single(NamedTuple):
    source: str
    body: bytes
    full_url: str | None = None


def pieces(files: Iterable[Path]) -> Iterator[Piece | Refusal]:
    """Yield what `files` hold, in order; whatever cannot be read becomes a Refusal."""
    group: list[_Single] = []
    size = weight = 0
    for path in files:
        left = path.stat().st_size
        for item in _items(path):
            if not isinstance(item, _Single):
                yield item
                left = 0
                continue
            group.append(item)
            size += len(item.body)
            if len(group) >= GROUP or size >= GROUP_BYTES:
                share = min(left, size)
                left -= share
                yield _grouped(group, weight + share)
                group, size, weight = [], 0, 0
        weight += left
    if group:
        yield _grouped(group, weight)


def _items(path: Path) -> Iterator[Piece | _Single | Refusal]:
    try:
        if kind(path) in (".ndjson", ".jsonl"):
            with open_bytes(path) as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield from _content(f"{path}:{number}", line, 0)
            return
        with open_bytes(path) as file:
            data = file.read()
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Refusal(str(path), 0, f"cannot be read: {error}")
        return
    try:
        body = dump_json(parse_xml(data)) if kind(path) == ".xml" else data
    except FhirError as error:
        yield Refusal(str(path), 0, "; ".join(issue.text for issue in error.issues))
        return
    yield from _content(str(path), body, path.stat().st_size)


def _content(source: str, data: bytes, weight: int) -> Iterator[Piece | _Single | Refusal]:
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.resourceType != "Bundle":
            yield _Single(source, data) if head.resourceType else Refusal(source, 0, "is no FHIR resource")
            return
        bundle = msgspec.json.decode(data, type=_Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield Refusal(source, 0, f"is no FHIR JSON: {error}")
        return
    yield from _of_bundle(source, data, bundle, weight)


def _of_bundle(source: str, data: bytes, bundle: _Bundle, weight: int) -> Iterator[Piece | _Single | Refusal]:
    if bundle.type in ("transaction", "batch"):
        calls = [entry.request for entry in bundle.entry if entry.request]
        safe = all(call.method in ("PUT", "DELETE", "GET", "HEAD") or call.ifNoneExist for call in calls)
        yield Piece(data, (source,), len(bundle.entry), weight, safe=safe)
    elif bundle.type == "history":
        yield Refusal(source, 0, "is a history Bundle, which holds old versions: nothing to load")
    elif bundle.type in MEMBERS:
        members = [
            _Single(f"{source}#{n}", bytes(entry.resource), entry.fullUrl)
            for n, entry in enumerate(bundle.entry)
            if entry.resource
        ]
        if any(member.full_url and member.full_url.startswith("urn:") for member in members):
            whole = _grouped(members, weight)  # its links are only understood together
            yield Piece(whole.body, (source,), whole.count, weight, safe=whole.safe)
        else:
            yield from members
    else:
        yield _Single(source, data)


def _grouped(group: list[_Single], weight: int) -> Piece:
    entries, safe = [], True
    for single in group:
        head = msgspec.json.decode(single.body, type=_Head)
        method, url = ("PUT", f"{head.resourceType}/{head.id}") if head.id else ("POST", head.resourceType)
        safe = safe and method == "PUT"
        request = msgspec.json.encode({"method": method, "url": url})
        link = b'"fullUrl":' + msgspec.json.encode(single.full_url) + b"," if single.full_url else b""
        entries.append(b"{" + link + b'"resource":' + single.body + b',"request":' + request + b"}")
    sources = tuple(single.source for single in group)
    return Piece(bundle_of(entries, "transaction"), sources, len(group), weight, split=True, safe=safe)


def bundle_of(entries: Iterable[bytes], kind_: str) -> bytes:
    """Return the Bundle of type `kind_` with `entries`."""
    return b'{"resourceType":"Bundle","type":"' + kind_.encode() + b'","entry":[' + b",".join(entries) + b"]}"


def as_batch(piece: Piece) -> bytes:
    """Return the piece's Bundle as a batch: each entry for itself."""
    return piece.body.replace(b'"type":"transaction"', b'"type":"batch"', 1)
