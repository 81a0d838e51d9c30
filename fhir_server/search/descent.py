"""Walking: the steps of a path as functions over plain JSON, compiled once and run on every resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_server.search.params import reference
from fhir_server.search.paths import Path, Step
from fhir_server.search.sink import Sink

Take = Callable[[Any, Sink], None]
"""Takes one JSON value and puts what follows from it into the sink."""


def walk(path: Path, position: int, type_name: str, leaf: Callable[[Any, str, Sink], None]) -> Take:
    """Return what takes a value through the steps of `path` from `position` on, to the leaf."""
    if position == len(path.steps):
        return lambda value, sink: leaf(value, type_name, sink)
    step = path.steps[position]
    if step.kind == "get":
        branches = tuple(
            (key, each(step.many, walk(path, position + 1, name, leaf))) for key, name in step.keys
        )
        return _one_key(*branches[0]) if len(branches) == 1 else _keys(branches)
    here = "Extension" if step.kind == "extension" else type_name
    return _filter(step, walk(path, position + 1, here, leaf))


def each(many: bool, take: Take) -> Take:
    """Return what gives every item of a list to `take`, where the JSON value is one (`many`)."""
    if not many:
        return take

    def items(values: Any, sink: Sink) -> None:
        for value in values:
            if value is not None:
                take(value, sink)

    return items


def _one_key(key: str, take: Take) -> Take:
    def get(node: Any, sink: Sink) -> None:
        value = node.get(key)
        if value is not None:
            take(value, sink)

    return get


def _keys(branches: tuple[tuple[str, Take], ...]) -> Take:
    def get(node: Any, sink: Sink) -> None:
        for key, take in branches:
            value = node.get(key)
            if value is not None:
                take(value, sink)

    return get


def _filter(step: Step, take: Take) -> Take:
    def where(node: Any, sink: Sink) -> None:
        if node.get(step.name) == step.value:
            take(node, sink)

    def resolves(node: Any, sink: Sink) -> None:
        if reference.named_type(node, sink.inside) == step.value:
            take(node, sink)

    def extension(node: Any, sink: Sink) -> None:
        for child in node.get("extension", ()):
            if child.get("url") == step.value:
                take(child, sink)

    def at(nodes: Any, sink: Sink) -> None:
        if len(nodes) > int(step.value):
            take(nodes[int(step.value)], sink)

    return {"where": where, "resolves": resolves, "extension": extension, "at": at}[step.kind]
