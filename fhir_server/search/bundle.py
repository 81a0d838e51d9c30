"""The searchset Bundle, made of the bytes that are stored: nothing is parsed or written anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fhir_server.search.page import Page
from fhir_server.storage.rows import Row, instant, instant_bytes
from resources.codec.json import dump_json
from resources.outcome import operation_outcome

_END = {"match": b',"search":{"mode":"match"}},', "include": b',"search":{"mode":"include"}},'}
"""How an entry ends, and what stands between it and the next."""
NO_SCORES: Mapping[int, str] = {}


def searchset(page: Page, base: str) -> bytes:
    """Return the JSON of the Bundle of `page`; matches first, then what they bring along, then what is to be said."""
    head = {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": instant(datetime.now(UTC))},
        "type": "searchset",
        **({} if page.total is None else {"total": page.total}),
        "link": [{"relation": relation, "url": url} for relation, url in page.links],
    }
    entries = _entries(page.rows, base, "match", page.scores) + _entries(page.included, base, "include")
    if page.issues:
        said = {"resource": operation_outcome(page.issues), "search": {"mode": "outcome"}}
        entries += [dump_json(said), b","]
    opening = dump_json(head)
    if not entries:
        return opening
    return b"".join([opening[:-1], b',"entry":[', *entries[:-1], entries[-1][:-1], b"]}"])


def _entries(rows: Sequence[Row], base: str, mode: str, scores: Mapping[int, str] = NO_SCORES) -> list[bytes]:
    """Return the pieces of the entries of `rows`, each entry with a comma at its end: a page is joined only once."""
    forms: dict[int, bytes] = {}
    end = _END[mode]
    entries: list[bytes] = []
    for row in rows:
        if row.__class__ is not Row:
            entries.append(_made(row, base, mode, scores))
            continue
        form = forms.get(row.type)
        if form is None:
            form = forms[row.type] = _form(row.type_name, base)
        id_ = row.id.encode()
        score = scores.get(row.rid) if scores else None
        last = end if score is None else end[:-3] + f',"score":{score}}}}},'.encode()
        head = form % (id_, id_, row.version, instant_bytes(row.updated))
        entries += (head, row.tail or b"}}", last)
    return entries


def _made(row: Row, base: str, mode: str, scores: Mapping[int, str]) -> bytes:
    """Return the entry of a row that makes its own JSON: a contained resource."""
    address = dump_json({"": f"{base}/{row.type_name}/{row.id}"})[4:-1]
    score = f',"score":{scores[row.rid]}' if row.rid in scores else ""
    last = f',"search":{{"mode":"{mode}"{score}}}}},'.encode()
    return b'{"fullUrl":' + address + b',"resource":' + row.json() + last


def _form(type_name: str, base: str) -> bytes:
    """Return how an entry of a type begins: fullUrl and the head of the resource, as `Row.json` has it."""
    address = dump_json({"": f"{base}/{type_name}/"})[4:-2].replace(b"%", b"%%")
    return (
        b'{"fullUrl":' + address + b'%b","resource":{"resourceType":"' + type_name.encode() + b'","id":"%b",'
        b'"meta":{"versionId":"%d","lastUpdated":"%b"'
    )
