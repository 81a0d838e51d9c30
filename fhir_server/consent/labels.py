"""Security labels of a resource: those it carries, and those that its codes give it.

Rows: labels.json (which labels there are), sensitive.json (which codes are sensitive).
Source: http://hl7.org/fhir/R4/security-labels.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]

OTHER = 1
"""The number of every label that has no row."""

NORMAL = "N"
"""The confidentiality of a resource that says none."""

_FOLDER = Path(__file__).parent
_CATEGORY = 3
"""How many characters the categories of ICD-10 have."""


class Label(msgspec.Struct, frozen=True):
    """One row of labels.json."""

    number: int
    kind: str
    system: str
    code: str
    meaning: str
    source: str
    implies: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """One row of sensitive.json: a code, or a range of categories, and the label that it gives."""

    system: str
    label: str
    source: str
    code: str = ""
    first: str = ""
    last: str = ""


class _Labels(msgspec.Struct):
    label: list[Label]


class _Rules(msgspec.Struct):
    rule: list[Rule]


@cache
def labels() -> Mapping[tuple[str, str], Label]:
    """Return every row of labels.json by system and code."""
    read = msgspec.json.decode((_FOLDER / "labels.json").read_bytes(), type=_Labels)
    return {(one.system, one.code): one for one in read.label}


@cache
def by_number() -> Mapping[int, Label]:
    """Return every row of labels.json by its number."""
    return {one.number: one for one in labels().values()}


@cache
def rules() -> tuple[Rule, ...]:
    """Return every row of sensitive.json."""
    return tuple(msgspec.json.decode((_FOLDER / "sensitive.json").read_bytes(), type=_Rules).rule)


@cache
def levels() -> tuple[int, ...]:
    """Return the numbers of the confidentialities, from unrestricted to very restricted."""
    return tuple(sorted(one.number for one in labels().values() if one.kind == "confidentiality"))


@cache
def implied(number: int) -> frozenset[int]:
    """Return the numbers of all labels that a resource with a label has, itself among them."""
    codes = {one.code: one.number for one in labels().values() if one.kind == "sensitivity"}
    found, new = {number}, [number]
    while new:
        fresh = {codes[code] for code in by_number()[new.pop()].implies} - found
        found |= fresh
        new += fresh
    return frozenset(found)


def number_of(system: str, code: str) -> int:
    """Return the number of a label, OTHER where it has no row."""
    found = labels().get((system, code))
    return found.number if found is not None else OTHER


@cache
def _sensitive() -> Mapping[tuple[str, str], frozenset[int]]:
    """Return the labels of a code, or of a category of ICD-10, by system."""
    codes = {one.code: one.number for one in labels().values() if one.kind == "sensitivity"}
    found: dict[tuple[str, str], frozenset[int]] = {}
    for rule in rules():
        given = implied(codes[rule.label])
        for code in [rule.code] if rule.code else _categories(rule.first, rule.last):
            found[rule.system, code] = found.get((rule.system, code), frozenset()) | given
    return found


def _categories(first: str, last: str) -> Iterable[str]:
    return (f"{first[0]}{number:02}" for number in range(int(first[1:]), int(last[1:]) + 1))


@cache
def _ranged() -> frozenset[str]:
    return frozenset(rule.system for rule in rules() if rule.first)


def labels_of(resource: Json) -> list[int]:
    """Return the numbers of the labels of `resource`, ascending; empty where it has none.

    Shape:  labels in `meta.security` of the resource and of whatever is in it (contained, entries), labels by its
            codes, and all that these imply; of several confidentialities the highest
    """
    found: set[int] = set()
    nodes: list[Any] = [resource]
    while nodes:
        node = nodes.pop()
        for key, value in node.items():
            if value.__class__ is dict:
                nodes.append(value)
            elif value.__class__ is list:
                nodes += [child for child in value if child.__class__ is dict]
                if key == "security" and "resourceType" not in node:
                    found |= _carried(value)
        if "system" in node and "code" in node:
            found |= _by_code(node["system"], node["code"])
    above = [number for number in levels() if number in found]
    return sorted(found.difference(above[:-1]))


def _carried(codings: Iterable[Any]) -> set[int]:
    """Return the labels of an element `security`, unless it is of another kind than Meta's."""
    found: set[int] = set()
    for one in codings:
        if one.__class__ is dict and isinstance(one.get("code"), str):
            found |= implied(number_of(str(one.get("system", "")), one["code"]))
    return found


def _by_code(system: Any, code: Any) -> frozenset[int]:
    if not isinstance(system, str) or not isinstance(code, str):
        return frozenset()
    key = code[:_CATEGORY].upper() if system in _ranged() else code
    return _sensitive().get((system, key), frozenset())
