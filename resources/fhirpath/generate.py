"""Write the Python source of functions that evaluate many expressions of one resource type at once.

Routes with a common beginning share it: `code`, `code.coding` and `code.text` read `code` once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from resources.fhirpath.conditions import Conditions
from resources.fhirpath.model import kind_of
from resources.fhirpath.plan import At, Get, HasUrl, OfResource, Planner, Route, Step, UnsupportedError, Where
from resources.fhirpath.source import Source, TooDeepError
from resources.fhirpath.syntax import Empty, Expr, Union

Found = list[tuple[Any, str]]
"""Values with the names of their FHIR types."""

Fallback = Callable[[dict[str, Any]], Found]
Direct = Callable[[dict[str, Any]], tuple[Found, ...]]


@dataclass(slots=True)
class _Branch:
    """What happens at one point of the routes: values to keep there, and where it goes on."""

    sinks: list[tuple[int, str]] = field(default_factory=list)
    onward: dict[Step, _Branch] = field(default_factory=dict)


def generate(type_name: str, trees: Sequence[tuple[Expr, Fallback | None]], lenient: bool) -> Direct:
    """Return a function that gives the values of each tree, in the order of the trees.

    Shape:  a tree that is no plain path nor condition is evaluated by its fallback; UnsupportedError where it has none
    """
    planner = Planner(type_name, lenient)
    root = _Branch()
    source = Source("resource")
    unions = [at for at, (tree, _) in enumerate(trees) if isinstance(tree, Union)]
    for at in range(len(trees)):
        source.line(f"o{at} = []")
    for at, (tree, fallback) in enumerate(trees):
        if not _planned(planner, tree, at, root) and not _condition(source, tree, at, type_name, lenient):
            if fallback is None:
                raise UnsupportedError
            source.line(f"o{at}.extend({source.constant(fallback)}(resource))")
    _Writer(source, lenient).branch(root, "resource")
    for at in unions:
        source.line(f"if len(o{at}) > 1: o{at} = {source.constant(_distinct)}(o{at})")
    source.line("return (" + "".join(f"o{at}, " for at in range(len(trees))) + ")")
    return source.function()


def generate_one(type_name: str, tree: Expr, lenient: bool) -> Direct | None:
    """Return the function for one tree (its values are the first of the tuple), None where it needs closures."""
    try:
        return generate(type_name, [(tree, None)], lenient)
    except (UnsupportedError, TooDeepError):
        return None


def generate_all(type_name: str, trees: Sequence[tuple[Expr, Fallback]], lenient: bool) -> Direct:
    """Return `generate` of the trees, those that would be nested too deep left to their fallbacks."""
    try:
        return generate(type_name, trees, lenient)
    except TooDeepError:
        flat = [(tree if generate_one(type_name, tree, lenient) else Empty(), run) for tree, run in trees]
        return generate(type_name, flat, lenient)


def _planned(planner: Planner, tree: Expr, at: int, root: _Branch) -> bool:
    try:
        routes = planner.routes(tree)
        for route in routes:
            _check_conditions(route, planner.lenient)
    except UnsupportedError:
        return False
    for route in routes:
        branch = root
        for step in route.steps:
            branch = branch.onward.setdefault(step, _Branch())
        branch.sinks.append((at, route.type_name))
    return True


def _check_conditions(route: Route, lenient: bool) -> None:
    for step in route.steps:
        if isinstance(step, Where):
            Conditions(Source("resource"), step.type_name, lenient).write(step.condition, "v")


def _condition(source: Source, tree: Expr, at: int, type_name: str, lenient: bool) -> bool:
    """Write a tree that is a condition (gives one boolean or nothing); False where it is none."""
    mark = source.mark()
    try:
        result = Conditions(source, type_name, lenient).write(tree, "resource")
    except UnsupportedError:
        source.rewind(mark)
        return False
    source.line(f"if {result} is not None: o{at}.append(({result}, 'boolean'))")
    return True


class _Writer:
    def __init__(self, source: Source, lenient: bool) -> None:
        self.source = source
        self.lenient = lenient

    def branch(self, branch: _Branch, variable: str) -> None:
        for at, type_name in branch.sinks:
            self.sink(at, type_name, variable)
        for step, onward in branch.onward.items():
            self.step(step, onward, variable)

    def sink(self, at: int, type_name: str, variable: str) -> None:
        name = f"{variable}['resourceType']" if kind_of(type_name).dynamic else repr(type_name)
        self.source.line(f"o{at}.append(({variable}, {name}))")

    def step(self, step: Step, onward: _Branch, variable: str) -> None:
        with self.source.block():
            if isinstance(step, Get):
                self.get(step, onward, variable)
                return
            if isinstance(step, OfResource):
                self.source.open(f"if {variable}.get('resourceType') == {step.type_name!r}:")
            elif isinstance(step, HasUrl):
                self.source.open(f"if {variable}.get('url') == {step.url!r}:")
            elif isinstance(step, Where):
                conditions = Conditions(self.source, step.type_name, self.lenient)
                self.source.open(f"if {conditions.write(step.condition, variable)}:")
            self.branch(onward, variable)

    def get(self, step: Get, onward: _Branch, variable: str) -> None:
        picks = {pick: after for pick, after in onward.onward.items() if isinstance(pick, At)}
        rest = _Branch(onward.sinks, {s: b for s, b in onward.onward.items() if s not in picks})
        self.source.open(f"if {step.key!r} in {variable}:")
        value = self.source.name()
        self.source.line(f"{value} = {variable}[{step.key!r}]")
        for pick, after in picks.items():
            with self.source.block():
                self.source.open(f"if len({value}) > {pick.place}:")
                chosen = self.source.name()
                self.source.line(f"{chosen} = {value}[{pick.place}]")
                self.branch(after, chosen)
        if not rest.sinks and not rest.onward:
            return
        if step.many:
            each = self.source.name()
            self.source.open(f"for {each} in {value}:")
            value = each
        if step.primitive:
            self.source.open(f"if {value} is not None:")
        self.branch(rest, value)


def _distinct(found: Found) -> Found:
    kept: Found = []
    for pair in found:
        value = pair[0]
        if not any(value == other for other, _ in kept):
            kept.append(pair)
    return kept
