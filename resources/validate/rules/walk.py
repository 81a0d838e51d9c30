"""The base walk: a resource from the top down by R4's own types, each rule where it stands.

For every type one plan is compiled when it is first met: by JSON key the step to take, None where no rule can speak.
Profiles are walked after it (`profiles.py`).

Source: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from resources.definitions import Element, TypeDef, definitions
from resources.profiles.build import structure_of
from resources.profiles.nodes import Constraint, Node
from resources.validate.elements import bound_codes, is_primitive
from resources.validate.rules import parts
from resources.validate.rules.extensions import check_extension
from resources.validate.rules.hooked import binding_check, reference_check
from resources.validate.rules.invariants import Check, invariants
from resources.validate.rules.profiles import check_claims, type_profiles
from resources.validate.rules.run import Frame, Json, Run
from resources.validate.rules.values import value_checks

Step = Callable[[Run, Frame, Any, Json, str], None]
"""What to do with the value of one JSON key: (run, frame, value, object that holds it, path of that object)."""


class Plan:
    """What the base rules ask of an object of one type: checks of itself, and a step for each JSON key."""

    __slots__ = ("checks", "keys")

    def __init__(self, holder: str) -> None:
        typedef = definitions().type(holder)
        node = _node_of(holder)
        own = invariants(node.constraints, holder, base=True) if "." not in holder else None
        said = parts.BY_TYPE.get(holder)
        self.checks: tuple[Check, ...] = tuple(
            each for each in (own, _of_type(said) if said else None) if each is not None
        )
        self.keys = _Keys(typedef, node)


class _Keys(dict[str, "Step | None"]):
    """The steps of a type by JSON key, compiled when first asked for."""

    def __init__(self, typedef: TypeDef, node: Node) -> None:
        super().__init__()
        self._typedef = typedef
        self._node = node

    def __missing__(self, key: str) -> Step | None:
        plain = key[1:] if key[:1] == "_" else key
        found = self._typedef.by_json.get(plain)
        if found is None:
            return None
        element, code = found
        node = self._node.children.get(element.name)
        if plain != key:
            step: Step | None = _companion_step(element)
        else:
            step = _step(node, element, code) if node is not None else None
        self[key] = step
        return step


@cache
def plan_of(holder: str) -> Plan:
    """Return the plan of a type, or of a backbone element by its path."""
    return Plan(holder)


def _node_of(holder: str) -> Node:
    head, *names = holder.split(".")
    structure = structure_of(head)
    if structure is None:
        return Node(head, head, head)
    node = structure.root
    for name in names:
        node = node.children[name]
    return node


def walk(run: Run, frame: Frame, plan: Plan, value: Json, path: str) -> None:
    """Check one object and all below it."""
    if run.broken and (path in run.broken or type(value) is not dict):
        return
    for check in plan.checks:
        check(run, frame, value, None, path)
    keys = plan.keys
    for key, child in value.items():
        step = keys[key]
        if step is not None:
            step(run, frame, child, value, path)


def enter(run: Run, resource: Json, path: str, outer: Frame | None, contained: bool, url: str) -> None:
    """Check a resource: its base rules, those of the whole, and the profiles that it claims."""
    if run.broken and (path in run.broken or type(resource) is not dict):
        return
    path = path or resource["resourceType"]
    frame = run.frame(resource, path, outer, contained, url)
    walk(run, frame, plan_of(frame.type), resource, path)
    try:
        parts.resource(run, resource, path, frame.scope)
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError):
        if not run.broken:
            raise
    if run.options.claims:
        check_claims(run, frame)


def _of_type(said: parts.Rule) -> Check:
    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if not run.above or path not in run.above:
            said(run, value, path, frame.scope)

    return check


def _step(node: Node, element: Element, code: str) -> Step | None:
    if code == "Resource":
        return _resource_step(element)
    if code == "Extension":
        return _extension_step(element.name)
    checks = tuple(_checks(node, element, code))
    if is_primitive(code):
        if not checks:
            return None
        one = _checker(checks)
    else:
        one = _descent(checks, element.type_name or code)
    return _each(one, element.name) if element.many else _single(one, element.name)


One = Callable[[Run, Frame, Any, str], None]


def _checker(checks: tuple[Check, ...]) -> One:
    def one(run: Run, frame: Frame, value: Any, path: str) -> None:
        for check in checks:
            check(run, frame, value, None, path)

    return one


def _descent(checks: tuple[Check, ...], holder: str) -> One:
    plan: Plan | None = None

    def one(run: Run, frame: Frame, value: Any, path: str) -> None:
        nonlocal plan
        if plan is None:
            plan = plan_of(holder)
        if not run.above or path not in run.above:
            for check in checks:
                check(run, frame, value, None, path)
        walk(run, frame, plan, value, path)

    return one


def _single(one: One, name: str) -> Step:
    def step(run: Run, frame: Frame, value: Any, holder: Json, path: str) -> None:
        path = f"{path}.{name}"
        if not run.broken or path not in run.broken:
            one(run, frame, value, path)

    return step


def _each(one: One, name: str) -> Step:
    def step(run: Run, frame: Frame, values: Any, holder: Json, path: str) -> None:
        path = f"{path}.{name}"
        if run.broken and (path in run.broken or type(values) is not list):
            return
        for index, value in enumerate(values):
            if value is not None:
                at = f"{path}[{index}]"
                if not run.broken or at not in run.broken:
                    one(run, frame, value, at)

    return step


def _resource_step(element: Element) -> Step:
    name, contained = element.name, element.name == "contained"

    def one(run: Run, frame: Frame, value: Any, path: str, url: str) -> None:
        if not run.broken or (path not in run.broken and type(value) is dict):
            enter(run, value, path, frame, contained, url)

    def step(run: Run, frame: Frame, value: Any, holder: Json, path: str) -> None:
        path = f"{path}.{name}"
        if run.broken and path in run.broken:
            return
        if type(value) is list:
            for index, each in enumerate(value):
                one(run, frame, each, f"{path}[{index}]", "")
        else:
            url = holder.get("fullUrl", "")
            one(run, frame, value, path, url if type(url) is str else "")

    return step


def _extension_step(name: str) -> Step:
    modifier = name == "modifierExtension"

    def step(run: Run, frame: Frame, values: Any, holder: Json, path: str) -> None:
        if run.broken and (f"{path}.{name}" in run.broken or type(values) is not list):
            return
        plan = plan_of("Extension")
        for index, value in enumerate(values):
            at = f"{path}.{name}[{index}]"
            if not run.broken or not run.is_broken(at):
                check_extension(run, frame, value, at, holder, path, modifier)
            walk(run, frame, plan, value, at)

    return step


def _companion_step(element: Element) -> Step:
    """Return the step of `_name`: the extensions of a primitive, or of each primitive of an array."""
    extensions = _extension_step("extension")
    name, many = element.name, element.many

    def step(run: Run, frame: Frame, value: Any, holder: Json, path: str) -> None:
        path = f"{path}.{name}"
        if run.broken and path in run.broken:
            return
        for index, each in enumerate(value if type(value) is list else [value]):
            if type(each) is dict and "extension" in each:
                extensions(run, frame, each["extension"], each, f"{path}[{index}]" if many else path)

    return step


def _checks(node: Node, element: Element, code: str) -> list[Check]:
    """Return the rules of the values of an element; `code` is their type, or the path of a backbone element."""
    found: list[Check] = []
    holder = element.type_name or code
    if own := invariants(_constraints(node, element), holder, base=True):
        found.append(own)
    found += value_checks(node, holder)
    if node.binding is not None and not _is_proved(element, code):
        found.append(binding_check(node, code))
    if code == "Reference" or (code == "canonical" and any(t.targets for t in node.types)):
        found.append(reference_check(node, code))
    if code in ("string", "markdown"):
        found.append(_blank)
    if is_primitive(code) and (said := parts.BY_PRIMITIVE.get(code)):
        found.append(_of_type(said))
    if profiles := type_profiles(node, code):
        found.append(profiles)
    return found


def _constraints(node: Node, element: Element) -> tuple[Constraint, ...]:
    """Return the invariants of an element: of a content reference those of the element that it refers to, too."""
    if element.type_name in ("", element.path):
        return node.constraints
    return tuple(dict.fromkeys((*_node_of(element.type_name).constraints, *node.constraints)))


def _is_proved(element: Element, code: str) -> bool:
    """Whether the gate has checked the codes of the element against its required binding."""
    return code in ("code", "Coding", "CodeableConcept") and bound_codes(element) is not None


def _blank(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
    if type(value) is str and value.isspace():
        run.say("value-blank", path)
