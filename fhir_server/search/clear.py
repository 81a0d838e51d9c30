"""The clear part of sealed content: what the database itself reads of a resource, and nothing else.

Hashes find tokens, references and addresses. Their order, which of several differs from a given one, and how a code
is spelled are read from the resource by the database (`stored.py`); of a sealed one it has what those questions need:
codes with their systems, identifier values, references, addresses, profiles and tags, in the resource's own shape.
No texts, no values, no dates. Where the operator switches such searches off (`search_in_clear`), it is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from fhir_server.search.context import Context, follow
from fhir_server.search.param import Param
from fhir_server.search.paths import Path, Step
from fhir_server.search.registry import registry
from fhir_server.search.sieve import Tree, sieve
from fhir_server.search.stored import in_extensions, readable
from fhir_server.storage.rows import tail, type_name
from fhir_server.storage.sealing import NOTHING
from resources.codec.json import parse_json
from resources.definitions import definitions

_META: Tree = {
    "profile": {},
    "tag": {"system": {}, "code": {}, "display": {}, "version": {}, "userSelected": {}},
}
_META["security"] = _META["tag"]

_LEAVES: dict[str, Tree] = {
    "Coding": {"system": {}, "code": {}},
    "CodeableConcept": {"coding": {"system": {}, "code": {}}},
    "Identifier": {"system": {}, "value": {}},
    "ContactPoint": {"system": {}, "value": {}},
    "Reference": {"reference": {}, "type": {}},
    "Resource": {"resourceType": {}, "id": {}},
}


_HEAD = b'{"meta":{"versionId":""'
"""What stands for the head that stored content goes on from."""

_NO_META = b'{"meta":{}'
_META_AT = len(_NO_META) - 1


def clear_part(type_number: int, content: bytes) -> bytes:
    """Return the clear part of a stored content."""
    if "code" not in Context.in_clear:
        return NOTHING
    name, document = type_name(type_number), _HEAD + content
    if b'"contained"' not in content:
        try:
            kept = _sieve(name)(document)
        except msgspec.ValidationError:
            pass
        else:
            return kept[_META_AT:] if kept.startswith(_NO_META) else b"," + kept[_META_AT:]
    return tail(project(name, parse_json(document)))


def project(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    """Return what a resource of a type has at the places that the database reads."""
    found: dict[str, Any] = _kept(resource, _tree(name)) or {}
    inner = [
        {"resourceType": one["resourceType"], "id": one.get("id", ""), **project(one["resourceType"], one)}
        for one in resource.get("contained", ())
    ]
    return found | ({"contained": inner} if inner else {})


def _kept(value: Any, tree: Tree) -> Any:
    """Return the part of a value that a tree names, None where there is nothing of it."""
    if isinstance(value, list):
        return [_kept(one, tree) for one in value]
    if isinstance(value, dict):
        if not tree:
            return None
        found = {}
        for name, child in value.items():
            below = tree.get(name)
            if below is None:
                continue
            if child.__class__ is str:
                if not below:
                    found[name] = child
            elif (part := _kept(child, below)) is not None:
                found[name] = part
        return found
    return None if tree else value


@cache
def _tree(name: str) -> Tree:
    """Return the elements of a type that the database reads."""
    tree: Tree = {"meta": dict(_META)}
    if name not in definitions().resource_types:
        return tree
    for param in registry(name).params.values():
        if not param.custom and readable(param):
            for path in param.paths:
                _plant(tree, param, path)
    return tree


@cache
def _sieve(name: str) -> Callable[[bytes], bytes]:
    return sieve(_tree(name))


follow(_tree.cache_clear)
follow(_sieve.cache_clear)


def _plant(tree: Tree, param: Param, path: Path) -> None:
    """Add the elements that a path walks, and those that its filters look at."""
    ends: list[tuple[Tree, str]] = [(tree, "")]
    for step in path.steps:
        ends = [end for node, kind in ends for end in _stepped(node, kind, step)]
    for node, kind in ends:
        _leaf(node, param, kind)


def _stepped(node: Tree, kind: str, step: Step) -> list[tuple[Tree, str]]:
    if step.kind == "get":
        return [(node.setdefault(key, {}), name or kind) for key, name in step.keys]
    if step.kind == "extension":
        one = node.setdefault("extension", {})
        one.setdefault("url", {})
        return [(one, "Extension")]
    if step.kind == "where":
        node.setdefault(step.name, {})
    elif step.kind == "resolves":
        _merge(node, _LEAVES["Reference"])
    return [(node, kind)]


def _leaf(node: Tree, param: Param, kind: str) -> None:
    if kind == "Extension":
        for name in in_extensions(param):
            _leaf(node.setdefault(f"value{name[0].upper()}{name[1:]}", {}), param, name)
    elif kind in _LEAVES:
        _merge(node, _LEAVES[kind])


def _merge(node: Tree, other: Tree) -> None:
    for name, below in other.items():
        _merge(node.setdefault(name, {}), below)
