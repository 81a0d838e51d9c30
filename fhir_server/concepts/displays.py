"""The displays of codes, put into a resource on its way out: what is stored stays as it is.

Only what is missing is added: a Coding without a display whose code is known here. A language that was asked for is
looked for among the designations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fhir_server.concepts import catalog, lookup
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import Concept, Conn, Json, System
from resources.definitions import definitions

Group = dict[tuple[str, str], list[Json]]


async def add(conn: Conn, resource: Json, languages: Sequence[str] = ()) -> None:
    """Give each Coding in `resource` that has none the display of its code."""
    groups: Group = {}
    for coding in _bare(resource, resource["resourceType"]):
        groups.setdefault((coding["system"], coding.get("version", "")), []).append(coding)
    async with remembering(conn):
        for (url, version), alike in groups.items():
            system = await catalog.system(conn, url, version)
            if system is not None:
                await _add(conn, system, alike, languages)


async def _add(conn: Conn, system: System, alike: list[Json], languages: Sequence[str]) -> None:
    codes = list(dict.fromkeys(coding["code"] for coding in alike))
    found = await lookup.concepts(conn, system, codes)
    shown = await _shown(conn, system, list(found.values()), languages)
    for coding in alike:
        one = found.get(coding["code"])
        if one is not None and shown[one.n]:
            coding["display"] = shown[one.n]


async def _shown(
    conn: Conn, system: System, concepts: Sequence[Concept], languages: Sequence[str]
) -> dict[int, str]:
    """Return what concepts are called, in the best language that there is."""
    names = {one.n: one.display for one in concepts}
    if languages and names:
        for n, others in (await lookup.all_designations(conn, system, list(names))).items():
            best = max(others, key=lambda other: lookup.best_name(other, languages))
            names[n] = best.value if lookup.best_name(best, languages) else names[n]
    return names


def _bare(value: Json, type_name: str) -> Iterator[Json]:
    """Yield every Coding with system and code but no display, at any depth."""
    known = definitions().type(type_name).by_json
    for key, child in value.items():
        code = known[key][1] if key in known else ""
        for one in child if isinstance(child, list) else (child,):
            if not code or not isinstance(one, dict):
                continue
            if code == "Coding" and _lacks(one):
                yield one
            yield from _bare(one, one["resourceType"] if code == "Resource" else code)


def _lacks(coding: dict[str, Any]) -> bool:
    return "system" in coding and "code" in coding and "display" not in coding and "_display" not in coding
