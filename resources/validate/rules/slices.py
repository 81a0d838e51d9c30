"""To which slice an item belongs: every kind of discriminator, compiled from the slice's own nodes.

A test answers True or False, or None where it cannot be told (a profile not known, a reference not resolvable).

Source: http://hl7.org/fhir/R4/profiling.html#slicing, #discriminator
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from resources.fhirpath.model import is_type, kind_of
from resources.fhirpath.slicing import within
from resources.fhirpath.typetests import reference_type
from resources.fhirpath.values import Node as Item
from resources.fhirpath.values import step
from resources.outcome import FhirError
from resources.profiles.nodes import Discriminator, Node
from resources.validate.asks import PENDING, Coded
from resources.validate.rules.run import Frame, PendingError, Run

Told = bool | None
Test = Callable[[Run, Frame, Item], Told]

_PATH = re.compile(r"(\$?[A-Za-z0-9_]+)(?:\(\s*(?:'([^']*)'|\"([^\"]*)\"|([A-Za-z.]*))\s*\))?(?:\.|$)")
_MAX_DEPTH = 12


class Step(NamedTuple):
    """One step of a discriminator's path: 'name', 'extension', 'resolve' or 'ofType', and of what."""

    kind: str
    name: str = ""


def steps_of(path: str) -> tuple[Step, ...] | None:
    """Return the steps of the restricted FHIRPath of a discriminator, None where it is more than that."""
    found: list[Step] = []
    at = 0
    while at < len(path):
        match = _PATH.match(path, at)
        if match is None:
            return None
        name, called = match.group(1), match.group(0).rstrip(".").endswith(")")
        text = match.group(2) or match.group(3) or match.group(4) or ""
        if name == "$this":
            pass
        elif not called:
            found.append(Step("name", name))
        elif name in ("extension", "ofType", "resolve"):
            found.append(Step(name, text))
        else:
            return None
        at = match.end()
    return tuple(found)


def matcher(node: Node, discriminators: tuple[Discriminator, ...]) -> Test:
    """Return the test whether an item belongs to the slice `node`."""
    tests = [_test(node, each) for each in discriminators]
    if len(tests) == 1:
        return tests[0]

    def every(run: Run, frame: Frame, item: Item) -> Told:
        told: Told = True if tests else None
        for test in tests:
            answer = test(run, frame, item)
            if answer is False:
                return False
            told = answer if answer is None else told
        return told

    return every


def _test(node: Node, discriminator: Discriminator) -> Test:
    steps = steps_of(discriminator.path)
    if steps is None:
        return _unknown
    if node.name in ("extension", "modifierExtension") and steps == (Step("name", "url"),):
        url = extension_url(node)
        if url:
            return lambda run, frame, item: bool(item.value.get("url") == url)
    make = {"exists": _exists, "type": _type, "profile": _profile}.get(discriminator.type, _value)
    return make(node, steps)


def _unknown(run: Run, frame: Frame, item: Item) -> Told:
    return None


def extension_url(node: Node) -> str:
    """Return the url of the extensions of a slice, '' where it does not say."""
    url = node.children.get("url")
    if url is not None and (said := url.fixed or url.pattern):
        return str(said[1])
    for each in node.types:
        for profile in each.profiles:
            return profile.partition("|")[0]
    return ""


# --------------------------------------------------------------------------------- items along a path


def _follow(frame: Frame, item: Item, steps: tuple[Step, ...]) -> list[Item] | None:
    """Return what the path finds from an item, None where a reference cannot be followed."""
    items = [item]
    for each in steps:
        if each.kind == "ofType":
            items = [i for i in items if each.name in i.kind.ancestors]
        elif each.kind == "resolve":
            found = [_resolved(frame, i) for i in items]
            if any(one is None for one in found):
                return None
            items = [one for one in found if one is not None]
        else:
            items = _children(items, "extension" if each.kind == "extension" else each.name)
            if each.kind == "extension":
                items = [i for i in items if i.value.get("url") == each.name]
    return items


