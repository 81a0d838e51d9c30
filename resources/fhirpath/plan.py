"""Turn a path, for one starting type, into the concrete routes through JSON that it takes.

A route is a chain of steps with a statically known type at its end: `Observation.value.unit` becomes
`valueQuantity → unit`. What has no such routes is `UnsupportedError` here and left to the closures of `compiler.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from resources.fhirpath.model import FHIR_OF_SYSTEM, Kind, Slot, is_type, kind_of
from resources.fhirpath.syntax import Call, Expr, Index, Literal, Member, This, TypeTest, Union

MAX_ROUTES = 300
"""Alternatives of one path: `extension.value.extension.value` alone has some thousand."""


class UnsupportedError(Exception):
    """The expression (or a part of it) needs the full evaluator."""


class Get(NamedTuple):
    """Read a member: `many` where JSON has an array there."""

    key: str
    under: str
    many: bool
    primitive: bool


class At(NamedTuple):
    """Keep one item of the array read just before."""

    place: int


class OfResource(NamedTuple):
    """Keep resources of one type."""

    type_name: str


class Where(NamedTuple):
    """Keep what satisfies a condition; `shape` tells apart conditions that Python would call equal (1 and true)."""

    condition: Expr
    type_name: str
    shape: str


class HasUrl(NamedTuple):
    """Keep extensions of one url."""

    url: str


Step = Get | At | OfResource | Where | HasUrl


class Route(NamedTuple):
    """Steps from the focus to a value of type `type_name`; `single` where at most one value can be found."""

    steps: tuple[Step, ...]
    type_name: str
    single: bool = True


class Planner:
    """Plans paths from one focus type.

    Shape:  `lenient` lets `as` filter several items
    """

    def __init__(self, focus: str, lenient: bool) -> None:
        self.focus = Route((), focus)
        self.lenient = lenient

    def routes(self, tree: Expr) -> list[Route]:
        """Return the routes of a path; UnsupportedError where it is more than that."""
        if isinstance(tree, Union):
            return [route for part in tree.parts for route in self.routes(part)]
        if isinstance(tree, This):
            return [self.focus]
        if isinstance(tree, Member):
            return self._member(tree)
        if isinstance(tree, TypeTest) and tree.operator != "is":
            return self._of_type(tree)
        if isinstance(tree, Index) and isinstance(tree.index, Literal):
            return self._at(self.routes(tree.base), tree.index.value)
        if isinstance(tree, Call):
            return self._call(tree)
        raise UnsupportedError

    def _base(self, tree: Expr | None) -> list[Route]:
        return [self.focus] if tree is None else self.routes(tree)

    def _member(self, tree: Member) -> list[Route]:
        if tree.base is None and tree.name[0].isupper() and tree.name in _kind(self.focus).ancestors:
            return [self.focus]
        routes: list[Route] = []
        for route in self._base(tree.base):
            routes += _children(route, tree.name)
            if len(routes) > MAX_ROUTES:
                raise UnsupportedError
        return routes

    def _of_type(self, tree: TypeTest) -> list[Route]:
        routes = self._base(tree.operand)
        if tree.namespace == "System" or not is_type(_fhir_name(tree.name)):
            raise UnsupportedError
        if tree.operator == "as" and not self.lenient and not _at_most_one(routes):
            raise UnsupportedError
        name = _fhir_name(tree.name) if self.lenient else tree.name
        return [found for route in routes for found in _of_type(route, name)]

    def _at(self, routes: list[Route], index: object) -> list[Route]:
        if len(routes) != 1 or not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise UnsupportedError
        *before, last = routes[0].steps
        if not isinstance(last, Get) or last.primitive:
            raise UnsupportedError
        if not last.many:
            return routes if index == 0 and routes[0].single else _unsupported()
        if any(isinstance(step, Get) and step.many for step in before) and not _picked(before):
            raise UnsupportedError
        return [Route((*routes[0].steps, At(index)), routes[0].type_name, single=True)]

    def _call(self, tree: Call) -> list[Route]:
        arguments = tree.arguments
        if tree.name == "first" and not arguments and tree.base is not None:
            return self._at(self.routes(tree.base), 0)
        if tree.name == "where" and len(arguments) == 1:
            return [_where(route, arguments[0]) for route in self._base(tree.base)]
        if tree.name == "extension" and len(arguments) == 1 and isinstance(arguments[0], Literal):
            return self._extension(self._base(tree.base), arguments[0].value)
        raise UnsupportedError

    def _extension(self, routes: Iterable[Route], url: object) -> list[Route]:
        if not isinstance(url, str):
            raise UnsupportedError
        found = [child for route in routes for child in _children(route, "extension")]
        return [Route((*route.steps, HasUrl(url)), route.type_name, single=False) for route in found]


def _unsupported() -> list[Route]:
    raise UnsupportedError


def _picked(steps: list[Step]) -> bool:
    """Whether every array among `steps` is followed by the choice of one item."""
    pairs = zip(steps, [*steps[1:], None], strict=True)
    return all(isinstance(after, At) for step, after in pairs if isinstance(step, Get) and step.many)


def _kind(route: Route) -> Kind:
    return kind_of(route.type_name)


def _fhir_name(name: str) -> str:
    return FHIR_OF_SYSTEM.get(name, name)


def _at_most_one(routes: list[Route]) -> bool:
    """Whether the routes lead to one value at most: alternatives of one choice count once."""
    return all(route.single for route in routes) and len({route.steps[:-1] for route in routes}) <= 1


def _children(route: Route, name: str) -> list[Route]:
    kind = _kind(route)
    slots = kind.steps.get(name)
    if slots is None:
        return _unsupported() if kind.dynamic else []
    if kind.primitive:
        raise UnsupportedError
    return [
        Route((*route.steps, _get(slot)), slot.type_name, route.single and not slot.many) for slot in slots
    ]


def _get(slot: Slot) -> Get:
    return Get(slot.key, slot.under, slot.many, slot.primitive)


def _of_type(route: Route, name: str) -> list[Route]:
    kind = _kind(route)
    if kind.dynamic:
        if kind_of(name).dynamic:
            raise UnsupportedError
        return [Route((*route.steps, OfResource(name)), name, route.single)]
    matches = kind.name == name if kind.primitive else name in kind.ancestors
    return [route] if matches else []


def _where(route: Route, condition: Expr) -> Route:
    return Route(
        (*route.steps, Where(condition, route.type_name, repr(condition))), route.type_name, route.single
    )
