"""The values of a sliced element, sorted into its slices: how many in each, in which order, and the rules of each.

Source: http://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from resources.fhirpath.model import is_type, kind_of
from resources.fhirpath.values import Node as FhirpathNode
from resources.profiles.nodes import Node, Slicing
from resources.validate.rules.run import Frame, Run
from resources.validate.rules.slices import Test, matcher

if TYPE_CHECKING:
    from resources.validate.rules.profiles import Rules


class Item(NamedTuple):
    """One value of an element: with its `_` sibling, type and path."""

    value: Any
    extra: Any
    code: str
    path: str


Compile = Callable[[Node, str], "Rules"]


class Slice:
    """One slice: the test of what belongs to it, and the rules of its members by their type."""

    __slots__ = ("compile", "members", "node", "rules", "test")

    def __init__(self, node: Node, slicing: Slicing, compile_rules: Compile) -> None:
        self.node = node
        self.test: Test = matcher(node, slicing.discriminators)
        self.compile = compile_rules
        self.rules: dict[str, Rules] = {}
        self.members = Members(node, compile_rules) if node.slicing is not None else None

    def rules_for(self, code: str) -> Rules:
        """Return the rules of members of type `code`."""
        found = self.rules.get(code)
        if found is None:
            found = self.rules[code] = self.compile(self.node, code)
        return found


class Members:
    """The slices of an element, or of a slice that is sliced again."""

    def __init__(self, node: Node, compile_rules: Compile) -> None:
        assert node.slicing is not None
        self.name = node.name
        self.slicing = node.slicing
        self.slices = [Slice(each, node.slicing, compile_rules) for each in node.slicing.slices]
        self.default = next((i for i, each in enumerate(self.slices) if each.node.default_slice), None)

    def walk(self, run: Run, frame: Frame, items: list[Item], path: str, profile: str) -> None:
        """Sort the items of the element at `path`, and check each slice."""
        sorted_items: list[list[Item]] = [[] for _ in self.slices]
        untold = False
        last, rest = -1, False
        for item in items:
            at, told = self._place(run, frame, item)
            untold = untold or not told
            if at is None:
                rest = rest or told
                if told:
                    self._unmatched(run, item, profile)
                continue
            sorted_items[at].append(item)
            if self.slicing.ordered and at < last:
                self._say(run, "slice-order", item.path, at, profile, other=self.slices[last].node.slice_name)
            if rest and self.slicing.rules == "openAtEnd":
                self._say(run, "slice-at-end", item.path, at, profile)
            last = max(last, at)
        for at, members in enumerate(sorted_items):
            self._check(run, frame, at, members, path, profile, untold)

    def _place(self, run: Run, frame: Frame, item: Item) -> tuple[int | None, bool]:
        """Return the slice of an item (None: none), and whether that could be told."""
        if not is_type(item.code) or (run.broken and run.is_broken(item.path)):
            return None, False
        focus = FhirpathNode(item.value, kind_of(item.code), item.extra)
        told = True
        for at, each in enumerate(self.slices):
            if at == self.default:
                continue
            answer = each.test(run, frame, focus)
            if answer:
                return at, True
            told = told and answer is not None
        return (self.default, True) if told and self.default is not None else (None, told)

    def _unmatched(self, run: Run, item: Item, profile: str) -> None:
        if self.slicing.rules == "closed":
            names = ", ".join(each.node.slice_name for each in self.slices)
            run.say("slice-unmatched", item.path, name=self.name, slices=names, profile=profile)

    def _check(
        self, run: Run, frame: Frame, at: int, members: list[Item], path: str, profile: str, untold: bool
    ) -> None:
        node = self.slices[at].node
        place, count = f"{path}.{self.name}", len(members)
        if count < node.min and not untold:
            self._say(run, "slice-min", place, at, profile, min=node.min, count=count)
        if node.max is not None and count > node.max:
            self._say(run, "slice-max", place, at, profile, max=node.max, count=count)
        if node.must_support and not members and run.options.must_support and not untold:
            self._say(run, "must-support-slice", place, at, profile)
        for item in members:
            rules = self.slices[at].rules_for(item.code)
            if rules:
                rules.walk(run, frame, item)
        inner = self.slices[at].members
        if inner is not None and members:
            inner.walk(run, frame, members, path, profile)

    def _say(self, run: Run, message: str, path: str, at: int, profile: str, **facts: Any) -> None:
        run.say(
            message, path, slice=self.slices[at].node.slice_name, name=self.name, profile=profile, **facts
        )
