"""From the document to fields over the definitions: every name is known, or refused with its place.

Source: https://spec.graphql.org/October2021/#sec-Field-Collection, http://hl7.org/fhir/R4/graphql.html#fields
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphql.language import (
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionNode,
    SelectionSetNode,
    print_ast,
)

from fhir_server.operations.graphql.arguments import Arguments, arguments, compiled, text
from fhir_server.operations.graphql.document import Document
from fhir_server.operations.graphql.fields import Fields, any_resource, covers, known_type
from fhir_server.operations.graphql.limits import Budget, too_costly
from fhir_server.operations.graphql.plan import Field
from fhir_server.operations.graphql.problems import refused
from fhir_server.operations.graphql.values import Variables
from resources.definitions import definitions
from resources.outcome import FhirError

Sets = tuple[SelectionSetNode, ...]
_FIELD_ONLY = ("flatten", "first", "singleton", "slice")
_TRIES = 12
"""How many types a field of just any resource is tried on before it is refused."""


class Compiler:
    """Compiles the selections of one request; the same selection of the same type is compiled once."""

    def __init__(self, document: Document, variables: Variables, budget: Budget) -> None:
        self.document = document
        self.variables = variables
        self.budget = budget
        self.uses_paths = False
        self._known: dict[tuple[tuple[int, ...], str, bool], list[Field]] = {}
        self._checked: set[tuple[int, ...]] = set()
        self._fields = Fields(variables, budget.limits, self._selection)

    def root(self, type_name: str) -> list[Field]:
        """Return the fields of the operation on a resource of `type_name`, 'Query' for the system."""
        return self._of((self.document.operation.selection_set,), type_name, 1, lenient=False)

    def _selection(self, sets: Sets, type_name: str, depth: int) -> Callable[[str], list[Field]]:
        """Return the compiled selection of a type; of 'Resource' it is made for each type that turns up."""
        if not any_resource(type_name):
            fields = self._of(sets, type_name, depth, lenient=False)
            return lambda _: fields
        self._check_any(sets, depth)
        return lambda name: self._of(sets, name, depth, lenient=True)

    def _of(self, sets: Sets, type_name: str, depth: int, *, lenient: bool) -> list[Field]:
        """Return the fields of a type; with `lenient` those that it has not are left out: another type has them."""
        key = (tuple(map(id, sets)), type_name, lenient)
        found = self._known.get(key)
        if found is None:
            if depth > self.budget.limits.depth:
                raise too_costly(f"nested deeper than {self.budget.limits.depth} levels")
            groups = self._collect(sets, type_name, lenient)
            made = (self._field(type_name, nodes, depth, lenient) for nodes in groups)
            found = self._known[key] = [one for one in made if one is not None]
        return found

    def _collect(self, sets: Sets, type_name: str, lenient: bool) -> list[list[FieldNode]]:
        """Return the fields to answer, fragments spread, those that ask for the same together."""
        named: dict[str, list[list[FieldNode]]] = {}
        groups: list[list[FieldNode]] = []
        for node in self._spread(sets, type_name, set(), lenient):
            self.budget.spend("fields")
            name = node.alias.value if node.alias else node.name.value
            others = named.setdefault(name, [])
            same = next((nodes for nodes in others if _alike(nodes[0], node)), None)
            if same is not None:
                same.append(node)
                continue
            if len(others) >= self.budget.limits.choices:
                raise too_costly(f"'{name[:100]}' is asked for in more than {len(others)} ways")
            if not all(_beside(nodes[0], node) for nodes in others):
                raise refused(node, f"GraphQL: '{name[:100]}' is asked for in two ways: give one an alias")
            others.append([node])
            groups.append(others[-1])
        return groups

    def _spread(self, sets: Sets, type_name: str, seen: set[str], lenient: bool) -> Iterator[FieldNode]:
        for selections in sets:
            for one in selections.selections:
                if not self._wanted(one):
                    continue
                if isinstance(one, FieldNode):
                    yield one
                    continue
                inner = self._fragment(one, type_name, seen, lenient)
                if inner is not None:
                    yield from self._spread((inner,), type_name, seen, lenient)

    def _fragment(
        self, node: SelectionNode, type_name: str, seen: set[str], lenient: bool
    ) -> SelectionSetNode | None:
        """Return what a fragment selects where it applies to `type_name`."""
        self.budget.spend("fields")
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name in seen:
                return None
            seen.add(name)
            fragment = self.document.fragments[name]
            condition: NamedTypeNode | None = fragment.type_condition
            inner = fragment.selection_set
        else:
            assert isinstance(node, InlineFragmentNode)
            condition, inner = node.type_condition, node.selection_set
        if condition is None:
            return inner
        wanted = condition.name.value
        if not known_type(wanted):
            raise refused(condition, f"GraphQL: there is no type '{wanted[:100]}'")
        if covers(wanted, type_name):
            return inner
        if not lenient:
            raise refused(condition, f"GraphQL: what stands here is a {type_name}, never a {wanted}")
        return None

    def _wanted(self, node: SelectionNode) -> bool:
        """Whether @skip and @include let `node` stay; every other directive has to stand at a field."""
        stays = True
        names = set()
        for one in node.directives or ():
            name = one.name.value
            if name in names:
                raise refused(one, f"GraphQL: @{name} stands twice at one place")
            names.add(name)
            if name in ("skip", "include"):
                stays = stays and self._condition(one) is (name == "include")
            elif name not in _FIELD_ONLY:
                raise refused(one, f"GraphQL: there is no directive @{name[:100]} here", "not-supported")
            elif not isinstance(node, FieldNode):
                raise refused(one, f"GraphQL: @{name} stands at fields only")
        return stays

    def _condition(self, node: DirectiveNode) -> bool:
        found = arguments(node, self.variables)
        value = found.get("if", (None, None))[1]
        if found.keys() != {"if"} or not isinstance(value, bool):
            raise refused(node, f"GraphQL: @{node.name.value} takes (if: Boolean)")
        return value

    def _field(self, type_name: str, nodes: list[FieldNode], depth: int, lenient: bool) -> Field | None:
        """Return the field that `nodes`, which ask for the same, make together."""
        sets = tuple(one.selection_set for one in nodes if one.selection_set is not None)
        field = self._fields.make(type_name, nodes[0], sets, depth)
        if field is None:
            if lenient:
                return None
            name = nodes[0].name.value
            raise refused(nodes[0], f"GraphQL: {type_name} has no element or field '{name[:100]}'")
        self._direct(field, nodes[0])
        held = (field.filter and field.filter.path) or (field.search and field.search.path)
        self.uses_paths = self.uses_paths or bool(held or field.slice)
        return field

    def _direct(self, field: Field, node: FieldNode) -> None:
        """Set what the directives of `node` ask for."""
        for one in node.directives or ():
            name = one.name.value
            found = arguments(one, self.variables)
            if name == "slice":
                field.slice = compiled(*self._slice(one, found))
            elif name in _FIELD_ONLY:
                if found:
                    raise refused(one, f"GraphQL: @{name} takes no arguments")
                setattr(field, name, True)
        if field.flatten and field.selection is None:
            raise refused(node, f"GraphQL: @flatten: '{node.name.value}' has nothing inside")

    def _slice(self, node: DirectiveNode, found: Arguments) -> tuple[DirectiveNode, str]:
        name = next(iter(found), "")
        if len(found) != 1 or name not in ("path", "fhirpath"):
            raise refused(node, 'GraphQL: @slice takes (path: "a FHIRPath")')
        return node, text(found, name) or ""

    def _check_any(self, sets: Sets, depth: int) -> None:
        """Refuse a selection of any resource whose names no type has, whatever will turn up."""
        key = tuple(map(id, sets))
        if key in self._checked:
            return
        self._checked.add(key)
        for name in self._conditions(sets, set()):
            self._of(sets, name, depth, lenient=True)
        for node in self._spread(sets, "Resource", set(), lenient=True):
            self._check_on_some(node, depth)

    def _conditions(self, sets: Sets, seen: set[str]) -> Iterator[str]:
        """Yield the resource types that fragments name."""
        for selections in sets:
            for one in selections.selections:
                if isinstance(one, FragmentSpreadNode) and one.name.value not in seen:
                    seen.add(one.name.value)
                    fragment = self.document.fragments[one.name.value]
                    condition: NamedTypeNode | None = fragment.type_condition
                    inner = fragment.selection_set
                elif isinstance(one, InlineFragmentNode):
                    condition, inner = one.type_condition, one.selection_set
                else:
                    continue
                if condition is not None and definitions().is_resource(condition.name.value):
                    yield condition.name.value
                elif condition is not None and not any_resource(condition.name.value):
                    raise refused(
                        condition, f"GraphQL: '{condition.name.value[:100]}' is no type of resource"
                    )
                yield from self._conditions((inner,), seen)

    def _check_on_some(self, node: FieldNode, depth: int) -> None:
        first: FhirError | None = None
        tried = 0
        for name in definitions().resource_types:
            try:
                if self._field(name, [node], depth, lenient=True) is not None:
                    return
            except FhirError as error:
                first = first or error
                tried += 1
            if tried >= _TRIES:
                break
        raise first or refused(
            node, f"GraphQL: no resource has an element or field '{node.name.value[:100]}'"
        )


def _alike(one: FieldNode, other: FieldNode) -> bool:
    """Whether two fields of one name in the answer ask for the same."""
    if one.name.value != other.name.value:
        return False
    return _print(one) == _print(other)


def _print(node: FieldNode) -> tuple[frozenset[str], tuple[str, ...]]:
    return (
        frozenset(print_ast(one) for one in node.arguments or ()),
        tuple(print_ast(one) for one in node.directives or () if one.name.value not in ("skip", "include")),
    )


def _beside(one: FieldNode, other: FieldNode) -> bool:
    """Whether two different fields may have one name in the answer: `resource` by type, as R4 shows, and what @flatten
    spreads."""
    return one.name.value == other.name.value == "resource" or _flat(one) or _flat(other)


def _flat(node: FieldNode) -> bool:
    return any(one.name.value == "flatten" for one in node.directives or ())
