"""What FHIR R4 adds to the language: its functions and environment variables.

Source: http://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from typing import Any

from resources.fhirpath.environment import Closure, Environment, single
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.registry import function
from resources.fhirpath.model import is_type, kind_of, resource_kind
from resources.fhirpath.typetests import contained_by_id, reference_type
from resources.fhirpath.values import UCUM, Item, Items, Json, Node, Typed, step, system

_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
_CONSTANTS = {"sct": "http://snomed.info/sct", "loinc": "http://loinc.org", "ucum": UCUM}


def externals(env: Environment, name: str) -> Items:
    """Return the value of `%name`; FhirError where it is not defined."""
    if name in env.variables:
        return wrapped(env.variables[name])
    if name in ("context", "resource", "rootResource"):
        return [] if env.root is None else [env.root]
    if name in _CONSTANTS:
        return [_CONSTANTS[name]]
    if name.startswith("vs-"):
        return ["http://hl7.org/fhir/ValueSet/" + name[3:]]
    if name.startswith("ext-"):
        return [_STRUCTURE + name[4:]]
    raise evaluation_error(f"%{name} is not defined")


def wrapped(value: Any) -> Items:
    """Return a plain value (or list, `Typed`, resource) as a collection."""
    if value is None:
        return []
    if isinstance(value, Typed):
        return [Node(value.value, kind_of(value.type_name))]
    if isinstance(value, list):
        return [item for each in value for item in wrapped(each)]
    if isinstance(value, dict):
        kind = resource_kind(value)
        return [Node(value, kind or kind_of("Element"))]
    return [value]


@function("extension", 1)
def _extension(env: Environment, items: Items, url: Items) -> Items:
    wanted = single(url, "extension()")
    found: Items = []
    for item in items:
        if type(item) is Node:
            slots = item.kind.steps.get("extension")
            if slots:
                step(item, slots, found)
    env.spend(len(found))
    return [node for node in found if node.value.get("url") == wanted]


@function("hasExtension", 1)
def _has_extension(env: Environment, items: Items, url: Items) -> Items:
    return [bool(_extension(env, items, url))]


@function("hasValue")
def _has_value(env: Environment, items: Items) -> Items:
    return [len(items) == 1 and _primitive_value(items[0]) is not None]


@function("getValue")
def _get_value(env: Environment, items: Items) -> Items:
    value = _primitive_value(items[0]) if len(items) == 1 else None
    return [] if value is None else [system(items[0])]


def _primitive_value(item: Item) -> Any:
    if type(item) is not Node:
        return item
    return item.value if item.kind.primitive else None


@function("resolve")
def _resolve(env: Environment, items: Items) -> Items:
    found: Items = []
    for item in items:
        text = _reference_text(item)
        env.spend(1)
        resource = None if text is None else _fetch(env, text)
        kind = None if resource is None else resource_kind(resource)
        if kind is not None:
            found.append(Node(resource, kind))
    return found


def _reference_text(item: Item) -> str | None:
    value = item.value if type(item) is Node else item
    text = value.get("reference") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _fetch(env: Environment, text: str) -> Json | None:
    root: Json = env.root.value if env.root is not None and isinstance(env.root.value, dict) else {}
    if text.startswith("#"):
        outer = env.variables.get("rootResource")
        holder: Json = outer.value if type(outer) is Node else root
        return holder if text == "#" else contained_by_id(holder).get(text[1:])
    if root.get("resourceType") == "Bundle":
        for entry in root.get("entry", ()):
            resource = entry.get("resource")
            if resource and _is_entry(entry.get("fullUrl", ""), resource, text):
                return dict(resource)
    resolve = env.resolve or env.ports.resolve
    return resolve(text) if resolve is not None else None


def _is_entry(full_url: str, resource: Json, text: str) -> bool:
    local = f"{resource.get('resourceType')}/{resource.get('id')}"
    return text == full_url or (text == local and (not full_url or full_url.endswith("/" + local)))


def resolves_to(base: Closure, name: str) -> Closure:
    """Return the closure of `resolve() is name`: the reference's text decides; where it is silent, a look-up."""

    def closure(env: Environment, focus: Items) -> Items:
        items = base(env, focus)
        if not items:
            return []
        value = items[0].value if type(items[0]) is Node else items[0]
        root = env.root.value if env.root is not None else {}
        found = reference_type(value, contained_by_id(root) if isinstance(root, dict) else None)
        if found is None:
            targets = _resolve(env, items[:1])
            found = targets[0].kind.name if targets else None
        if found is None:
            return []
        return [is_type(found) and name in kind_of(found).ancestors]

    return closure


@function("memberOf", 1)
def _member_of(env: Environment, items: Items, valueset: Items) -> Items:
    url = single(valueset, "memberOf()")
    if not items or not isinstance(url, str):
        return []
    return _asked(env.ports.member_of, "memberOf", items[0], url)


@function("subsumes", 1)
def _subsumes(env: Environment, items: Items, other: Items) -> Items:
    return _asked(env.ports.subsumes, "subsumes", items[0], _value(other[0])) if items and other else []


@function("subsumedBy", 1)
def _subsumed_by(env: Environment, items: Items, other: Items) -> Items:
    return _subsumes(env, other, items)


def _asked(port: Any, name: str, item: Item, argument: Any) -> Items:
    if port is None:
        raise evaluation_error(f"{name}() needs the terminology service, which is not registered")
    answer = port(_value(item), argument)
    return [] if answer is None else [answer]


def _value(item: Item) -> Any:
    return item.value if type(item) is Node else item


@function("conformsTo", 1)
def _conforms_to(env: Environment, items: Items, profile: Items) -> Items:
    url = single(profile, "conformsTo()")
    if not items or not isinstance(url, str):
        return []
    item = items[0]
    name = url.removeprefix(_STRUCTURE)
    if is_type(name):
        return [type(item) is Node and name in item.kind.ancestors]
    answer = env.ports.conforms_to(_value(item), url) if env.ports.conforms_to is not None else None
    if answer is None:
        raise evaluation_error(f"the profile {url} is not known")
    return [answer]


@function("htmlChecks")
def _html_checks(env: Environment, items: Items) -> Items:
    """Return whether every narrative of the input holds allowed XHTML only (invariant txt-1)."""
    if env.ports.html_problem is None:
        raise evaluation_error("htmlChecks() needs the narrative checker, which is not registered")
    texts = [_value(item) for item in items]
    if not all(isinstance(text, str) for text in texts):
        raise evaluation_error("htmlChecks() takes XHTML, such as text.div")
    return [all(not env.ports.html_problem(text) for text in texts)] if texts else []


@function("checkModifiers", 0, 32)
def _check_modifiers(env: Environment, items: Items, *allowed: Items) -> Items:
    """Return whether every modifier extension of the input is among `allowed`."""
    urls = {single(each, "checkModifiers()") for each in allowed}
    found: Items = []
    for item in items:
        slots = item.kind.steps.get("modifierExtension") if type(item) is Node else None
        if slots:
            step(item, slots, found)
    return [all(node.value.get("url") in urls for node in found)]
