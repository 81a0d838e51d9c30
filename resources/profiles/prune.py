"""Take out of a profile's tree what is said elsewhere already, so that nothing is evaluated or told twice.

Source: http://hl7.org/fhir/R4/profiling.html (a profile can only narrow, so what is equal adds nothing)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from resources.profiles.nodes import Binding, Constraint, Node, Structure

Types = Callable[[str], Structure | None]

_OWN = frozenset({"ele-1", "ext-1"})
"""What every element, and every extension, has of its own type."""


def prune_type(structure: Structure) -> None:
    """Take out of the tree of an R4 type the invariants that the elements' own types have (ele-1, ext-1)."""
    for child in structure.root.children.values():
        _prune_own(child)


def _prune_own(node: Node) -> None:
    if node.types and not node.children and node.types[0].code != "BackboneElement":
        node.constraints = tuple(c for c in node.constraints if c.key not in _OWN)
    for child in node.children.values():
        _prune_own(child)


def prune_profile(structure: Structure, beyond: Structure, types: Types) -> None:
    """Take out of the tree of a profile what the tree of its base type says."""
    _Pruner(beyond, types).root(structure.root)


class _Pruner:
    def __init__(self, beyond: Structure, types: Types) -> None:
        self._beyond = beyond.root
        self._types = types

    def root(self, root: Node) -> None:
        root.constraints = _beyond(root.constraints, self._beyond.constraints)
        root.min, root.max = 0, None
        root.must_support = False
        self._children(root, self._beyond, None)

    def _children(self, node: Node, base: Node | None, plain: Node | None) -> None:
        """Prune the children of a node beyond those of `base` (R4) and of `plain` (the element it is a slice of)."""
        bases = self._inside(node, base)
        for child in node.children.values():
            beside = plain.children.get(child.name) if plain else None
            self._node(child, bases.get(child.name), beside)
        node.children = {name: child for name, child in node.children.items() if _tells(child)}

    def _node(self, node: Node, base: Node | None, plain: Node | None) -> None:
        if node.slicing:
            for own in node.slicing.slices:
                self._slice(own, base, node)
        self._children(node, base, plain)
        self._rules(node, [each for each in (base, plain) if each])
        if base and {(t.code, t.profiles, t.targets, t.aggregation) for t in node.types} == {
            (t.code, t.profiles, t.targets, t.aggregation) for t in base.types
        }:
            node.types = ()
        for each in (base, plain):
            if each is not None:
                node.min = 0 if node.min <= each.min else node.min
                node.max = None if each.max is not None and node.max == each.max else node.max
        _drop_empty_slicing(node)

    def _slice(self, node: Node, base: Node | None, plain: Node) -> None:
        """Prune a slice: its own cardinality and types stay, for they say what the slice is."""
        if node.slicing:
            for own in node.slicing.slices:
                self._slice(own, base, node)
        self._children(node, base, plain)
        self._rules(node, [plain, *([base] if base else ())])
        if node.max is not None and base is not None and base.max == node.max:
            node.max = None
        _drop_empty_slicing(node)

    def _rules(self, node: Node, others: Iterable[Node]) -> None:
        node.constraints = tuple(c for c in node.constraints if c.key not in _OWN)
        for other in others:
            node.constraints = _beyond(node.constraints, other.constraints)
            if node.binding and other.binding and _bound(node.binding) == _bound(other.binding):
                node.binding = None
            if node.longest == other.longest:
                node.longest = None
            node.must_support = node.must_support and not other.must_support
        own = self._types(node.types[0].code) if len(node.types) == 1 else None
        if own is not None and "." not in own.type:
            node.constraints = _beyond(node.constraints, own.root.constraints)

    def _inside(self, node: Node, base: Node | None) -> dict[str, Node]:
        """Return the R4 nodes below: a backbone's, those of a content reference, those of the only type."""
        if base is not None and base.children:
            return base.children
        holder = base.holder if base is not None else node.holder
        if holder:
            found: Node | None = self._beyond
            for name in holder.split(".")[1:]:
                found = found.children.get(name) if found else None
            return found.children if found else {}
        codes = {t.code for t in node.types or (base.types if base else ())}
        only = self._types(codes.pop()) if len(codes) == 1 else None
        return only.root.children if only else {}


def _beyond(own: tuple[Constraint, ...], others: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
    """Return the constraints that `others` do not have: known by key, and by expression or source."""
    if not own or not others:
        return own
    if own == others:
        return ()
    known = {c.key: c for c in others}
    return tuple(c for c in own if c.key not in known or not _same(c, known[c.key]))


def _same(one: Constraint, other: Constraint) -> bool:
    return one.expression == other.expression or (bool(one.source) and one.source == other.source)


def _bound(binding: Binding) -> tuple[str, str, str]:
    """Return what a binding says, whatever version of the value set it names."""
    return binding.strength, binding.valueset.partition("|")[0], binding.largest.partition("|")[0]


def _drop_empty_slicing(node: Node) -> None:
    if node.slicing and not node.slicing.slices and node.slicing.rules != "closed":
        node.slicing = None


def _tells(node: Node) -> bool:
    """Whether a node has any rule left."""
    return bool(
        node.min
        or node.max is not None
        or node.types
        or node.children
        or node.slicing
        or node.constraints
        or node.must_support
        or any(
            rule is not None
            for rule in (node.fixed, node.pattern, node.least, node.greatest, node.longest, node.binding)
        )
    )
