"""TerminologyCapabilities: which code systems are here, and what the operations take.

Source: http://hl7.org/fhir/R4/terminologycapabilities.html
"""

from __future__ import annotations

import asyncio
from functools import cache

from fhir_server.concepts import inventory
from fhir_server.concepts.model import Conn
from fhir_server.operations.terminology import expand
from fhir_server.operations.terminology.answers import Json
from fhir_server.operations.terminology.features import NOTES
from resources.definitions.vocabulary import published, published_urls
from terminology.grammars import GRAMMARS

TEXT_FILTER = (
    "Every word of the filter begins a word of the code, its display or one of its designations;"
    " case and accents do not count"
)


async def told(conn: Conn) -> Json:
    """Return what a TerminologyCapabilities says beyond its head."""
    return {
        "codeSystem": await _code_systems(conn),
        "expansion": {
            "hierarchical": True,
            "paging": True,
            "incomplete": False,
            "parameter": [_parameter(name) for name in sorted(expand.KNOWN)],
            "textFilter": TEXT_FILTER,
        },
        "codeSearch": "all",
        "validateCode": {"translations": False},
        "translation": {"needsMap": False},
        "closure": {"translation": False},
    }


def _parameter(name: str) -> Json:
    note = NOTES.get(("ValueSet/$expand", name))
    return {"name": name} | ({"documentation": note.text} if note and note.text else {})


async def _code_systems(conn: Conn) -> list[Json]:
    """Return the code systems that codes are known of: stored, loaded, made by rules, R4's own."""
    found: dict[str, list[Json]] = {}
    for held in await inventory.systems(conn):
        version = {"code": held.version} if held.version else {}
        known: Json = version | {"compositional": False}
        if held.properties:
            known["property"] = list(held.properties)
        found.setdefault(held.url, []).append(known)
    listed = {url: {"uri": url, "version": versions} for url, versions in found.items()}
    for url in (*await inventory.stored_urls(conn), *GRAMMARS, *await asyncio.to_thread(_published)):
        listed.setdefault(url, {"uri": url})
    subsuming = await inventory.with_hierarchy(conn)
    return [listed[url] | {"subsumption": url in subsuming} for url in sorted(listed)]


@cache
def _published() -> tuple[str, ...]:
    """Return the urls of R4's own code systems that have concepts."""
    own = ((url, published("CodeSystem", url)) for url in published_urls("CodeSystem"))
    return tuple(url for url, found in own if found and found.get("content") != "not-present")
