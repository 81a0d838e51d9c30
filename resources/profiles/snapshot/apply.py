"""Lay a differential over the tree of its base.

Source: http://hl7.org/fhir/R4/profiling.html#slicing, #snapshot
"""

from __future__ import annotations

from typing import Any

from resources.outcome import FhirError, Issue
from resources.profiles.snapshot.elements import Branch
from resources.profiles.snapshot.merge import limit, merged
from resources.profiles.snapshot.places import Places, Step
from resources.profiles.snapshot.types import Library

Json = dict[str, Any]

_BY_TYPE = {"discriminator": [{"type": "type", "path": "$this"}], "ordered": False}
_BY_URL = {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "open"}
_MOST = 100_000
"""Elements that slices may copy: the largest published profile has 3,000; slices in slices double them each time."""
_DEEPEST = 40
_TEXTS = ("short", "definition", "comment")


class Differential:
    """Applies element by element; `issues` are what cannot be."""

    def __init__(self, root: Branch, source: str, library: Library) -> None:
        self.root = root
        self.issues: list[Issue] = []
        self._source = source
        self._library = library
        self._places = Places()
        self._names: dict[int, str] = {}
        self._copied = 0

    def apply(self, elements: list[Json]) -> None:
        """Apply all elements in order."""
        for number, json in enumerate(elements):
            where = f"StructureDefinition.differential.element[{number}]"
            try:
                self._apply(json, where)
            except _ImpossibleError as error:
                self._say(str(error), json, where)

    def _say(self, text: str, json: Json, where: str) -> None:
        self.issues.append(Issue("invalid", f"{json.get('id') or json['path']}: {text}", (where,)))

    def _apply(self, json: Json, where: str) -> None:
        steps = self._places.steps(json)
        own, sliced = self.root, False
        if len(steps) > _DEEPEST:
            raise _ImpossibleError(f"the path is deeper than {_DEEPEST} elements")
        if json["path"].partition(".")[0] != own.name:
            raise _ImpossibleError(f"the path does not begin with {own.name}")
        for number, step in enumerate(steps):
            own = self._step(own, step, json if number == len(steps) - 1 else None, sliced)
            sliced = sliced or bool(own.slice_name)
        self._extension(own, json)
        if id(own) in self._names:
            json = {key: value for key, value in json.items() if key != "sliceName"}
        own.json = merged(own.json, json, self._source, lambda text: self._say(text, json, where))

    def _step(self, above: Branch, step: Step, own: Json | None, sliced: bool) -> Branch:
        """Return the child, or its slice, that a step leads to; a slice is made where `own` defines it."""
        name, slice_name = step
        self._library.unfold(above)
        child = above.children.get(name) or above.children.get(name + "[x]")
        if child is None:
            return self._short(above, step, own, sliced)
        if not slice_name:
            return child
        return child.slice(slice_name) or self._slice(child, slice_name, own)

    def _short(self, above: Branch, step: Step, own: Json | None, sliced: bool) -> Branch:
        """Return what 'valueQuantity' means: a slice by type, or value[x] itself where that is all it can be."""
        name, slice_name = step
        child, types = _typed(above, name)
        found = child.slice(slice_name or name)
        if found is not None:
            return found
        only = {t["code"] for t in child.types()} == {types[0]["code"]}
        if not slice_name and not child.slices and "slicing" not in child.json and (only or sliced):
            child.json = {**child.json, "type": types}
            return child
        made = self._made(child, slice_name or name)
        made.json["type"] = types
        self._slice_by_type(child, made, own or {})
        return made

    @staticmethod
    def _slice_by_type(child: Branch, made: Branch, own: Json) -> None:
        """Slice a choice by type: closed where the slice must be there, and in extensions, which have one value."""
        closed = own.get("min", 0) > 0 or child.json.get("base", {}).get("path") == "Extension.value[x]"
        slicing = {**_BY_TYPE, "rules": "open", **child.json.get("slicing", {})}
        child.json = {**child.json, "slicing": slicing | ({"rules": "closed"} if closed else {})}
        if closed:
            others = {t["code"] for each in child.slices for t in each.types()}
            child.json["type"] = [t for t in child.types() if t["code"] in others]
        if own.get("min", 0) > child.json.get("min", 0) and len(child.slices) == 1:
            child.json["min"] = made.json["min"] = own["min"]

    def _slice(self, child: Branch, slice_name: str, own: Json | None) -> Branch:
        types = _type_slice(child, slice_name)
        if "slicing" not in self._origin(child, slice_name).json:
            implied = _implied(child)
            if implied is None:
                return self._named(child, slice_name)
            child.json = {**child.json, "slicing": implied}
        elif own is None and not types:
            raise _ImpossibleError(f"{child.name} has no slice {slice_name}")
        made = self._made(child, slice_name)
        if types:
            made.json["type"] = types
        return made

    def _named(self, child: Branch, slice_name: str) -> Branch:
        """Return the element itself: where nothing is sliced, the name of a slice is but a name; there can be one."""
        if self._names.setdefault(id(child), slice_name) != slice_name:
            raise _ImpossibleError(f"{child.name} has no slicing: its slices cannot be told apart")
        return child

    def _made(self, child: Branch, slice_name: str) -> Branch:
        """Return a new slice: what the element (or the slice that it slices again) is, but optional."""
        origin = self._origin(child, slice_name)
        json = {key: value for key, value in origin.json.items() if key != "slicing"}
        json |= {"sliceName": slice_name, "min": 0}
        children = {name: each.copy() for name, each in origin.children.items()}
        made = Branch(child.name, json, children)
        self._copied += made.size()
        if self._copied > _MOST:
            raise FhirError(422, "too-costly", f"{self._source}: its slices have more than {_MOST} elements")
        child.slices.insert(self._index(child, slice_name), made)
        return made

    @staticmethod
    def _origin(child: Branch, slice_name: str) -> Branch:
        above = slice_name.rpartition("/")[0]
        while above:
            found = child.slice(above)
            if found is not None:
                return found
            above = above.rpartition("/")[0]
        return child

    @staticmethod
    def _index(child: Branch, slice_name: str) -> int:
        """Return where the slice goes: a reslice behind its slice and that one's reslices, else at the end."""
        above = slice_name.rpartition("/")[0]
        if above:
            for number in range(len(child.slices) - 1, -1, -1):
                name = child.slices[number].slice_name
                if name == above or name.startswith(above + "/"):
                    return number + 1
        return len(child.slices)

    def _extension(self, own: Branch, json: Json) -> None:
        """Give a slice of extension the texts of the extension that it is, and its max where none is told."""
        profiles = [p for t in json.get("type", ()) if t["code"] == "Extension" for p in t.get("profile", ())]
        if own.slice_name and len(profiles) == 1:
            found = self._library.tree(profiles[0])
            if found is not None:
                own.json = own.json | {key: found.json[key] for key in _TEXTS if key in found.json}
                if "max" not in json and limit(found.json) < limit(own.json):
                    own.json["max"] = found.json["max"]


class _ImpossibleError(Exception):
    """This element of the differential has no place."""


def _typed(above: Branch, name: str) -> tuple[Branch, list[Json]]:
    """Return the choice that 'valueQuantity' means, and the type that it says."""
    for child in above.children.values():
        types = _type_slice(child, name)
        if types:
            return child, types
    raise _ImpossibleError(f"there is no element {name} in {above.json.get('path', above.name)}")


def _implied(child: Branch) -> Json | None:
    if child.name in ("extension", "modifierExtension"):
        return _BY_URL
    return {**_BY_TYPE, "rules": "open"} if child.choice else None


def _type_slice(child: Branch, slice_name: str) -> list[Json]:
    """Return the type that the name of a slice of a choice says ('valueQuantity')."""
    stem = child.name.removesuffix("[x]")
    if not child.choice:
        return []
    return [t for t in child.types() if stem + t["code"][:1].upper() + t["code"][1:] == slice_name]
