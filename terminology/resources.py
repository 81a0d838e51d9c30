"""A CodeSystem resource as records, concept by concept, in the order of its definition.

Source: http://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from terminology.codesystems import PROPERTIES, UPWARD
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

Json = dict[str, Any]


def header(resource: Json) -> SystemHeader:
    """Return what a CodeSystem says besides its concepts."""
    return SystemHeader(
        url=resource.get("url", ""),
        version=resource.get("version", ""),
        name=resource.get("title") or resource.get("name", ""),
        status=resource.get("status", ""),
        content=resource.get("content", "not-present"),
        cased=resource.get("caseSensitive", False),
        meaning=resource.get("hierarchyMeaning", "is-a"),
        compositional=resource.get("compositional", False),
        properties=tuple(
            DeclaredProperty(p["code"], p.get("type", "string"), p.get("uri", ""), p.get("description", ""))
            for p in resource.get("property", ())
        ),
        copyright=resource.get("copyright", ""),
    )


def records(resource: Json) -> Iterator[ConceptRecord]:
    """Yield every concept of a CodeSystem; a parent is what it is nested in, or a property that says so."""
    declared = {p["code"]: p.get("uri", "") for p in resource.get("property", ())}
    adopted = _adopted(resource, declared)
    for concept, above in _nested(resource):
        yield _record(concept, [above] if above else [], adopted.get(concept["code"], ()), declared)


def _nested(resource: Json) -> Iterator[tuple[Json, str]]:
    """Yield every concept with the code of the one that it is nested in."""
    waiting = [(concept, "") for concept in reversed(resource.get("concept", []))]
    while waiting:
        concept, above = waiting.pop()
        yield concept, above
        waiting += [(child, concept["code"]) for child in reversed(concept.get("concept", []))]


def _adopted(resource: Json, declared: dict[str, str]) -> dict[str, list[str]]:
    """Return the parents that concepts have because others name them as a child."""
    parents: dict[str, list[str]] = {}
    if any(is_standard(declared, name, "child") for name in [*declared, "child"]):
        for concept, _ in _nested(resource):
            for one in map(_property, concept.get("property", ())):
                if is_standard(declared, one.name, "child"):
                    parents.setdefault(one.value, []).append(concept["code"])
    return parents


def is_standard(declared: dict[str, str], name: str, standard: str) -> bool:
    """Whether a property is one of R4's own, by its uri or, declared without one, by its name."""
    return declared.get(name, "") == PROPERTIES + standard or (name == standard and not declared.get(name))


def _record(
    concept: Json, above: list[str], adopted: Iterable[str], declared: dict[str, str]
) -> ConceptRecord:
    properties = tuple(_property(p) for p in concept.get("property", ()))
    parents = [*above, *adopted]
    active, abstract = True, False
    for one in properties:
        if one.name in UPWARD or is_standard(declared, one.name, "parent"):
            parents.append(one.value)
        elif is_standard(declared, one.name, "inactive"):
            active = active and one.value != "true"
        elif is_standard(declared, one.name, "status"):
            active = active and one.value not in ("retired", "inactive")
        elif is_standard(declared, one.name, "notSelectable"):
            abstract = abstract or one.value == "true"
    return ConceptRecord(
        code=concept["code"],
        display=concept.get("display", ""),
        definition=concept.get("definition", ""),
        parents=tuple(dict.fromkeys(parents)),
        active=active,
        abstract=abstract,
        properties=properties,
        designations=tuple(_designation(d) for d in concept.get("designation", ()) if "value" in d),
    )


def _property(json: Json) -> PropertyValue:
    key, value = next(((k[5:], v) for k, v in json.items() if k.startswith("value")), ("String", ""))
    if isinstance(value, dict):
        code, system, display = (value.get(name, "") for name in ("code", "system", "display"))
        return PropertyValue(json["code"], "Coding", code, system, display)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    kind: Any = key[:1].lower() + key[1:]
    return PropertyValue(json["code"], kind, text)


def _designation(json: Json) -> Designation:
    use = json.get("use")
    told = (use.get("system", ""), use.get("code", ""), use.get("display", "")) if use else None
    return Designation(json["value"], json.get("language", ""), told)
