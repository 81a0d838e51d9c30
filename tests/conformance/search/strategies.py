"""Searches made by Hypothesis: values from or near to the data, OR, AND, chains and `_has`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.conformance.search.data import world
from tests.conformance.search.forms import FORMS, Draw
from tests.conformance.search.queries import EQUAL, askable, supported
from tests.oracle.definitions import Parameter, kind_of, parameters
from tests.oracle.extract import Value, nodes, parts

Pair = tuple[str, str]
Search = tuple[str, list[Pair]]


@cache
def pool(type_name: str) -> dict[str, list[Value]]:
    """Return {code: the different values of a parameter in the data}, as far as it has any."""
    found: dict[str, list[Value]] = {}
    for parameter in parameters(type_name).values():
        if supported(parameter):
            known: dict[str, Value] = {}
            for key in world().keys(type_name):
                for value in world().values(key, parameter):
                    known.setdefault(json.dumps(value.data, default=str, sort_keys=True), value)
            if known:
                found[parameter.code] = list(known.values())
    return found


@cache
def instances(type_name: str) -> dict[str, list[tuple[list[Value], ...]]]:
    """Return {composite parameter: the values of each component, for each instance of its element in the data}."""
    found: dict[str, list[tuple[list[Value], ...]]] = {}
    for parameter in parameters(type_name).values():
        for key in world().keys(type_name) if parameter.kind == "composite" else ():
            resource = world().resources[key]
            for _, node in nodes(resource, parameter.expression):
                values = tuple(parts(resource, node, expression) for _, expression in parameter.components)
                if all(values):
                    found.setdefault(parameter.code, []).append(values)
    return found


def composite(draw: Draw, type_name: str) -> Pair:
    """Return a criterion on a composite: components of one instance, or now and then of two."""
    code = draw(st.sampled_from(sorted(instances(type_name))))
    choices = instances(type_name)[code]
    one = draw(st.sampled_from(choices))
    other = draw(st.sampled_from(choices)) if draw(st.integers(0, 2)) == 0 else one
    texts = []
    for position, (url, _) in enumerate(parameters(type_name)[code].components):
        kind = kind_of(url)
        value = draw(st.sampled_from((one if position == 0 else other)[position]))
        modifier, text = FORMS[kind](draw, value) if askable(kind, value) else ("", "none")
        texts.append(text if not modifier else next(iter(EQUAL[kind](value)), "none"))
    return code, "$".join(texts)


@cache
def links(type_name: str) -> list[tuple[str, str]]:
    """Return (reference parameter, type that it leads to here) of a resource type."""
    found: dict[tuple[str, str], None] = {}
    for code, parameter in parameters(type_name).items():
        if parameter.kind == "reference" and code in pool(type_name):
            for key in world().keys(type_name):
                for target in world().targets(key, parameter):
                    found[code, target.partition("/")[0]] = None
    return list(found)


@cache
def incoming(type_name: str) -> list[tuple[str, str]]:
    """Return (type, reference parameter) of what leads to a resource type here."""
    return [(other, code) for other in world().types() for code, to in links(other) if to == type_name]


@cache
def weighted() -> list[str]:
    """Return the types to search: those with many resources several times."""
    return [name for name in world().types() for _ in range(min(6, 1 + len(world().keys(name)) // 8))]


def plain(draw: Draw, type_name: str) -> Pair:
    """Return a criterion on the resource itself."""
    if instances(type_name) and draw(st.integers(0, 5)) == 0:
        return composite(draw, type_name)
    code = draw(st.sampled_from(sorted(pool(type_name)) or ["_id"]))
    if code == "_id" or draw(st.integers(0, 15)) == 0:
        return "_id", draw(st.sampled_from(world().keys(type_name))).partition("/")[2]
    if draw(st.integers(0, 11)) == 0:
        return f"{any_code(draw, type_name)}:missing", draw(st.sampled_from(("true", "false")))
    parameter = parameters(type_name)[code]
    values = pool(type_name)[code]
    modifier, text = FORMS[parameter.kind](draw, draw(st.sampled_from(values)))
    texts = [text]
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        again, other = FORMS[parameter.kind](draw, draw(st.sampled_from(values)))
        if again == modifier:
            texts.append(other)
    return (f"{code}:{modifier}" if modifier else code), ",".join(texts)


def any_code(draw: Draw, type_name: str) -> str:
    """Return a parameter, whether there are values or not."""
    known = [one.code for one in parameters(type_name).values() if supported(one)]
    return str(draw(st.sampled_from(known)))


def criterion(draw: Draw, type_name: str, depth: int) -> Pair:
    """Return a criterion, through up to `depth` references."""
    choice = draw(st.integers(0, 5)) if depth else 5
    if choice == 0 and links(type_name):
        code, target = draw(st.sampled_from(links(type_name)))
        rest, text = criterion(draw, target, depth - 1)
        return f"{code}{_named(draw, parameters(type_name)[code], target, rest)}.{rest}", text
    if choice == 1 and incoming(type_name):
        source, code = draw(st.sampled_from(incoming(type_name)))
        rest, text = criterion(draw, source, depth - 1)
        return f"_has:{source}:{code}:{rest}", text
    return plain(draw, type_name)


def clear(draw: Draw, type_name: str, depth: int) -> Pair:
    """Return a criterion that names no more than one resource by an id alone."""
    pair = criterion(draw, type_name, depth)
    return pair if not world().ambiguous(type_name, *pair) else ("_id:not", "nobody")


def _named(draw: Draw, parameter: Parameter, target: str, rest: str) -> str:
    """Return the `:Type` of a chain, left out now and then where only one type can be meant."""
    code = rest.partition(".")[0].partition(":")[0]
    if code and parameter.targets == (target,) and draw(st.booleans()):
        return ""
    return f":{target}"


@st.composite
def searches(draw: Any, depth: int = 2) -> Search:
    """Return a strategy of searches of one type."""
    type_name = draw(st.sampled_from(weighted()))
    count = draw(st.sampled_from((1, 1, 1, 2, 2, 3)))
    return type_name, [criterion(draw, type_name, depth) for _ in range(count)]
