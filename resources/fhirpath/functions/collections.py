"""Filtering, projection, subsetting, combining, navigation and aggregates.

Source: http://hl7.org/fhirpath/N1/#filtering-and-projection, #subsetting, #combining, #tree-navigation, #aggregates
"""

from __future__ import annotations

from functools import cmp_to_key

from resources.fhirpath.environment import Closure, Environment, single
from resources.fhirpath.equality import Distinct, compare, contains, distinct
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.existence import holds
from resources.fhirpath.functions.registry import function, lambda_function
from resources.fhirpath.values import Item, Items, Node, step


@lambda_function("where", 1)
def _where(env: Environment, items: Items, criterion: Closure) -> Items:
    return [item for at, item in enumerate(items) if holds(env, [item], at, criterion)]


@lambda_function("select", 1)
def _select(env: Environment, items: Items, projection: Closure) -> Items:
    found: Items = []
    outer = env.index
    for at, item in enumerate(items):
        env.index = at
        found.extend(projection(env, [item]))
    env.index = outer
    env.spend(len(found) + len(items))
    return found


@lambda_function("repeat", 1)
def _repeat(env: Environment, items: Items, projection: Closure) -> Items:
    found: Items = []
    seen = Distinct(env.spend)
    wave = items
    while wave:
        env.spend(len(wave) + 1)
        news: Items = []
        for item in wave:
            for each in projection(env, [item]):
                env.spend(1)
                if seen.is_new(each):
                    found.append(each)
                    news.append(each)
        wave = news
    return found


@lambda_function("aggregate", 1, 2)
def _aggregate(env: Environment, items: Items, step_: Closure, *initial: Closure) -> Items:
    outer_total, outer_index = env.total, env.index
    total: Items = initial[0](env, items) if initial else []
    for at, item in enumerate(items):
        env.spend(1)
        env.total, env.index = total, at
        total = step_(env, [item])
    env.total, env.index = outer_total, outer_index
    return total


@function("single")
def _single(env: Environment, items: Items) -> Items:
    if len(items) > 1:
        raise evaluation_error(f"single() found {len(items)} items")
    return items


@function("first")
def _first(env: Environment, items: Items) -> Items:
    return items[:1]


@function("last")
def _last(env: Environment, items: Items) -> Items:
    return items[-1:]


@function("tail")
def _tail(env: Environment, items: Items) -> Items:
    return items[1:]


@function("skip", 1)
def _skip(env: Environment, items: Items, count: Items) -> Items:
    return items[max(_integer(count, "skip()"), 0) :]


@function("take", 1)
def _take(env: Environment, items: Items, count: Items) -> Items:
    return items[: max(_integer(count, "take()"), 0)]


def _integer(items: Items, what: str) -> int:
    value = single(items, what)
    if not isinstance(value, int) or isinstance(value, bool):
        raise evaluation_error(f"{what} takes an integer")
    return value


@function("intersect", 1)
def _intersect(env: Environment, items: Items, other: Items) -> Items:
    env.spend(len(items) * len(other))
    return distinct([item for item in items if contains(other, item)], env.spend)


@function("exclude", 1)
def _exclude(env: Environment, items: Items, other: Items) -> Items:
    env.spend(len(items) * len(other))
    return [item for item in items if not contains(other, item)]


@function("union", 1)
def _union(env: Environment, items: Items, other: Items) -> Items:
    return distinct(items + other, env.spend)


@function("combine", 1)
def _combine(env: Environment, items: Items, other: Items) -> Items:
    env.spend(len(items) + len(other))
    return items + other


@function("children")
def _children(env: Environment, items: Items) -> Items:
    found: Items = []
    for item in items:
        if type(item) is Node:
            for slots in item.kind.steps.values():
                step(item, slots, found)
    env.spend(len(found))
    return found


@function("descendants")
def _descendants(env: Environment, items: Items) -> Items:
    found: Items = []
    wave = _children(env, items)
    while wave:
        found.extend(wave)
        wave = _children(env, wave)
    return found


@lambda_function("sort", 0, 8)
def _sort(env: Environment, items: Items, *keys: tuple[Closure, bool]) -> Items:
    """Return the items in order of the keys; an item without a key comes first.

    Shape:  each key comes with whether it sorts descending; none at all sorts the items themselves
    """
    env.spend(len(items))
    rows = [(item, [key(env, [item]) for key, _ in keys] or [[item]]) for item in items]
    directions = [-1 if descending else 1 for _, descending in keys] or [1]

    def compared(left: tuple[Item, list[Items]], right: tuple[Item, list[Items]]) -> int:
        for direction, one, other in zip(directions, left[1], right[1], strict=True):
            if not one or not other:
                if bool(one) != bool(other):
                    return bool(one) - bool(other)
            elif order := compare(one[0], other[0]):
                return direction * order
        return 0

    return [item for item, _ in sorted(rows, key=cmp_to_key(compared))]
