"""Profiles: what a structure says beyond R4's types, compiled once into shapes and walked over an object.

Source: http://hl7.org/fhir/R4/profiling.html, elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from resources.definitions import Element, TypeDef, definitions
from resources.fhirpath.model import is_type, kind_of
from resources.profiles.nodes import Node, Structure
from resources.validate.elements import is_primitive
from resources.validate.rules.hooked import binding_check, reference_check, target_check
from resources.validate.rules.invariants import Check, invariants
from resources.validate.rules.items import Item, Members
from resources.validate.rules.run import MAX_INSIDE, Frame, Json, Run
from resources.validate.rules.values import value_checks

EXTENSION = "Extension"


class Shape:
    """What a structure says of one object: checks of itself, and a group for each element that it speaks of."""

    __slots__ = ("checks", "groups", "primitive")

    def __init__(self, node: Node, holder: str, profile: str, checks: tuple[Check, ...] = ()) -> None:
        typedef = definitions().type(holder)
        self.checks = checks
        self.primitive = is_primitive(holder)
        self.groups = tuple(
            Group(child, typedef.elements[child.name], typedef, profile)
            for child in node.children.values()
            if child.name in typedef.elements and not (self.primitive and child.name == "value")
        )

    def walk(self, run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        """Check an object, or a primitive with its `_` sibling, and what is below it."""
        for check in self.checks:
            check(run, frame, value, extra, path)
        holder = (extra or {}) if self.primitive else value
        if type(holder) is dict and not (run.broken and path in run.broken):
            for group in self.groups:
                group.walk(run, frame, holder, path)


class Rules:
    """What a node says of each of its values that are of one type."""

    __slots__ = ("checks", "holder", "node", "profile", "shape")

    def __init__(self, node: Node, code: str, profile: str) -> None:
        self.holder = code
        self.checks = tuple(_checks(node, code))
        self.node: Node | None = node if node.children else None
        self.profile = profile
        self.shape: Shape | None = None

    def __bool__(self) -> bool:
        return bool(self.checks) or self.node is not None

    def walk(self, run: Run, frame: Frame, item: Item) -> None:
        """Check one value."""
        value, extra, _, path = item
        if run.broken and path in run.broken:
            return
        if not run.above or path not in run.above:
            for check in self.checks:
                check(run, frame, value, extra, path)
        if self.node is not None:
            if self.shape is None:
                self.shape = Shape(self.node, self.holder, self.profile)
            inner = frame
            if type(value) is dict and "resourceType" in value:
                inner = run.frames.get(id(value), frame)
            self.shape.walk(run, inner, value, extra, path)


def is_resource(code: str) -> bool:
    """Whether the type is a resource."""
    return definitions().type(code).kind == "resource"


def _checks(node: Node, code: str) -> Iterable[Check]:
    if own := invariants(node.constraints, code):
        yield own
    yield from value_checks(node, code)
    if node.binding is not None:
        yield binding_check(node, code)
    if code in ("Reference", "canonical") and any(
        each.targets or each.aggregation or each.versioning for each in node.types
    ):
        yield reference_check(node, code)
    if code == "Reference" and (targets := target_check(node)):
        yield targets
    if profiles := type_profiles(node, code):
        yield profiles


class Group:
    """One element of a structure: how many there are, of which types, in which slices, and the rules of each."""

    __slots__ = ("allowed", "element", "keys", "members", "node", "profile", "rules", "title")

    def __init__(self, node: Node, element: Element, typedef: TypeDef, profile: str) -> None:
        self.node = node
        self.element = element
        self.profile = profile
        self.keys = element.json_keys()
        self.title = f"{node.name}[x]" if element.choice else f"'{node.name}'"
        self.allowed = frozenset(each.code for each in node.types)
        self.rules: dict[str, Rules] = {}
        self.members = Members(node, self._slice_rules) if node.slicing is not None else None

    def items(self, holder: Json, path: str) -> list[Item]:
        """Return the values of the element in `holder`, each with its type and path."""
        found: list[Item] = []
        path = f"{path}.{self.node.name}"
        for key, code in self.keys:
            value = holder.get(key)
            extra = holder.get("_" + key) if code[0].islower() else None
            if value is None and extra is None:
                continue
            if not self.element.many:
                found.append(Item(value, extra, _actual(value, code), path))
                continue
            values = value if type(value) is list else []
            extras = extra if type(extra) is list else []
            for at in range(max(len(values), len(extras))):
                one = values[at] if at < len(values) else None
                beside = extras[at] if at < len(extras) else None
                found.append(Item(one, beside, _actual(one, code), f"{path}[{at}]"))
        return found

    def walk(self, run: Run, frame: Frame, holder: Json, path: str) -> None:
        """Check the element in the object `holder` at `path`."""
        items = self.items(holder, path)
        if run.broken and f"{path}.{self.node.name}" in run.broken:
            return
        self._count(run, len(items), path)
        if not items:
            if self.members is not None:
                self.members.walk(run, frame, items, path, self.profile)
            return
        for item in items:
            if self._is_allowed(run, item):
                rules = self.rules.get(item.code)
                if rules is None:
                    rules = self.rules[item.code] = Rules(self.node, item.code, self.profile)
                if rules:
                    rules.walk(run, frame, item)
        if self.members is not None:
            self.members.walk(run, frame, items, path, self.profile)

    def _slice_rules(self, node: Node, code: str) -> Rules:
        return Rules(node, code, self.profile)

    def _count(self, run: Run, count: int, path: str) -> None:
        node = self.node
        if count < node.min:
            more = f" ({node.min} at least, not {count})" if node.min > 1 else ""
            run.say(
                "cardinality-min",
                f"{path}.{node.name}",
                holder=path.rpartition(".")[2].partition("[")[0],
                element=self.title,
                more=f"{more}, by the profile {self.profile}",
            )
        if node.max is not None and count > node.max:
            run.say(
                "cardinality-max",
                f"{path}.{node.name}",
                element=self.title,
                max=node.max,
                count=count,
                profile=self.profile,
            )
        if node.must_support and not count and run.options.must_support:
            run.say("must-support-absent", f"{path}.{node.name}", element=self.title, profile=self.profile)

    def _is_allowed(self, run: Run, item: Item) -> bool:
        """Whether the profile allows the type of a value; a slice of another type is told of there."""
        if not self.allowed or item.code in self.allowed:
            return True
        if not is_type(item.code) or not self.allowed.isdisjoint(kind_of(item.code).ancestors):
            return True
        listed = ", ".join(sorted(self.allowed))
        run.say("type-not-allowed", item.path, type=item.code, allowed=listed, profile=self.profile)
        return False


def _actual(value: Any, code: str) -> str:
    if code == "Resource" and type(value) is dict:
        name = value.get("resourceType")
        return name if type(name) is str and definitions().is_resource(name) else code
    return code


# ------------------------------------------------------------------------------------ a whole structure


def apply(run: Run, frame: Frame, structure: Structure, value: Any, extra: Any, path: str) -> None:
    """Check a value by a structure of its type, unless that was done already."""
    key = (path, structure.url)
    if key in run.checked or run.inside > MAX_INSIDE or structure.type not in definitions().package.types:
        return
    run.checked.add(key)
    if structure.derivation != "constraint":
        return
    if structure.plan is None:
        node = structure.root
        checks = list(value_checks(node, structure.type))
        if own := invariants(node.constraints, structure.type):
            checks.append(own)
        structure.plan = Shape(node, structure.type, structure.url, tuple(checks))
    run.inside += 1
    try:
        structure.plan.walk(run, frame, value, extra, path)
    finally:
        run.inside -= 1


def type_profiles(node: Node, code: str) -> Check | None:
    """Return the check of the profiles that the type of an element names, None where it names none."""
    wanted = tuple(url for each in node.types if _is_of(each.code, code) for url in each.profiles)
    if not wanted:
        return None

    def one(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        structure = run.structure(wanted[0])
        if structure is not None:
            inner = run.frames.get(id(value), frame) if code[0].isupper() else frame
            apply(run, inner, structure, value, extra, path)
        elif not run.waiting and code != EXTENSION:
            run.say("profile-unknown", path, profile=wanted[0])

    def several(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        told = [run.conforms(value, url, code) for url in wanted]
        if not any(answer is not False for answer in told):
            run.say("type-profile-none", path, profiles=", ".join(wanted))

    return one if len(wanted) == 1 else several


def _is_of(wanted: str, code: str) -> bool:
    return wanted == code or (is_type(code) and wanted in kind_of(code).ancestors)


def conforms(run: Run, value: Any, canonical: str, code: str) -> bool | None:
    """Return whether a value of type `code` conforms to a profile, None where that cannot be told (yet)."""
    structure = run.structure(canonical)
    if structure is None or run.inside > MAX_INSIDE:
        return None
    if not _is_of(structure.type, code):
        return False
    frame = run.frames.get(id(value))
    if frame is None:
        frame = run.frame(value, code, None, False) if is_resource(code) else run.frames[id(run.root)]
    with run.apart() as issues:
        apply(run, frame, structure, value, None, code)
        wrong, waits = any(each.severity == "error" for each in issues), run.waiting
    if waits and not wrong:
        return None
    return not wrong


# ------------------------------------------------------------------------------------ claims and wishes


def check_claims(run: Run, frame: Frame) -> None:
    """Check a resource by each profile of its meta.profile."""
    meta = frame.resource.get("meta")
    claims = meta.get("profile") if type(meta) is dict else None
    if type(claims) is not list:
        return
    for index, canonical in enumerate(claims):
        if type(canonical) is str:
            _claimed(run, frame, canonical, f"{frame.path}.meta.profile[{index}]", asked=False)


def check_asked(run: Run, frame: Frame) -> None:
    """Check a resource by the profiles that the caller asks for."""
    for canonical in run.options.profiles:
        _claimed(run, frame, canonical, frame.path, asked=True)


def _claimed(run: Run, frame: Frame, canonical: str, place: str, asked: bool) -> None:
    before, run.waiting = run.waiting, False
    structure = run.structure(canonical)
    waits, run.waiting = run.waiting, run.waiting or before
    if structure is None:
        if not waits:
            run.say("profile-unknown", place, severity="error" if asked else "warning", profile=canonical)
        return
    if not _is_of(structure.type, frame.type):
        run.say("profile-wrong-type", place, profile=canonical, wanted=structure.type, type=frame.type)
        return
    if structure.abstract and structure.derivation == "constraint":
        run.say("profile-abstract", place, profile=canonical)
    apply(run, frame, structure, frame.resource, None, frame.path)
