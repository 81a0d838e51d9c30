"""Compare a snapshot of ours with the published one, rule by rule, and say of what kind each disagreement is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from resources.definitions.structures import published_structure

Json = dict[str, Any]
Find = Callable[[str], Json | None]
R4 = "http://hl7.org/fhir/StructureDefinition/"


class Difference(NamedTuple):
    """One rule of one element that is not the same."""

    element: str
    rule: str
    published: Any
    ours: Any


def rules(element: Json) -> Json:
    """Return what an element demands, in a form that can be compared."""
    values = {
        f"value {key}": value
        for key, value in element.items()
        if key.startswith(("fixed", "pattern", "minValue", "maxValue", "maxLength"))
    }
    binding, slicing = element.get("binding"), element.get("slicing")
    return values | {
        "min": element.get("min"),
        "max": element.get("max"),
        "type": sorted(
            (t["code"], tuple(sorted(t.get("profile", ()))), tuple(sorted(t.get("targetProfile", ()))))
            for t in element.get("type", ())
        ),
        "mustSupport": element.get("mustSupport", False),
        "binding": (binding["strength"], binding.get("valueSet")) if binding else None,
        "constraint": sorted(c["key"] for c in element.get("constraint", ())),
        "slicing": slicing
        and (
            sorted((d["type"], d["path"]) for d in slicing.get("discriminator", ())),
            slicing["rules"],
            slicing.get("ordered", False),
        ),
        "contentReference": bool(element.get("contentReference")),
    }


def compare(published: Json, ours: Json) -> tuple[int, list[Difference]]:
    """Return how many rules are the same, and the differences."""
    theirs, made = by_id(published), by_id(ours)
    same, found = 0, []
    for id_, element in theirs.items():
        if id_ not in made:
            found.append(Difference(id_, "missing", True, False))
            continue
        first, second = rules(element), rules(made[id_])
        for rule in first.keys() | second.keys():
            if first.get(rule) == second.get(rule):
                same += 1
            else:
                found.append(Difference(id_, rule, first.get(rule), second.get(rule)))
    found += [Difference(id_, "extra", False, True) for id_ in made.keys() - theirs.keys()]
    return same, sorted(found, key=lambda d: (d.element, d.rule))


def by_id(definition: Json) -> dict[str, Json]:
    """Return the elements of a snapshot by id."""
    return {e["id"]: e for e in definition["snapshot"]["element"]}


def kind(difference: Difference, definition: Json, ours: Json, find: Find) -> str:
    """Return why a rule is not the same; empty where that is not known."""
    return next(_kinds(difference, definition, by_id(ours), find), "")


def _kinds(difference: Difference, definition: Json, made: dict[str, Json], find: Find) -> Iterator[str]:
    id_, rule = difference.element, difference.rule
    if rule in ("missing", "extra") and _beneath_name(id_, definition):
        yield "the publisher has the slice without the element, where nothing says how it is sliced"
    if (
        definition["url"].startswith(R4)
        and rule in ("min", "type", "slicing")
        and _short_path(id_, definition)
    ):
        yield "the R4 publisher closed every choice that is constrained by short path; later ones only where min is 1"
    if rule == "max" and "extension:" in id_ and "max" not in _told(id_, definition):
        yield "a slice of extension has at most what the extension says"
    if ":" in id_ and _as_unsliced(difference, made):
        yield "our slices have what the same differential says of every item"
    if (
        rule == "constraint"
        and set(difference.ours) < set(difference.published)
        and _of_type(difference, made[id_], find)
    ):
        yield "we leave the invariants of a type to the type"
    if rule == "slicing" and _told(id_, definition).get("slicing", {}).get("rules") == difference.ours[1]:
        yield "the publisher opened a slicing that the differential closes"
    if rule == "missing" and _told(id_.rpartition(".")[0], definition) and not _told(id_, definition):
        yield "the publisher unfolded what the differential does not go below"
    if "us/core/" in definition["baseDefinition"] and "us/carin-bb" in definition["url"]:
        yield "CARIN BB stands on US Core 3.1.1, at hand is 6.1.0"
    if rule == "extra" and _below(id_, definition):
        yield "the publisher lost the children of an element that its base profile unfolds"


def _told(id_: str, definition: Json) -> Json:
    return next((e for e in definition["differential"]["element"] if e.get("id") == id_), {})


def _beneath_name(id_: str, definition: Json) -> bool:
    published = by_id(definition)
    paths = {e["path"] for e in definition["differential"]["element"] if "sliceName" in e}
    plain = ".".join(part.partition(":")[0] for part in id_.split("."))
    return any(path not in published and f"{plain}.".startswith(f"{path}.") for path in paths)


def _short_path(id_: str, definition: Json) -> bool:
    stem = id_.partition(":")[0].removesuffix("[x]")
    return any(
        e["path"].startswith(stem) and e["path"][len(stem) : len(stem) + 1].isupper()
        for e in definition["differential"]["element"]
    )


def _as_unsliced(difference: Difference, made: dict[str, Json]) -> bool:
    parts = difference.element.split(".")
    for number in range(len(parts)):
        part = parts[number].partition(":")[0]
        other = made.get(".".join([*parts[:number], part, *parts[number + 1 :]]))
        same = difference.rule == "extra" or rules(other or {}).get(difference.rule) == difference.ours
        if ":" in parts[number] and other is not None and same:
            return True
    return False


def _of_type(difference: Difference, element: Json, find: Find) -> bool:
    extra = set(difference.published) - set(difference.ours)
    known: set[str] = set()
    for type_ in element["type"]:
        for url in (R4 + type_["code"], *type_.get("profile", ())):
            found = find(url) or published_structure(url)
            known |= {c["key"] for c in found["snapshot"]["element"][0]["constraint"]} if found else set()
    return extra <= known


def _below(id_: str, definition: Json) -> bool:
    return not any(
        e.get("id", "").startswith(id_.rpartition(".")[0] + ".")
        for e in definition["differential"]["element"]
    )
