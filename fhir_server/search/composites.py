"""What a composite parameter is made of, read once from its definition.

Where the element is the resource itself, a composite is as a rule the AND of other parameters: nothing is stored but a
note that all components are there. Everywhere else each instance of the element has rows of its own, shared by the
composites that pair the same values of the same element.

Source: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import permutations

from fhir_server.search.fitting import fitted
from fhir_server.search.param import Component, Pairing, Param, Part
from fhir_server.search.paths import Path, UnreadableError, filtered_type, paths, places
from fhir_server.storage.rows import param_id
from resources import fhirpath
from resources.outcome import FhirError

KINDS = frozenset({"token", "reference", "uri", "string", "date", "number", "quantity"})
"""Types of parameters that can be a component."""

ROOM = {"string": 1, "date": 1, "quantity": 1, "number": 2}
"""How many components of a type a row has columns for; tokens, references and addresses are hashes without limit."""

MOST = 5
"""The most components of a composite; R4's own have two or three."""

Definition = tuple[tuple[str, str], ...]
"""The components as defined: address of a parameter, expression within the element."""

Signature = tuple[str, tuple[tuple[str, str, bool], ...]]
"""What two pairings have in common that may share their rows: element, and each component's type and path."""


class UnservedError(Exception):
    """The composite cannot be answered, and why."""


def compose(params: Mapping[str, Param], defined: Mapping[str, Definition]) -> dict[str, Param]:
    """Return the composites among `params`, complete or refused; `defined` has their components by code."""
    filed: dict[Signature, Pairing] = {}
    made: dict[str, Param] = {}
    for param in sorted((params[code] for code in defined), key=_rank):
        try:
            made[param.code] = _composed(param, defined[param.code], params, filed)
        except UnservedError as problem:
            made[param.code] = replace(param, place="refused", reason=str(problem))
    return made


def _rank(param: Param) -> tuple[bool, int, int, str]:
    return param.custom, param.expression.count("|"), len(param.code), param.code


def _composed(
    param: Param, definition: Definition, params: Mapping[str, Param], filed: dict[Signature, Pairing]
) -> Param:
    """Return the composite, its components read as their expressions say.

    R4's `relationship` of DocumentReference names its two component parameters in the wrong order, as their types show:
    where types do not fit the values, another order of the addresses is taken, if one fits.
    """
    problem: UnservedError | None = None
    for urls in permutations([url for url, _ in definition]):
        tried = tuple((url, expression) for url, (_, expression) in zip(urls, definition, strict=True))
        try:
            return _ordered(param, tried, params, filed)
        except UnservedError as found:
            problem = problem or found
    raise problem or UnservedError("it has no components")


def _ordered(
    param: Param, definition: Definition, params: Mapping[str, Param], filed: dict[Signature, Pairing]
) -> Param:
    kinds = _kinds(definition, params)
    wanted = tuple((kind, expression) for kind, (_, expression) in zip(kinds, definition, strict=True))
    pairings = tuple(
        _shared(each, filed)
        for each in _pairings(param, wanted, [p for p in params.values() if not p.custom])
    )
    if not pairings:
        raise UnservedError("its expression names another type")
    by_url = {each.url: each for each in params.values()}
    sources = [by_url.get(url.partition("|")[0]) for url, _ in definition]
    implied = tuple(_implied(source, place, pairings) for place, source in enumerate(sources))
    parts = tuple(Part(one.id, one.path.text if one.path else "") for one in pairings)
    return replace(param, place="composite", pairings=pairings, implied=implied, parts=parts)


def _kinds(definition: Definition, params: Mapping[str, Param]) -> list[str]:
    by_url = {param.url: param for param in params.values()}
    found = [by_url.get(url.partition("|")[0]) for url, _ in definition]
    for source, (url, _) in zip(found, definition, strict=True):
        if source is None or source.kind not in KINDS:
            raise UnservedError(f"its component '{url}' is no parameter that can be part of a composite")
    kinds = [source.kind for source in found if source is not None]
    if not 1 < len(kinds) <= MOST:
        raise UnservedError(f"a composite has 2 to {MOST} components")
    count = Counter(kinds)
    if any(count[kind] > room for kind, room in ROOM.items()) or count["quantity"] + count["number"] > 2:
        raise UnservedError("its components are more dates, strings, numbers or quantities than a row holds")
    return kinds


def _pairings(param: Param, wanted: Definition, official: Iterable[Param]) -> list[Pairing]:
    try:
        found = places(param.type, param.expression)
    except UnreadableError:
        return [_evaluated(param, wanted)]
    if any(path is not None and len(path.types) != 1 for path in found):
        return [_evaluated(param, wanted)]
    pairings = []
    for number, path in enumerate(found):
        owner = param.code if len(found) == 1 else f"{param.code}#{number}"
        element = path.types[0] if path else param.type
        components = tuple(
            _component(param, f"{owner}${place}", element, *one) for place, one in enumerate(wanted)
        )
        own = param.id if len(found) == 1 else _number(param, owner)
        one = Pairing(own, components, path)
        pairings.append(one if path else _conjunction(one, official))
    return pairings