def _children(items: list[Item], name: str) -> list[Item]:
    out: list[Item] = []
    for item in items:
        slots = item.kind.steps.get(name)
        if slots:
            step(item, slots, out)
    return out


def _resolved(frame: Frame, item: Item) -> Item | None:
    text = item.value.get("reference") if type(item.value) is dict else item.value
    if type(text) is not str or frame.env.resolve is None:
        return None
    resource = frame.env.resolve(text)
    name = resource.get("resourceType") if resource is not None else None
    return Item(resource, kind_of(name)) if type(name) is str and is_type(name) else None


# --------------------------------------------------------------------------------- nodes along a path


def _nodes(run: Run, start: Node, steps: tuple[Step, ...]) -> list[Node]:
    """Return what the structure says at the path: the slice's own nodes, else those of its type profiles."""
    nodes = [start]
    for each in steps:
        nodes = [found for node in nodes for found in _below(run, node, each)]
    return nodes


def _below(run: Run, node: Node, wanted: Step) -> Iterator[Node]:
    if wanted.kind == "ofType":
        yield from [s for s in _slices(node) if any(t.code == wanted.name for t in s.types)] or [node]
    elif wanted.kind == "resolve":
        for each in node.types:
            for target in each.targets:
                structure = run.structure(target)
                if structure is not None:
                    yield structure.root
    elif wanted.kind == "extension":
        for holder in _named(run, node, "extension"):
            for own in _slices(holder):
                if extension_url(own) == wanted.name:
                    yield own
    else:
        yield from _named(run, node, wanted.name)


def _named(run: Run, node: Node, name: str) -> Iterator[Node]:
    own = node.children.get(name)
    if own is not None:
        yield own
    for each in node.types:
        for profile in each.profiles:
            structure = run.structure(profile)
            if structure is not None and name in structure.root.children:
                yield structure.root.children[name]


def _slices(node: Node) -> list[Node]:
    return node.slicing.slices if node.slicing is not None else []


# --------------------------------------------------------------------------------- value and pattern


def _value(node: Node, steps: tuple[Step, ...]) -> Test:
    known: list[Node] | None = None

    def test(run: Run, frame: Frame, item: Item) -> Told:
        nonlocal known
        wanted = known
        if wanted is None:
            before, run.waiting = run.waiting, False
            wanted = [each for each in _nodes(run, node, steps) if demands(each)]
            if not run.waiting:
                known = wanted
            run.waiting = run.waiting or before
        if not wanted:
            return None
        try:
            items = _follow(frame, item, steps)
        except (PendingError, FhirError):
            run.waiting = True
            return None
        if items is None:
            return None
        told: Told = False
        for each in items:
            answer = _all(_meets(run, one, each, 0) for one in wanted)
            if answer:
                return True
            told = None if answer is None else told
        return told

    return test


def _all(answers: Iterator[Told]) -> Told:
    told: Told = True
    for answer in answers:
        if answer is False:
            return False
        told = None if answer is None else told
    return told


def _any(answers: Iterator[Told]) -> Told:
    told: Told = False
    for answer in answers:
        if answer:
            return True
        told = None if answer is None else told
    return told


def demands(node: Node, depth: int = 0) -> bool:
    """Whether a node says, itself or below, what value there must be."""
    if node.fixed is not None or node.pattern is not None or _required(node):
        return True
    if depth > _MAX_DEPTH:
        return False
    below = [*node.children.values(), *(s for s in _slices(node) if s.min)]
    return any(demands(child, depth + 1) for child in below)


def _required(node: Node) -> bool:
    return node.binding is not None and node.binding.strength == "required"


def _meets(run: Run, node: Node, item: Item, depth: int) -> Told:
    """Whether an item has what the node and those below it fix."""
    if node.fixed is not None and item.value != node.fixed[1]:
        return False
    if node.pattern is not None and not within(node.pattern[1], item.value):
        return False
    told: Told = True
    if node.fixed is None and node.pattern is None and _required(node):
        told = _member(run, node, item)
        if told is False:
            return False
    for child in node.children.values():
        if depth <= _MAX_DEPTH and demands(child):
            answer = _below_meets(run, child, item, depth + 1)
            if answer is False:
                return False
            told = None if answer is None else told
    return told


