"""The codes of an expansion as ValueSet writes them: names in a language, designations, properties, nesting.

Source: http://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.expansion.contains
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fhir_server.concepts import lookup
from fhir_server.concepts.model import Conn, System
from fhir_server.concepts.sets import Entry
from fhir_server.operations.terminology.answers import Json, property_value, value
from fhir_server.operations.terminology.naming import designation, display
from terminology.records import Designation, PropertyValue

PROPERTY = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion.contains.property"
"""R5's element for a concept's properties, as an extension. Source: http://hl7.org/fhir/R5/versions.html#extensions"""

LANGUAGES = "urn:ietf:bcp:47"

Place = tuple[int, int]
"""Number of a code system in the tables and place of a concept in it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of each code.

    Shape:  `designations` None: none, empty: all, else those with one of these (system, code) of use or language;
            `tongue` is the language of displays; `versions` says that the versions of code systems matter
    """

    tongue: str = ""
    designations: tuple[tuple[str, str], ...] | None = None
    properties: tuple[str, ...] = ()
    versions: bool = False


async def contents(conn: Conn, entries: Sequence[Entry], shown: Shown) -> list[Json]:
    """Return the entries of an expansion, flat and in order."""
    names: dict[Place, list[Designation]] = {}
    properties: dict[Place, list[PropertyValue]] = {}
    for system, ns in _by_system(entries):
        if shown.tongue or shown.designations is not None:
            found = await lookup.all_designations(conn, system, ns)
            names |= {(system.id, n): some for n, some in found.items()}
        if shown.properties:
            told = await lookup.all_properties(conn, system, ns, shown.properties)
            properties |= {(system.id, n): some for n, some in told.items()}
    return [
        _entry(one, names.get(_place(one), []), properties.get(_place(one), []), shown) for one in entries
    ]


def _by_system(entries: Iterable[Entry]) -> list[tuple[System, list[int]]]:
    found: dict[int, tuple[System, list[int]]] = {}
    for one in entries:
        if one.leaf.system is not None and one.n is not None:
            found.setdefault(one.leaf.system.id, (one.leaf.system, []))[1].append(one.n)
    return list(found.values())


def _place(one: Entry) -> Place:
    return one.leaf.number, -1 if one.n is None else one.n


def _entry(one: Entry, others: list[Designation], properties: list[PropertyValue], shown: Shown) -> Json:
    own = one.listed
    names = [*(own.designations if own else ()), *others]
    name = display(one.display, names, [shown.tongue] if shown.tongue else [])
    chosen = [each for each in names if _chosen(each, shown)]
    said: Json = {
        **({"extension": told} if (told := _properties(one, properties, shown)) else {}),
        **({"system": one.leaf.url} if one.leaf.url else {}),
        **({"abstract": True} if one.abstract or (own and own.abstract) else {}),
        **({"inactive": True} if not one.active or (own and own.inactive) else {}),
        **({"version": one.leaf.version} if shown.versions and one.leaf.version else {}),
        "code": one.code,
        **({"display": name} if name else {}),
        **({"designation": [designation(each) for each in chosen]} if chosen else {}),
    }
    return said


def _chosen(one: Designation, shown: Shown) -> bool:
    """Whether a designation is shown: its language or its use was asked for, or all were."""
    if shown.designations is None:
        return False
    return not shown.designations or any(_fits(one, *wanted) for wanted in shown.designations)


def _fits(one: Designation, system: str, code: str) -> bool:
    in_language = system in ("", LANGUAGES) and bool(lookup.best_name(one, [code]))
    used = one.use is not None and one.use[1] == code and system in ("", one.use[0])
    return in_language or used


def _properties(one: Entry, held: list[PropertyValue], shown: Shown) -> list[Json]:
    """Return the properties asked for, each as the extension that stands for R5's element."""
    own = {
        "definition": PropertyValue("definition", "string", one.definition) if one.definition else None,
        "inactive": PropertyValue("inactive", "boolean", "false" if one.active else "true"),
        "notSelectable": PropertyValue("notSelectable", "boolean", "true") if one.abstract else None,
    }
    names = {found.name for found in held}
    made = [own[name] for name in shown.properties if name not in names and name in own]
    return [_extension(found) for found in [*held, *made] if found is not None]


def _extension(found: PropertyValue) -> Json:
    parts = [value("", "code", found.name), property_value("", found)]
    inner = [
        {"url": url, **{key: content for key, content in part.items() if key != "name"}}
        for url, part in zip(("code", "value"), parts, strict=True)
    ]
    return {"url": PROPERTY, "extension": inner}


async def nested(conn: Conn, entries: Sequence[Entry], flat: Sequence[Json]) -> list[Json]:
    """Return an expansion's entries below the broader ones among them: under the first, where there are several."""
    above: dict[Place, Place] = {}
    there = {_place(one): number for number, one in enumerate(entries) if one.n is not None}
    for system, ns in _by_system(entries):
        for child, parent in await lookup.edges(conn, system, ns):
            if (system.id, parent) in there and not _within(above, (system.id, parent), (system.id, child)):
                above.setdefault((system.id, child), (system.id, parent))
    roots: list[Json] = []
    for one, said in zip(entries, flat, strict=True):
        broader = above.get(_place(one))
        holder = roots if broader is None else flat[there[broader]].setdefault("contains", [])
        holder.append(said)
    return roots


def _within(above: dict[Place, Place], place: Place | None, wanted: Place) -> bool:
    """Whether `wanted` is above `place`, or the same."""
    while place is not None and place != wanted:
        place = above.get(place)
    return place == wanted
