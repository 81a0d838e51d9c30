"""A compiled expression and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import DecimalException
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from resources.definitions import definitions
from resources.fhirpath.compiler import build
from resources.fhirpath.environment import DEFAULT, USER, Closure, Environment, Limits, Resolve
from resources.fhirpath.errors import evaluation_error, too_costly
from resources.fhirpath.generate import Direct, generate_one
from resources.fhirpath.model import is_type, kind_of
from resources.fhirpath.parser import parse
from resources.fhirpath.strict import check
from resources.fhirpath.syntax import Expr
from resources.fhirpath.values import Items, Json, Node, Typed, plain, typed

_NO_VARIABLES: Mapping[str, Any] = MappingProxyType({})


class Expression:
    """An expression, parsed and compiled once."""

    __slots__ = ("_closure", "_direct", "lenient", "text", "tree")

    def __init__(self, text: str, tree: Expr, lenient: bool) -> None:
        self.text = text
        self.tree = tree
        self.lenient = lenient
        self._closure = build(tree, lenient)
        self._direct: dict[str, Direct | None] = {}

    def evaluate(
        self,
        resource: Json,
        *,
        variables: Mapping[str, Any] = _NO_VARIABLES,
        resolve: Resolve | None = None,
        limits: Limits = DEFAULT,
        strict: bool = False,
        type_name: str | None = None,
    ) -> list[Any]:
        """Return the values found in `resource`, plain as in FHIR JSON, in order.

        Shape:  elements with extensions but no value are left out; `type_name` is needed where `resource` is no
                resource but an element; `strict` refuses steps that no type has
        Errors: FhirError 400 'invalid', 'too-costly' beyond the limits
        """
        if not strict and type_name is None:
            direct = self._direct_for(resource.get("resourceType"))
            if direct is not None:
                return self._run_direct(direct, resource)
        items = self.items(resource, variables, resolve, limits, strict, type_name)
        return [value for value in map(plain, items) if value is not None]

    @property
    def closure(self) -> Closure:
        """The compiled code, for callers with an environment of their own (and who catch what `_run` catches)."""
        return self._closure

    def _direct_for(self, name: Any) -> Direct | None:
        """Return the generated code for one type of resource, None where the expression needs the closures."""
        if name in self._direct:
            return self._direct[name]
        direct = generate_one(name, self.tree, self.lenient) if definitions().is_resource(name) else None
        self._direct[name] = direct
        return direct

    def _run_direct(self, direct: Direct, resource: Json) -> list[Any]:
        try:
            return [value for value, _ in direct(resource)[0]]
        except (TypeError, AttributeError, LookupError, ValueError) as problem:
            raise evaluation_error(
                f"the resource has not the shape of its type ({problem})", self.text
            ) from None

    def nodes(
        self,
        resource: Json,
        *,
        variables: Mapping[str, Any] = _NO_VARIABLES,
        resolve: Resolve | None = None,
        limits: Limits = DEFAULT,
        strict: bool = False,
        type_name: str | None = None,
    ) -> list[Typed]:
        """Return the values with their FHIR type and place; a primitive with extensions only has the value None."""
        return [typed(item) for item in self.items(resource, variables, resolve, limits, strict, type_name)]

    def holds(
        self, resource: Json, *, variables: Mapping[str, Any] = _NO_VARIABLES, resolve: Resolve | None = None
    ) -> bool:
        """Return whether the expression yields true (as an invariant must)."""
        return self.evaluate(resource, variables=variables, resolve=resolve) == [True]

    def on_element(
        self, resource: Json, value: Any, type_name: str, index: int, limits: Limits = USER
    ) -> Items:
        """Return the collection that the expression finds from one element of `resource`.

        Shape:  `value` of type `type_name` is the focus, `index` its place among its siblings (`$index`);
                `%resource` is the resource
        Errors: FhirError 400 'invalid', 'too-costly' beyond the limits
        """
        env = Environment(_root(resource, None), _NO_VARIABLES, None, limits)
        env.index = index
        return self._run(env, Node(value, kind_of(type_name)))

    def items(
        self,
        resource: Json,
        variables: Mapping[str, Any],
        resolve: Resolve | None,
        limits: Limits,
        strict: bool,
        type_name: str | None,
    ) -> Items:
        """Return the collection as the evaluator has it."""
        if strict:
            check(self.tree)
        root = _root(resource, type_name)
        return self._run(Environment(root, variables, resolve, limits, strict), root)

    def _run(self, env: Environment, focus: Node) -> Items:
        try:
            return self._closure(env, [focus])
        except DecimalException:
            raise evaluation_error("a number out of range", self.text) from None
        except RecursionError:
            raise too_costly("nested too deep") from None
        except (TypeError, AttributeError, LookupError, ValueError, OverflowError) as problem:
            raise evaluation_error(
                f"the resource has not the shape of its type ({problem})", self.text
            ) from None


def _root(resource: Json, type_name: str | None) -> Node:
    name = type_name or resource.get("resourceType")
    if not isinstance(name, str) or not is_type(name):
        raise evaluation_error(f"{name!r} is no R4 type")
    return Node(resource, kind_of(name))


def compile(expression: str, *, lenient: bool = False) -> Expression:  # noqa: A001
    """Return the compiled expression, from a cache where it was compiled before.

    Shape:  `lenient` lets `as` filter several items, which the R4 search parameters and invariants rely on
    Errors: FhirError 400 'invalid' with the position
    Source: http://hl7.org/fhirpath/N1/, http://hl7.org/fhir/R4/fhirpath.html
    """
    if len(expression) <= _SHORT:
        return _compiled_short(expression, lenient)
    return _compiled_long(expression, lenient) if len(expression) <= _LONG else _compiled(expression, lenient)


def _compiled(expression: str, lenient: bool) -> Expression:
    return Expression(expression, parse(expression), lenient)


_SHORT, _LONG = 300, 5_000
"""Lengths up to which many, and few, compiled expressions are kept: clients send them too, and memory is finite."""
_compiled_short = lru_cache(maxsize=4096)(_compiled)
_compiled_long = lru_cache(maxsize=128)(_compiled)
