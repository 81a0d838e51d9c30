"""What US Core's CapabilityStatement lets clients ask, and the answers by the oracle, which knows nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice, pairwise, product
from typing import Any

from tests.conformance.us_core.world import COMBINATION, conformance, examples, expectation, statement
from tests.oracle.definitions import Parameter, parameters
from tests.oracle.extract import Value
from tests.oracle.search import World
from tests.oracle.text import escape

Json = dict[str, Any]
Pairs = list[tuple[str, str]]
DATES = ("date", "dateTime", "instant")
ENOUGH = 6


def resources() -> dict[str, Json]:
    """Return what the statement says of each resource type that there are examples of."""
    known = {one["resourceType"] for one in examples()}
    return {one["type"]: one for one in statement()["rest"][0]["resource"] if one["type"] in known}


def searches(kind: str) -> list[tuple[str, ...]]:
    """Return the parameters of every search that the statement names for a type, strict or not."""
    stated = resources()[kind]
    found = {(one["name"],) for one in stated.get("searchParam", ())}
    for extension in stated.get("extension", ()):
        if extension["url"] == COMBINATION:
            found.add(tuple(one["valueString"] for one in extension["extension"] if one["url"] == "required"))
    return sorted(found)


def singles(kind: str) -> list[str]:
    """Return the parameters that can be asked for alone."""
    return [names[0] for names in searches(kind) if len(names) == 1]


def interactions(kind: str) -> set[str]:
    """Return the interactions that the statement names for a type."""
    return {one["code"] for one in resources()[kind]["interaction"] if expectation(one)}


@cache
def defined() -> tuple[Parameter, ...]:
    """Return the guide's own search parameters that R4 does not have."""
    return tuple(
        Parameter(base, one["code"], one["type"], one["expression"], tuple(one.get("target", ())), ())
        for one in conformance()
        if one["resourceType"] == "SearchParameter"
        for base in one["base"]
        if one["code"] not in parameters(base)
    )


@cache
def world() -> World:
    """Return the examples as the oracle sees them."""
    return World(_bare(one) for one in examples())


def _bare(data: Any) -> Any:
    """Return data without the ids and extensions of primitives, which the oracle's library takes for values."""
    if isinstance(data, list):
        return [_bare(one) for one in data]
    if not isinstance(data, dict):
        return data
    return {key: _bare(one) for key, one in data.items() if key[0] != "_"}


def values(kind: str, key: str, name: str) -> list[str]:
    """Return the texts that a resource would be looked for by a parameter."""
    if name == "_id":
        return [key.partition("/")[2]]
    found = world().values(key, parameters(kind)[name])
    return list(dict.fromkeys(text for one in found for text in _texts(parameters(kind)[name].kind, one)))


def questions(kind: str, names: tuple[str, ...]) -> list[Pairs]:
    """Return some searches by these parameters, with the values of the examples that have all of them."""
    found: dict[tuple[str, ...], None] = {}
    for key in world().keys(kind):
        some = [values(kind, key, name)[:2] for name in names]
        found |= dict.fromkeys(islice(product(*some), 2))
    own = list(islice(found, ENOUGH))
    crossed = [(*one[:-1], other[-1]) for one, other in pairwise(own)]
    return [list(zip(names, one, strict=True)) for one in dict.fromkeys([*own, *crossed])]


def _texts(kind: str, value: Value) -> Iterator[str]:
    data = value.data
    if kind == "token":
        yield from _tokens(data)
    elif kind == "reference" and isinstance(data, str):
        yield escape(data)
    elif kind == "reference" and "reference" in data:
        yield escape(data["reference"])
    elif kind == "date" and value.type in DATES:
        yield data
    elif kind == "date" and value.type == "Period":
        yield from (data[end] for end in ("start", "end") if end in data)
    elif kind == "string":
        parts = list(data.values()) if isinstance(data, dict) else [data]
        flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
        yield from (escape(one) for one in flat if isinstance(one, str) and one not in ("official", "old"))


def _tokens(data: Any) -> Iterator[str]:
    if not isinstance(data, dict):
        yield escape(str(data).lower() if isinstance(data, bool) else str(data))
        return
    for one in data.get("coding", [data]):
        code = one.get("code", one.get("value"))
        if code is not None:
            yield f"{one['system']}|{escape(code)}" if "system" in one else escape(code)
