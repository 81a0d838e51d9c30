"""Which items belong to a slice of a profile: its discriminators, read from the StructureDefinition's snapshot.

Source: http://hl7.org/fhir/R4/profiling.html#slicing and #discriminator
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from resources.fhirpath.environment import Environment
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.model import Json
from resources.fhirpath.ports import PORTS
from resources.fhirpath.typetests import matches
from resources.fhirpath.values import Items, Node, plain, step

_STEP = re.compile(r"(?P<name>\$?[A-Za-z]+)(?:\('(?P<text>[^']*)'\)|\((?P<type>[A-Za-z]*)\))?(?:\.|$)")
_SLICE_NAME = re.compile(r":[^.]+")
_NO_ELEMENT = ("$this", "resolve", "ofType", "extension")
Elements = list[Json]


class Slice:
    """One slice of a structure.

    Shape:  `elements` are the snapshot's ElementDefinitions
    Errors: FhirError 400 where the structure has no such slice, or one without discriminators
    """

    def __init__(self, elements: Elements, name: str) -> None:
        self.elements = elements
        found = next((each for each in elements if each.get("sliceName") == name), None)
        if found is None:
            raise evaluation_error(f"the structure has no slice '{name}'")
        self.root: Json = found
        sliced = found["id"].rpartition(":")[0]
        entry = next((each for each in elements if each["id"] == sliced and "slicing" in each), None)
        if entry is None or not entry["slicing"].get("discriminator"):
            raise evaluation_error(f"the slice '{name}' has no discriminator to tell it by")
        self.discriminators: list[Json] = entry["slicing"]["discriminator"]

    @property
    def path(self) -> str:
        """The path of the sliced element."""
        return str(self.root["path"])

    def holds(self, env: Environment, node: Node) -> bool:
        """Whether `node` belongs to the slice: every discriminator says so."""
        return all(self._discriminated(env, node, each["type"], each["path"]) for each in self.discriminators)

    def _discriminated(self, env: Environment, node: Node, kind: str, path: str) -> bool:
        found = walk(env, node, path)
        wanted = list(self._constraints(path))
        if kind == "exists":
            least = any(each.get("min", 0) > 0 for _, each in wanted)
            return bool(found) if least else not found
        if kind == "type":
            codes = [each["code"] for _, element in wanted for each in element.get("type", ())]
            return any(matches(item, "FHIR", code) for item in found for code in codes)
        if kind == "profile":
            profiles = [url for _, each in wanted for url in _profiles(each)]
            return any(_conforms(item, url) for item in found for url in profiles)
        return self._valued(env, found, path, wanted)

    def _valued(self, env: Environment, found: Items, path: str, wanted: list[tuple[str, Json]]) -> bool:
        """Whether what the slice fixes at `path` and below is there: `value` and `pattern` discriminators."""
        checks = [(below, each) for below, each in wanted if _fixed(each) is not None or _bound(each)]
        if not checks and path == "url":
            return [plain(item) for item in found] == _profiles(self.root)[:1]
        if not checks:
            raise evaluation_error(f"the slice '{self.root['sliceName']}' fixes nothing at '{path}'")
        return any(
            all(any(_meets(each, deep) for deep in walk(env, item, below)) for below, each in checks)
            for item in found
        )

    def _constraints(self, path: str) -> Iterator[tuple[str, Json]]:
        """Yield (path below the discriminator's, ElementDefinition) of what the slice says there."""
        names = [found["name"] for found in _STEP.finditer(path) if found["name"] not in _NO_ELEMENT]
        wanted = ".".join(names)
        start = self.root["id"]
        for each in self.elements:
            if each["id"] == start or each["id"].startswith(start + "."):
                below = _SLICE_NAME.sub("", each["id"][len(start) + 1 :]).replace("[x]", "")
                if below == wanted:
                    yield "$this", each
                elif not wanted or below.startswith(wanted + "."):
                    yield below[len(wanted) + 1 if wanted else 0 :], each


def walk(env: Environment, node: Any, path: str) -> Items:
    """Return what the restricted path of a discriminator finds: names, `extension('url')`, `ofType(T)`, `resolve()`."""
    items: Items = [node]
    for found in _STEP.finditer(path):
        name, text, type_name = found["name"], found["text"], found["type"]
        if name == "resolve":
            raise evaluation_error("slice() does not follow references")
        if name == "ofType" and type_name:
            items = [item for item in items if matches(item, "FHIR", type_name)]
        elif name != "$this":
            items = _children(items, name)
            if text is not None:
                items = [item for item in items if item.value.get("url") == text]
        env.spend(len(items) + 1)
    return items


def _children(items: Items, name: str) -> Items:
    out: Items = []
    for item in items:
        slots = item.kind.steps.get(name) if type(item) is Node else None
        if slots:
            step(item, slots, out)
    return out


def _profiles(element: Json) -> list[str]:
    return [url for each in element.get("type", ()) for url in each.get("profile", ())]


def _conforms(item: Any, url: str) -> bool:
    answer = PORTS.conforms_to(plain(item), url) if PORTS.conforms_to is not None else None
    if answer is None:
        raise evaluation_error(f"the profile {url} is not known")
    return answer


def _fixed(element: Json) -> Any:
    return next((v for k, v in element.items() if k.startswith(("fixed", "pattern"))), None)


def _bound(element: Json) -> str:
    binding = element.get("binding", {})
    return str(binding.get("valueSet", "")) if binding.get("strength") == "required" else ""


def _meets(element: Json, item: Any) -> bool:
    value, wanted = plain(item), _fixed(element)
    if wanted is not None:
        exact = any(key.startswith("fixed") for key in element)
        return bool(value == wanted) if exact else within(wanted, value)
    if PORTS.member_of is None:
        raise evaluation_error(
            "slice() by a value set needs the terminology service, which is not registered"
        )
    return bool(PORTS.member_of(value, _bound(element)))


def within(pattern: Any, value: Any) -> bool:
    """Whether `value` has everything that `pattern` asks for. Source: ElementDefinition.pattern[x]"""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(k in value and within(v, value[k]) for k, v in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(within(p, v) for v in value) for p in pattern)
    return bool(pattern == value)
