"""Existence and boolean functions.

Source: http://hl7.org/fhirpath/N1/#existence
"""

from __future__ import annotations

from resources.fhirpath.environment import Closure, Environment, truth
from resources.fhirpath.equality import contains, distinct
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.registry import function, lambda_function
from resources.fhirpath.values import Items, system, system_type


@function("empty")
def _empty(env: Environment, items: Items) -> Items:
    return [not items]


@function("not")
def _not(env: Environment, items: Items) -> Items:
    value = truth(items, "not()")
    return [] if value is None else [not value]


@lambda_function("exists", 0, 1)
def _exists(env: Environment, items: Items, *criteria: Closure) -> Items:
    if not criteria:
        return [bool(items)]
    return [any(holds(env, [item], at, criteria[0]) for at, item in enumerate(items))]


@lambda_function("all", 1)
def _all(env: Environment, items: Items, criterion: Closure) -> Items:
    return [all(holds(env, [item], at, criterion) for at, item in enumerate(items))]


def holds(env: Environment, focus: Items, index: int, criterion: Closure) -> bool:
    """Return whether `criterion` is true of one item; `$index` is its place."""
    env.spend(1)
    outer, env.index = env.index, index
    try:
        return truth(criterion(env, focus)) is True
    finally:
        env.index = outer


def _booleans(items: Items, name: str) -> list[bool]:
    values = [system(item) for item in items]
    for value in values:
        if not isinstance(value, bool):
            raise evaluation_error(f"{name}() takes booleans, not {system_type(value)}")
    return values


@function("allTrue")
def _all_true(env: Environment, items: Items) -> Items:
    return [all(_booleans(items, "allTrue"))]


@function("anyTrue")
def _any_true(env: Environment, items: Items) -> Items:
    return [any(_booleans(items, "anyTrue"))]


@function("allFalse")
def _all_false(env: Environment, items: Items) -> Items:
    return [not any(_booleans(items, "allFalse"))]


@function("anyFalse")
def _any_false(env: Environment, items: Items) -> Items:
    return [not all(_booleans(items, "anyFalse"))]


@function("subsetOf", 1)
def _subset_of(env: Environment, items: Items, other: Items) -> Items:
    env.spend(len(items) * len(other))
    return [all(contains(other, item) for item in items)]


@function("supersetOf", 1)
def _superset_of(env: Environment, items: Items, other: Items) -> Items:
    return _subset_of(env, other, items)


@function("count")
def _count(env: Environment, items: Items) -> Items:
    return [len(items)]


@function("distinct")
def _distinct(env: Environment, items: Items) -> Items:
    return distinct(items, env.spend)


@function("isDistinct")
def _is_distinct(env: Environment, items: Items) -> Items:
    return [len(distinct(items, env.spend)) == len(items)]
