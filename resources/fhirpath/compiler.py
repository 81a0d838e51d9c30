"""Compile a syntax tree to closures over collections of items: the whole language, with places and types.

`generate.py` writes faster code for the paths that search parameters are made of.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from resources.fhirpath.environment import Closure, Environment, single
from resources.fhirpath.equality import distinct
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions import FUNCTIONS, LAMBDAS, check_arity
from resources.fhirpath.functions.fhir import externals, resolves_to
from resources.fhirpath.operators import OPERATORS, logical
from resources.fhirpath.quantity import Quantity
from resources.fhirpath.syntax import (
    Binary,
    Call,
    Empty,
    Expr,
    External,
    Index,
    Literal,
    Member,
    Polarity,
    Special,
    This,
    TypeTest,
    Union,
)
from resources.fhirpath.typetests import check_type, matches
from resources.fhirpath.values import Items, Node, step, system_type, type_of


def build(tree: Expr, lenient: bool = False) -> Closure:
    """Return the closure of `tree`; `lenient` lets `as` filter several items, as search parameters need it."""
    return _Builder(lenient).build(tree)


class _Builder:
    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient

    def build(self, tree: Expr) -> Closure:
        method = getattr(self, "_" + type(tree).__name__.lower())
        found: Closure = method(tree)
        return found

    def base(self, tree: Expr | None) -> Closure:
        return _focus if tree is None else self.build(tree)

    def _literal(self, tree: Literal) -> Closure:
        value = tree.value
        return lambda env, focus: [value]

    def _empty(self, tree: Empty) -> Closure:
        return lambda env, focus: []

    def _this(self, tree: This) -> Closure:
        return _focus

    def _special(self, tree: Special) -> Closure:
        if tree.name == "total":
            return lambda env, focus: env.total
        return lambda env, focus: [] if env.index is None else [env.index]

    def _external(self, tree: External) -> Closure:
        name = tree.name
        return lambda env, focus: externals(env, name)

    def _member(self, tree: Member) -> Closure:
        return _start(tree.name) if tree.base is None else _child(self.build(tree.base), tree.name)

    def _index(self, tree: Index) -> Closure:
        base, index = self.build(tree.base), self.build(tree.index)

        def closure(env: Environment, focus: Items) -> Items:
            at = single(index(env, focus), "an index")
            if at is None:
                return []
            if not isinstance(at, int) or isinstance(at, bool):
                raise evaluation_error("an index is an integer")
            items = base(env, focus)
            return [items[at]] if 0 <= at < len(items) else []

        return closure

    def _polarity(self, tree: Polarity) -> Closure:
        operand, negative = self.build(tree.operand), tree.operator == "-"

        def closure(env: Environment, focus: Items) -> Items:
            value = single(operand(env, focus), tree.operator)
            return [] if value is None else [_signed(value, negative)]

        return closure

    def _binary(self, tree: Binary) -> Closure:
        left, right = self.build(tree.left), self.build(tree.right)
        if tree.operator in ("and", "or", "implies"):
            return logical(tree.operator, left, right)
        operator = OPERATORS[tree.operator]
        return lambda env, focus: operator(env, left(env, focus), right(env, focus))

    def _union(self, tree: Union) -> Closure:
        parts = [self.build(part) for part in tree.parts]

        def closure(env: Environment, focus: Items) -> Items:
            found = [item for part in parts for item in part(env, focus)]
            env.spend(len(found))
            return distinct(found, env.spend)

        return closure

    def _typetest(self, tree: TypeTest) -> Closure:
        check_type(tree.namespace, tree.name)
        operand = tree.operand
        if tree.operator == "is":
            if isinstance(operand, Call) and operand.name == "resolve" and not operand.arguments:
                return resolves_to(self.base(operand.base), tree.name)
            return self._is(tree)
        base, several = self.base(operand), tree.operator == "ofType" or self.lenient
        namespace, name, lenient = tree.namespace, tree.name, self.lenient

        def closure(env: Environment, focus: Items) -> Items:
            items = base(env, focus)
            if not several and len(items) > 1:
                raise evaluation_error(f"as({name}) takes one value, not {len(items)}")
            return [i for i in items if matches(i, namespace, name, derived=False, lenient=lenient)]

        return closure

    def _is(self, tree: TypeTest) -> Closure:
        base, namespace, name, lenient = self.base(tree.operand), tree.namespace, tree.name, self.lenient

        def closure(env: Environment, focus: Items) -> Items:
            items = base(env, focus)
            if len(items) > 1:
                raise evaluation_error(f"is({name}) takes one value, not {len(items)}")
            return [matches(items[0], namespace, name, lenient=lenient)] if items else []

        return closure

    def _call(self, tree: Call) -> Closure:
        check_arity(tree.name, len(tree.arguments), tree.position)
        base = self.base(tree.base)
        if tree.name == "sort":
            keys = [self._sort_key(argument) for argument in tree.arguments]
            return lambda env, focus: LAMBDAS["sort"](env, base(env, focus), *keys)
        arguments = [self.build(argument) for argument in tree.arguments]
        if tree.name in LAMBDAS:
            apply = LAMBDAS[tree.name]
            return lambda env, focus: apply(env, base(env, focus), *arguments)
        function = FUNCTIONS[tree.name]

        def closure(env: Environment, focus: Items) -> Items:
            env.spend(1)
            return function(env, base(env, focus), *[argument(env, focus) for argument in arguments])

        return closure

    def _sort_key(self, tree: Expr) -> tuple[Closure, bool]:
        """Return the closure of a sort key and whether a leading minus turns its order round."""
        if isinstance(tree, Polarity) and tree.operator == "-":
            return self.build(tree.operand), True
        return self.build(tree), False


def _focus(env: Environment, focus: Items) -> Items:
    return focus


def _start(name: str) -> Closure:
    """Return the first step of a path: the focus itself where it is of the type `name`, else its children."""
    child = _child(_focus, name)
    if not name[0].isupper():
        return child

    def closure(env: Environment, focus: Items) -> Items:
        found = [item for item in focus if type(item) is Node and name in item.kind.ancestors]
        return found if found or not focus else child(env, focus)

    return closure


def _child(base: Closure, name: str) -> Closure:
    def closure(env: Environment, focus: Items) -> Items:
        found: Items = []
        known = False
        items = base(env, focus)
        for item in items:
            slots = item.kind.steps.get(name) if type(item) is Node else None
            if slots is not None:
                known = True
                step(item, slots, found)
        env.spend(len(found))
        if env.strict and items and not known:
            raise evaluation_error(f"{type_of(items[0])} has no element {name}")
        return found

    return closure


def _signed(value: Any, negative: bool) -> Any:
    if isinstance(value, Quantity):
        return Quantity(-value.value, value.unit, value.calendar) if negative else value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return -value if negative else value
    raise evaluation_error(f"{system_type(value)} has no sign")
