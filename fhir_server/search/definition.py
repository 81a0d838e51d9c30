"""What a stored SearchParameter defines, and whether it can be served: the rules that it is checked by.

Source: http://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from fhir_server.search.param import Param
from fhir_server.search.paths import UnreadableError, paths, unknown_step
from fhir_server.search.registry import stored_param
from resources import fhirpath
from resources.definitions import SearchParam, definitions
from resources.fhirpath.parser import parse
from resources.fhirpath.syntax import Call, Expr, Member, TypeTest, Union
from resources.outcome import FhirError, Issue

Json = dict[str, Any]
Find = Callable[[str], SearchParam | None]
"""Finds the definition of a search parameter by its address."""

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}")
MAX_EXPRESSION = 5_000
_ABSTRACT = ("Resource", "DomainResource")

VARYING = frozenset({
    "resolve", "memberOf", "subsumes", "subsumedBy", "conformsTo", "now", "today", "timeOfDay", "trace",
})  # fmt: skip
"""Functions whose answer depends on more than the resource: nothing could be indexed by it."""


def definition(resource: Json) -> SearchParam | None:
    """Return what a SearchParameter resource defines, None unless it is active."""
    if resource.get("status") != "active":
        return None
    return SearchParam(
        url=resource["url"],
        code=resource["code"],
        type=resource["type"],
        base=tuple(resource["base"]),
        expression=resource.get("expression", ""),
        targets=tuple(resource.get("target", ())),
        components=tuple((c["definition"], c["expression"]) for c in resource.get("component", ())),
        description=resource.get("description", ""),
    )


def bases(own: SearchParam) -> tuple[str, ...]:
    """Return the concrete resource types that a definition is for."""
    found: dict[str, None] = {}
    for name in own.base:
        if name in _ABSTRACT:
            found |= dict.fromkeys(
                each
                for each in definitions().resource_types
                if name == "Resource" or definitions().type(each).base == name
            )
        else:
            found[name] = None
    return tuple(found)


def repeats_official(own: SearchParam, type_name: str) -> bool:
    """Whether R4 has a parameter of that code for the type with the same meaning, which goes on to serve."""
    official = definitions().search_params(type_name).get(own.code)
    return official is not None and _meaning(type_name, own) == _meaning(type_name, official)


def _meaning(type_name: str, one: SearchParam) -> object:
    try:
        found: object = {(path.unfiltered, path.resolves) for path in paths(type_name, one.expression)}
    except (UnreadableError, FhirError):
        found = "".join(one.expression.split())
    components = [(url.partition("|")[0], "".join(text.split())) for url, text in one.components]
    return one.type, found, components


@lru_cache(1024)
def added(own: SearchParam) -> tuple[str, ...]:
    """Return the resource types for which a definition adds a parameter to the official ones."""
    return tuple(name for name in bases(own) if not repeats_official(own, name))


def problems(own: SearchParam, find: Find) -> Iterator[Issue]:
    """Yield why a definition cannot be served, with the place of each reason."""
    types = added(own)
    if not types:
        return
    yield from _form_problems(own)
    for url, _ in own.components:
        if find(url) is None:
            text = f"The component '{url[:200]}' is no search parameter that this server knows"
            yield _issue("not-found", text, "component.definition")
    for name in types:
        if own.code in definitions().search_params(name):
            text = f"R4 itself defines '{own.code}' for {name}, with another meaning: choose another code"
            yield _issue("duplicate", text, "code")
        else:
            yield from _type_problems(own, name)


@lru_cache(1024)
def sound(own: SearchParam) -> bool:
    """Whether a definition that was stored can be served, whatever it was checked by then; components left aside."""
    if own.type == "composite":
        return next(_form_problems(own), None) is None and all(map(_parses, (own.expression, *_texts(own))))
    return next(problems(own, lambda _: own), None) is None


def _texts(own: SearchParam) -> list[str]:
    return [text for _, text in own.components]


def _parses(expression: str) -> bool:
    try:
        parse(expression)
    except FhirError:
        return False
    return True


def _form_problems(own: SearchParam) -> Iterator[Issue]:
    if not CODE.fullmatch(own.code):
        text = f"'{own.code[:100]}' cannot be the code of a parameter here: 1 to 64 of A-Z a-z 0-9 _ -, not _ at first"
        yield _issue("value", text, "code")
    if own.type == "special":
        yield _issue(
            "not-supported",
            "What a parameter of type special means, only a server's own code can say",
            "type",
        )
    if own.type == "composite" and len(own.components) < 2:
        yield _issue("required", "A composite parameter needs two components or more", "component")
    if own.type != "composite" and own.components:
        yield _issue("invalid", f"A parameter of type {own.type} has no components", "component")
    if not own.expression.strip():
        yield _issue("required", "Without an expression nothing can be found by it", "expression")
    if len(own.expression) > MAX_EXPRESSION:
        yield _issue("too-long", f"The expression is longer than {MAX_EXPRESSION} characters", "expression")


def _type_problems(own: SearchParam, name: str) -> Iterator[Issue]:
    if not own.expression.strip() or own.type == "special" or len(own.expression) > MAX_EXPRESSION:
        return
    try:
        tree = parse(own.expression)
        for _, text in own.components:
            parse(text)
        found = stored_param(name, own)
    except FhirError as problem:
        yield _issue("invalid", f"The expression cannot be read: {problem.issues[0].text}", "expression")
        return
    except RuntimeError:
        yield _issue(
            "duplicate", f"The code clashes with another one's number on {name}: choose another", "code"
        )
        return
    if any(map(_asks_storage, _nodes(tree))):
        text = "meta.versionId and meta.lastUpdated are storage's own: _lastUpdated and the history find them"
        yield _issue("not-supported", text, "expression")
    elif not _starts_at(tree, name):
        yield _issue("invalid", f"The expression does not start at {name}, which is a base", "expression")
    elif found.place == "refused":
        yield _issue("invalid", f"On {name}: {found.reason}", "expression")
    elif found.computed:
        yield from _computed_problems(tree, found)


def _computed_problems(tree: Expr, param: Param) -> Iterator[Issue]:
    varying = sorted({node.name for node in _nodes(tree) if isinstance(node, Call)} & VARYING)
    for name in varying:
        text = f"{name}() depends on more than the resource, so that nothing can be indexed by it here"
        yield _issue("not-supported", text, "expression")
    step = unknown_step(param.type, tree)
    if step:
        yield _issue(
            "invalid",
            f"On {param.type} nothing is called '{step}' where the expression asks for it",
            "expression",
        )
    elif not varying:
        try:
            compiled = fhirpath.compile(param.expression, lenient=True)
            compiled.evaluate({"resourceType": param.type}, limits=fhirpath.USER)
        except FhirError as problem:
            text = f"The expression cannot be evaluated on {param.type}: {problem.issues[0].text}"
            yield _issue("invalid", text, "expression")


def _asks_storage(node: Any) -> bool:
    """Whether a step asks for what storage itself says of a version; not so where it is about entries of a Bundle."""
    if not isinstance(node, Member) or node.name not in ("versionId", "lastUpdated"):
        return False
    return not any(isinstance(each, Member) and each.name == "entry" for each in _nodes(node))


def _starts_at(tree: Expr, name: str) -> bool:
    """Whether any alternative of an expression can find something in a resource of a type."""
    parts = tree.parts if isinstance(tree, Union) else (tree,)
    return any(_start(part) in (None, name) for part in parts)


def _start(tree: Any) -> str | None:
    """Return the resource type that an expression starts with, None where it names none."""
    while True:
        match tree:
            case Member(base=None, name=name):
                return name if definitions().is_resource(name) else None
            case TypeTest(operand=operand) if operand is not None:
                tree = operand
            case Union(parts=parts):
                tree = parts[0]
            case _:
                tree = next(
                    (getattr(tree, side) for side in ("base", "left", "operand") if hasattr(tree, side)), None
                )
                if tree is None:
                    return None


def _nodes(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple):
        for each in tree:
            yield from _nodes(each)
    elif is_dataclass(tree) and not isinstance(tree, type):
        yield tree
        for one in fields(tree):
            yield from _nodes(getattr(tree, one.name))


def _issue(code: str, text: str, element: str) -> Issue:
    return Issue(code, text, (f"SearchParameter.{element}",))