def _evaluated(param: Param, wanted: Definition) -> Pairing:
    """Return the pairing of elements that the FHIRPath engine finds; components are read as usual where it can be."""
    _compiled(param.expression)
    element = filtered_type(param.type, param.expression)
    components = []
    for place, (kind, expression) in enumerate(wanted):
        name = f"{param.code}${place}"
        if element:
            components.append(_component(param, name, element, kind, expression))
        else:
            components.append(Component(_reader(param, name, kind, expression, ())))
    return Pairing(param.id, tuple(components), None, param.expression)


def _component(param: Param, name: str, element: str, kind: str, expression: str) -> Component:
    root = expression.strip().startswith("%resource.")
    text = expression.replace("%resource", param.type, 1) if root else expression
    try:
        found = fitted(kind, paths(param.type if root else element, text))
    except UnreadableError:
        return Component(_reader(param, name, kind, expression, ()))
    if not found:
        raise UnservedError(f"its component '{expression}' finds nothing that a {kind} can be")
    return Component(_reader(param, name, kind, text, found), root)


def _reader(param: Param, name: str, kind: str, expression: str, found: tuple[Path, ...]) -> Param:
    """Return the parameter that reads a component's values; its messages carry the composite's own name."""
    if not found:
        _compiled(expression)
    number = _number(param, name)
    targets = tuple(dict.fromkeys(t for path in found if path.element for t in path.element.targets))
    place = {"quantity": "number", "uri": "token"}.get(kind, kind)
    return Param(
        param.type, param.code, kind, expression, number, place, found, (Part(number, ""),), targets,
        computed=not found, custom=param.custom,
    )  # fmt: skip


def _compiled(expression: str) -> None:
    try:
        fhirpath.compile(expression, lenient=True)
    except FhirError as problem:
        raise UnservedError(f"'{expression}' cannot be evaluated: {problem.issues[0].text}") from None


def _number(param: Param, name: str) -> int:
    return param_id(param.type, f"{name}={param.id}" if param.custom else name)


def _shared(one: Pairing, filed: dict[Signature, Pairing]) -> Pairing:
    """Return the pairing that already files the same values, else `one`."""
    parts = tuple(
        (each.param.kind, "|".join(p.text for p in each.param.paths) or each.param.expression, each.root)
        for each in one.components
    )
    return filed.setdefault((one.path.text if one.path else one.expression, parts), one)


def _conjunction(one: Pairing, official: Iterable[Param]) -> Pairing:
    """Return `one`, whose element is the resource, without rows where other parameters' tests amount to it."""
    tests = []
    guards = []
    for component in one.components:
        found = next((each for each in official if _files(each, component.param)), None)
        if found is None:
            return one
        tests.append(found)
        if found.paths != component.param.paths:
            guards.append(frozenset(key for key, _ in component.param.paths[0].steps[0].keys))
    return replace(one, tests=tuple(tests), guards=tuple(guards))


def _files(other: Param, component: Param) -> bool:
    """Whether `other`, on a resource that has a value of `component`, finds the values of `component` and no others.

    So it is where both read the same; and where `component` reads some types of a choice of which the resource can
    have one only (`value.as(Quantity)`), and `other` reads that choice alone (Quantity or SampledData).
    """
    filed = len(other.parts) == 1 and other.parts[0].id == other.id and not other.computed
    if other.kind != component.kind or not filed or not other.paths or not component.paths:
        return False
    if [path.text for path in other.paths] == [path.text for path in component.paths]:
        return True
    if len(component.paths) != 1 or len(component.paths[0].steps) != 1:
        return False
    choice = component.paths[0].element
    if choice is None or choice.many or any(path.steps[0].kind != "get" for path in other.paths):
        return False
    keys, members = set(component.paths[0].steps[0].keys), set(choice.json_keys())
    first = [set(path.steps[0].keys) for path in other.paths]
    whole = any(
        keys <= found and len(path.steps) == 1 for path, found in zip(other.paths, first, strict=True)
    )
    apart = all(
        len(path.steps) == 1 or not keys & found for path, found in zip(other.paths, first, strict=True)
    )
    return whole and apart and all(found <= members for found in first)


def _implied(source: Param | None, place: int, pairings: Iterable[Pairing]) -> Param | None:
    """Return `source`, the parameter that a component is defined by, if it finds all that the component does."""
    if source is None or source.custom or source.computed or source.place == "refused":
        return None
    known = {(path.steps[:-1], *path.steps[-1].keys) for path in source.paths if path.steps}
    for one in pairings:
        component = one.components[place]
        above = one.path.steps if one.path and not component.root else ()
        for path in component.param.paths:
            steps, keys = (*above, *path.steps[:-1]), set(path.steps[-1].keys)
            if not any(steps == found[0] and keys <= set(found[1:]) for found in known):
                return None
        if component.param.computed:
            return None
    return source