def _below_meets(run: Run, node: Node, item: Item, depth: int) -> Told:
    found = _children([item], node.name)
    own = node.fixed is not None or node.pattern is not None or _required(node)
    told: Told = True
    if own or any(demands(child) for child in node.children.values()):
        told = _any(_meets(run, node, each, depth) for each in found)
    for each in _slices(node):
        if told is not False and each.min and demands(each):
            answer = _any(_meets(run, each, one, depth) for one in found)
            told = answer if not answer else told
    return told


def _member(run: Run, node: Node, item: Item) -> Told:
    """Whether a code, or any coding, is in the value set of a required binding."""
    assert node.binding is not None
    value = item.value
    codings = value.get("coding", [value]) if type(value) is dict else [value]
    return _any(_is_member(run, node.binding.valueset, each) for each in codings)


def _is_member(run: Run, valueset: str, coding: Any) -> Told:
    if type(coding) is dict:
        code, system = coding.get("code"), str(coding.get("system", ""))
    else:
        code, system = coding, None
    if type(code) is not str:
        return False
    verdict = run.asks.coded(Coded(valueset, system, code))
    return None if verdict is PENDING else verdict.member


# --------------------------------------------------------------------------------- exists, type, profile


def _exists(node: Node, steps: tuple[Step, ...]) -> Test:
    def test(run: Run, frame: Frame, item: Item) -> Told:
        nodes = _nodes(run, node, steps)
        try:
            items = _follow(frame, item, steps)
        except (PendingError, FhirError):
            run.waiting = True
            return None
        if items is None:
            return None
        if any(each.max == 0 for each in nodes):
            return not items
        return bool(items) if any(each.min for each in nodes) else True

    return test


def _type(node: Node, steps: tuple[Step, ...]) -> Test:
    resolves = bool(steps) and steps[-1].kind == "resolve"
    before = steps[:-1] if resolves else steps

    def test(run: Run, frame: Frame, item: Item) -> Told:
        wanted = _types(run, _nodes(run, node, before), resolves)
        if not wanted:
            return None
        try:
            items = _follow(frame, item, before)
        except (PendingError, FhirError):
            run.waiting = True
            return None
        if items is None:
            return None
        if not resolves:
            return any(not wanted.isdisjoint(each.kind.ancestors) for each in items)
        return _any(_target_is(frame, each, wanted) for each in items)

    return test


def _types(run: Run, nodes: list[Node], resolves: bool) -> frozenset[str]:
    if not resolves:
        return frozenset(each.code for node in nodes for each in node.types)
    found = set()
    for target in (t for node in nodes for each in node.types for t in each.targets):
        name = target.rpartition("/")[2]
        structure = None if is_type(name) else run.structure(target)
        found.add(structure.type if structure is not None else name)
    return frozenset(found)


def _target_is(frame: Frame, item: Item, wanted: frozenset[str]) -> Told:
    name = reference_type(item.value, None)
    if name is None:
        try:
            found = _resolved(frame, item)
        except (PendingError, FhirError):
            return None
        name = found.kind.name if found is not None else None
    if name is None or not is_type(name):
        return None
    return not wanted.isdisjoint(kind_of(name).ancestors)


def _profile(node: Node, steps: tuple[Step, ...]) -> Test:
    resolves = bool(steps) and steps[-1].kind == "resolve"
    before = steps[:-1] if resolves else steps

    def test(run: Run, frame: Frame, item: Item) -> Told:
        nodes = _nodes(run, node, before)
        try:
            items = _follow(frame, item, steps)
        except (PendingError, FhirError):
            run.waiting = True
            return None
        if items is None:
            return None
        told = (t for each in nodes for t in each.types)
        wanted = [url for each in told for url in (each.targets if resolves else each.profiles)]
        return _any(run.conforms(each.value, url, each.kind.name) for each in items for url in wanted)

    return test
