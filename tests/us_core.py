"""US Core 6.1.0 read from its package: which element of a profile is where in a resource, and what it must be."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from resources.definitions import definitions
from tests.shared import shared_path

Json = dict[str, Any]
_TYPE_FLAG = "http://hl7.org/fhir/StructureDefinition/elementdefinition-type-must-support"


@dataclass(frozen=True)
class Rule:
    """One element of a profile's snapshot."""

    raw: Json
    children: list[Rule] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return the element id, slices included."""
        return str(self.raw["id"])

    @property
    def name(self) -> str:
        """Return the last part of the path, without [x]."""
        return str(self.raw["path"]).rsplit(".", 1)[-1].removesuffix("[x]")

    @property
    def choice(self) -> bool:
        """Return whether it is a choice element."""
        return str(self.raw["path"]).endswith("[x]")

    @property
    def slice(self) -> str | None:
        """Return the slice name."""
        return self.raw.get("sliceName")

    @property
    def required(self) -> bool:
        """Return whether must-support, or named by USCDI."""
        uscdi = any(one["url"].endswith("/uscdi-requirement") for one in self.raw.get("extension", []))
        return bool(self.raw.get("mustSupport")) or uscdi

    def types(self) -> list[str]:
        """Return the type codes."""
        return [one["code"] for one in self.raw.get("type", [])]

    def flagged_types(self) -> list[str]:
        """Return the types of a choice that are must-support on their own."""
        return [one["code"] for one in self.raw.get("type", []) if _flagged(one)]

    def flagged_targets(self) -> list[str]:
        """Return the reference targets that are must-support on their own."""
        found = []
        for one in self.raw.get("type", []):
            marks = one.get("_targetProfile") or []
            found += [
                url
                for url, mark in zip(one.get("targetProfile", []), marks, strict=False)
                if mark and _flagged(mark)
            ]
        return found

    def expected(self) -> tuple[str, Any] | None:
        """Return ("fixed" or "pattern", value)."""
        for key, value in self.raw.items():
            for kind in ("fixed", "pattern"):
                if key.startswith(kind):
                    return kind, value
        return None


def _flagged(holder: Json) -> bool:
    """Return whether the type-must-support extension says true."""
    return any(
        one["url"] == _TYPE_FLAG and one.get("valueBoolean") is True for one in holder.get("extension", [])
    )


@cache
def package() -> dict[str, Json]:
    """Return the conformance resources of the package by canonical URL."""
    path: Path = shared_path("packages/us-core-6.1.0.tgz")
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith(".json") and "/example/" not in member.name:
                stream = archive.extractfile(member)
                resource = json.loads(stream.read()) if stream else {}
                if isinstance(resource, dict) and "url" in resource:
                    found[resource["url"]] = resource
    return found


@cache
def profiles() -> dict[str, Rule]:
    """Return the resource profiles: URL → tree of rules."""
    found = {}
    for url, resource in package().items():
        if resource.get("resourceType") == "StructureDefinition" and resource.get("type") not in (
            None,
            "Extension",
        ):
            found[url] = tree(resource)
    return found


def tree(definition: Json) -> Rule:
    """Return the snapshot as a tree."""
    rules: dict[str, Rule] = {}
    for raw in definition["snapshot"]["element"]:
        rule = rules[raw["id"]] = Rule(raw)
        parent, _, _ = raw["id"].rpartition(".")
        if parent:
            rules[parent].children.append(rule)
    return next(iter(rules.values()))


def ancestors(url: str) -> Iterator[str]:
    """Yield the profile and the profiles of the package it is derived from."""
    while url in package():
        yield url
        url = package()[url].get("baseDefinition", "")


def in_valueset(url: str, concept: Json) -> bool:
    """Return whether one coding of the concept is in the value set (filters are taken as met)."""
    url = url.split("|", maxsplit=1)[0]
    known = definitions().valueset_codes(url)
    codings = concept.get("coding", [concept])
    if known is not None:
        return any((one.get("system"), one.get("code")) in known for one in codings)
    if url not in package():  # a value set of R4 that is all of the code system of the same name
        name = url.rsplit("/", 1)[-1]
        return any(str(one.get("system")).rsplit("/", 1)[-1] == name for one in codings)
    for include in package().get(url, {}).get("compose", {}).get("include", []):
        if any(in_valueset(nested, concept) for nested in include.get("valueSet", [])):
            return True
        codes = {one["code"] for one in include.get("concept", [])}
        for one in codings:
            if (
                "system" in include
                and one.get("system") == include["system"]
                and (not codes or one["code"] in codes)
            ):
                return True
    return False


def meets(kind: str, wanted: Any, node: Any) -> bool:
    """Return whether a value is (fixed) or contains (pattern) what is wanted."""
    if isinstance(node, dict) and "@" in node and not isinstance(wanted, dict):
        return bool(node["@"] == wanted)
    if kind == "fixed":
        return bool(node == wanted)
    if isinstance(wanted, dict):
        return isinstance(node, dict) and all(
            key in node and meets(kind, value, node[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(node, list) and all(any(meets(kind, one, item) for item in node) for one in wanted)
    return bool(node == wanted)


def _nodes(parent: Json, key: str) -> list[Json]:
    """Return the values under a JSON key; a primitive becomes {"@": value, …its extensions}."""
    value, extra = parent.get(key), parent.get("_" + key)
    if value is None and extra is None:
        return []
    values = value if isinstance(value, list) else [value]
    extras = extra if isinstance(extra, list) else [extra] * len(values)
    if value is None:
        values = [None] * len(extras)
    made = []
    for one, more in zip(values, extras, strict=False):
        made.append(one if isinstance(one, dict) else {"@": one, **(more or {})})
    return made


def values(rule: Rule, parent: Json) -> list[Json]:
    """Return the values of the element in a parent, only those of the slice where it is one."""
    if rule.choice:
        types = [rule.slice.removeprefix(rule.name)] if rule.slice else rule.types()
        return [node for code in types for node in _nodes(parent, rule.name + code[:1].upper() + code[1:])]
    found = _nodes(parent, rule.name)
    return [node for node in found if in_slice(rule, node)] if rule.slice else found


def in_slice(rule: Rule, node: Json) -> bool:
    """Return whether a value belongs to the slice: by URL, by fixed or pattern values, by required codes."""
    if rule.name == "extension":
        return node.get("url") in rule.raw["type"][0]["profile"]
    expected = rule.expected()
    binding = rule.raw.get("binding", {})
    if (
        expected is None
        and binding.get("strength") == "required"
        and not in_valueset(binding["valueSet"], node)
    ):
        return False
    if expected and not meets(*expected, node):
        return False
    return all(_discriminates(child, node) for child in rule.children)


def _discriminates(rule: Rule, parent: Json) -> bool:
    """Return whether a child with fixed or pattern values agrees (children without say nothing)."""
    expected = rule.expected()
    deeper = [child for child in rule.children if _fixes(child)]
    if expected is None and not deeper:
        return True
    if rule.name in ("value", "unit"):
        return True
    found = values(rule, parent) if not rule.slice else []
    return any(
        (expected is None or meets(*expected, node)) and all(_discriminates(child, node) for child in deeper)
        for node in found
    )


def _fixes(rule: Rule) -> bool:
    """Return whether the rule or one below it has a fixed or pattern value."""
    return rule.expected() is not None or any(_fixes(child) for child in rule.children)


def walk(rule: Rule, node: Json) -> Iterator[tuple[Rule, list[Json]]]:
    """Yield each element below the rule with its values, once per parent value."""
    for child in rule.children:
        found = values(child, node)
        yield child, found
        for value in found:
            yield from walk(child, value)
