"""Extensions: known, where they may stand, modifiers where modifiers stand, and what their definitions ask.

Source: http://hl7.org/fhir/R4/extensibility.html, defining-extensions.html#context, versions.html#extensions
"""

from __future__ import annotations

import re
from functools import lru_cache

from resources.definitions import definitions
from resources.fhirpath import compile as compile_expression
from resources.fhirpath.model import is_type, kind_of
from resources.fhirpath.values import Node
from resources.outcome import FhirError
from resources.profiles.crossversion import cross_version
from resources.profiles.nodes import Structure
from resources.validate.rules.corrections import CONTEXTS
from resources.validate.rules.invariants import is_true
from resources.validate.rules.profiles import apply
from resources.validate.rules.run import Frame, Json, PendingError, Run
from resources.validate.rules.slices import extension_url

_INDEX = re.compile(r"\[\d+\]")


def check_extension(
    run: Run, frame: Frame, value: Json, path: str, holder: Json, above: str, modifier: bool
) -> None:
    """Say what is wrong about one extension of the object `holder` at the path `above`."""
    url = value.get("url")
    if type(url) is not str:
        return
    if ":" not in url:
        if type(holder.get("url")) is not str:
            run.say("extension-url-relative", path, url=url)
        return
    before, run.waiting = run.waiting, False
    structure = run.structure(url)
    waits, run.waiting = run.waiting, run.waiting or before
    if structure is None:
        if not waits:
            _unknown(run, url, path, modifier)
        return
    if structure.type != "Extension":
        run.say("extension-not-one", path, url=url, type=structure.type)
        return
    _check_modifier(run, structure, path, modifier)
    if structure.context and not _stands_well(run, frame, structure, holder, above):
        allowed = ", ".join(expression for _, expression in structure.context)
        place = _INDEX.sub("", above[len(frame.path) :])
        run.say("extension-context", path, url=url, place=f"{frame.type}{place}", allowed=allowed)
    for expression in structure.context_invariants:
        _check_invariant(run, frame, expression, holder, above, path, url)
    apply(run, frame, structure, value, None, path)
    _check_nested(run, structure, value, path)


def _unknown(run: Run, url: str, path: str, modifier: bool) -> None:
    other = cross_version(url)
    if other is not None:
        run.say("extension-cross-version", path, url=url, note=other.note)
    elif modifier:
        run.say("extension-modifier-unknown", path, url=url)
    elif run.options.unknown_extensions != "allow":
        warns = run.options.unknown_extensions == "warn"
        run.say("extension-unknown", path, severity="warning" if warns else "error", url=url)


def _check_modifier(run: Run, structure: Structure, path: str, modifier: bool) -> None:
    if structure.root.modifier and not modifier:
        run.say("extension-is-modifier", path, url=structure.url)
    elif modifier and not structure.root.modifier:
        run.say("extension-no-modifier", path, url=structure.url)


def _check_nested(run: Run, structure: Structure, value: Json, path: str) -> None:
    """Say which extensions with a relative url the definition does not have."""
    nested = value.get("extension")
    if type(nested) is not list:
        return
    node = structure.root.children.get("extension")
    slices = node.slicing.slices if node is not None and node.slicing is not None else []
    known = {extension_url(each) for each in slices} | {each.slice_name for each in slices}
    for index, each in enumerate(nested):
        url = each.get("url") if type(each) is dict else None
        if type(url) is str and ":" not in url and url not in known:
            run.say("extension-nested-unknown", f"{path}.extension[{index}]", url=url, of=structure.url)


# ----------------------------------------------------------------------------------------- context


def _stands_well(run: Run, frame: Frame, structure: Structure, holder: Json, above: str) -> bool:
    names = tuple(_INDEX.sub("", above[len(frame.path) :]).split(".")[1:])
    places = _places(frame.type, names)
    if not places.isdisjoint(CONTEXTS.get(structure.url, ())):
        return True
    for kind, expression in structure.context:
        if kind == "element" and _element(expression) in places:
            return True
        if kind == "extension" and holder.get("url") == expression.partition("#")[0]:
            return True
        if kind == "fhirpath" and _is_found(frame, expression, holder):
            return True
    return False


def _element(expression: str) -> str:
    """Return the path of an element context: without the profile before '#', slices and [x]."""
    path = expression.rpartition("#")[2]
    path = ".".join(part.partition(":")[0] for part in path.split(".")) if "://" not in path else path
    return path.replace("[x]", "").removeprefix("http://hl7.org/fhir/StructureDefinition/")


@lru_cache(8192)
def _places(type_name: str, names: tuple[str, ...]) -> frozenset[str]:
    """Return everything that an element may be called in a context: its path from each type around it, its types."""
    types = {type_name}
    labels = {*kind_of(type_name).ancestors}
    for name in names:
        labels = {f"{label}.{name}" for label in labels}
        found: set[str] = set()
        for each in types:
            element = definitions().type(each).elements.get(name)
            if element is not None:
                found |= {code for _, code in element.json_keys()}
        types = {code for code in found if is_type(code)}
        for code in types:
            labels |= kind_of(code).ancestors
    return frozenset(labels | {"Element"})


def _is_found(frame: Frame, expression: str, holder: Json) -> bool:
    """Whether a FHIRPath context, from the resource on, finds the element; one that fails forbids nothing."""
    try:
        items = compile_expression(expression, lenient=True).closure(frame.env, [frame.env.root])
    except (FhirError, PendingError, TypeError, AttributeError, LookupError, ValueError):
        return True
    if is_true(items) and not any(type(each) is Node for each in items):
        return True
    return any(type(each) is Node and (each.value is holder or each.extra is holder) for each in items)


def _check_invariant(
    run: Run, frame: Frame, expression: str, holder: Json, above: str, path: str, url: str
) -> None:
    """Check a context invariant: `%extension` is the extension, the focus the element that it stands on."""
    code = _code_of(frame, above)
    if not code:
        return
    try:
        closure = compile_expression(expression, lenient=True).closure
        passed = is_true(closure(frame.env, [Node(holder, kind_of(code))]))
    except (FhirError, PendingError, TypeError, AttributeError, LookupError, ValueError):
        return
    if not passed:
        run.say("extension-context-invariant", path, url=url, expression=expression)


def _code_of(frame: Frame, above: str) -> str:
    """Return the type of a complex element at a path, '' where it is a primitive or one of several."""
    code = frame.type
    for name in _INDEX.sub("", above[len(frame.path) :]).split(".")[1:]:
        element = definitions().type(code).elements.get(name)
        keys = element.json_keys() if element is not None else ()
        if len(keys) != 1 or not is_type(keys[0][1]):
            return ""
        code = keys[0][1]
    return "" if code[0].islower() else code
