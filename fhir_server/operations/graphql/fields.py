"""The fields that each type has: FHIR elements, what references point to, searches, and connections.

Source: http://hl7.org/fhir/R4/graphql.html#fields, #references, #searching
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from graphql.language import FieldNode, SelectionSetNode

from fhir_server.operations.graphql.arguments import arguments, element_filter, none_allowed, search, text
from fhir_server.operations.graphql.limits import Limits
from fhir_server.operations.graphql.plan import Field
from fhir_server.operations.graphql.problems import refused
from fhir_server.operations.graphql.values import Variables
from fhir_server.routing import ID
from resources.definitions import Element, definitions

Sets = tuple[SelectionSetNode, ...]
Select = Callable[[Sets, str, int], Callable[[str], list[Field]]]
QUERY = "Query"
ABSTRACT = ("Resource", "DomainResource")
CONNECTION = {
    "count": "integer",
    "offset": "integer",
    "pagesize": "integer",
    "first": "id",
    "previous": "id",
    "next": "id",
    "last": "id",
}
EDGE = {"mode": "code", "score": "decimal"}


class Fields:
    """Makes the fields of one request."""

    def __init__(self, variables: Variables, limits: Limits, select: Select) -> None:
        self.variables = variables
        self.limits = limits
        self.select = select

    def make(self, type_name: str, node: FieldNode, sets: Sets, depth: int) -> Field | None:
        """Return the field `node` of a type, None where the type has no such field.

        Errors: 400 invalid for a wrong argument, or for anything wrong inside
        """
        name = node.name.value
        key = node.alias.value if node.alias else name
        if name == "__typename":
            return self._scalar(Field(key, name, "typename", "string", node), sets)
        if name in ("__schema", "__type"):
            raise refused(node, f"GraphQL: '{name}' has its place at the root, in a query without data")
        if type_name == QUERY:
            return self._system(key, node, sets, depth)
        for end in ("Connection", "Edge"):
            if type_name.endswith(end) and definitions().is_resource(type_name.removesuffix(end)):
                return self._page(type_name.removesuffix(end), end, key, node, sets, depth)
        return self._element(type_name, key, node, sets, depth)

    def _system(self, key: str, node: FieldNode, sets: Sets, depth: int) -> Field | None:
        name = node.name.value
        if not definitions().is_resource(name):
            return self._search("", key, node, sets, depth)
        found = arguments(node, self.variables)
        given = [one for one in ("id", "_id") if one in found]
        if len(given) != 1 or len(found) != 1:
            raise refused(node, f"GraphQL: {name} takes (id: …); {name}List searches", "required")
        id_ = text(found, given[0]) or ""
        if not ID.fullmatch(id_):
            raise refused(found[given[0]][0], f"GraphQL: '{id_[:80]}' is not a valid id", "value")
        field = Field(key, name, "read", name, node, id=id_)
        return self._selected(field, sets, name, depth)

    def _search(self, focus: str, key: str, node: FieldNode, sets: Sets, depth: int) -> Field | None:
        """Return a `…List` or `…Connection`, None for any other name."""
        name = node.name.value
        for end in ("List", "Connection"):
            wanted = name.removesuffix(end)
            if wanted == name or not definitions().is_resource(wanted):
                continue
            paged = end == "Connection"
            asked = search(node, wanted, self.variables, self.limits, focus=focus, connection=paged)
            inside = name if paged else wanted
            field = Field(key, name, "connection" if paged else "list", inside, node, not paged, search=asked)
            self._selected(field, sets, inside, depth)
            if paged and field.selection is not None:
                field.members = frozenset(one.name for one in field.selection(inside))
            return field
        return None

    def _page(self, base: str, end: str, key: str, node: FieldNode, sets: Sets, depth: int) -> Field | None:
        """Return a field of a connection or of one of its edges."""
        none_allowed(node, f"'{node.name.value}'")
        name = node.name.value
        scalars = CONNECTION if end == "Connection" else EDGE
        if name in scalars:
            return self._scalar(Field(key, name, "member", scalars[name], node), sets)
        if end == "Connection" and name == "edges":
            return self._selected(
                Field(key, name, "member", base + "Edge", node, True), sets, base + "Edge", depth
            )
        if end == "Edge" and name == "resource":
            return self._selected(Field(key, name, "member", base, node), sets, base, depth)
        return None

    def _element(self, type_name: str, key: str, node: FieldNode, sets: Sets, depth: int) -> Field | None:
        known = definitions().type(type_name)
        name = node.name.value
        found = known.by_json.get(name)
        if found is not None:
            return self._plain(known.name, key, node, sets, depth, found)
        if known.kind == "resource":
            if name == "resourceType":
                return self._scalar(Field(key, name, "value", "code", node), sets)
            searching = self._search(type_name, key, node, sets, depth)
            if searching is not None:
                return searching
        if type_name == "Reference" and name == "resource":
            return self._resource(key, node, sets, depth)
        return self._extras(type_name, key, node, sets, depth)

    def _plain(
        self, holder: str, key: str, node: FieldNode, sets: Sets, depth: int, found: tuple[Element, str]
    ) -> Field:
        element, code = found
        if definitions().type(code).kind == "primitive":
            none_allowed(node, f"{holder}.{node.name.value} is a {code} and")
            return self._scalar(Field(key, node.name.value, "value", code, node, element.many), sets)
        chosen = element_filter(node, code, self.variables)
        field = Field(key, node.name.value, "element", code, node, element.many, filter=chosen)
        return self._selected(field, sets, code, depth)

    def _extras(self, type_name: str, key: str, node: FieldNode, sets: Sets, depth: int) -> Field | None:
        """Return `_name`: id and extensions of a primitive."""
        name = node.name.value
        found = definitions().type(type_name).by_json.get(name[1:]) if name.startswith("_") else None
        if found is None or definitions().type(found[1]).kind != "primitive":
            return None
        chosen = element_filter(node, "Element", self.variables)
        field = Field(key, name, "extras", "Element", node, found[0].many, filter=chosen)
        return self._selected(field, sets, "Element", depth)

    def _resource(self, key: str, node: FieldNode, sets: Sets, depth: int) -> Field:
        """Return `resource` of a Reference: what it points to."""
        found = arguments(node, self.variables)
        optional = found.pop("optional", (None, False))[1]
        argument, wanted = found.pop("type", (None, []))
        if found:
            name = next(iter(found))
            raise refused(
                found[name][0], f"GraphQL: 'resource' takes 'type' and 'optional', no '{name[:100]}'"
            )
        if not isinstance(optional, bool):
            raise refused(node, "GraphQL: 'optional' is true or false")
        types = tuple(wanted) if isinstance(wanted, list) else (wanted,)
        for one in types:
            if not definitions().is_resource(one):
                raise refused(argument, f"GraphQL: there is no resource type '{str(one)[:100]}'")
        field = Field(key, "resource", "resource", "Resource", node, types=types, optional=optional)
        return self._selected(field, sets, types[0] if len(types) == 1 else "Resource", depth)

    def _selected(self, field: Field, sets: Sets, type_name: str, depth: int) -> Field:
        if not sets:
            raise refused(field.node, f"GraphQL: '{field.name}' is a {type_name}: select what you want of it")
        field.selection = self.select(sets, type_name, depth + 1)
        return field

    @staticmethod
    def _scalar(field: Field, sets: Sets) -> Field:
        if sets:
            raise refused(field.node, f"GraphQL: '{field.name}' is a {field.type} and has nothing inside")
        if field.node.arguments:
            none_allowed(field.node, f"'{field.name}'")
        return field


def any_resource(type_name: str) -> bool:
    """Whether a value of the type may be any resource."""
    return type_name in ABSTRACT


def shown_name(type_name: str) -> str:
    """Return what `__typename` calls a type: 'PatientContact' for the backbone Patient.contact, as R4's schemas do."""
    head, *rest = type_name.split(".")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


@cache
def _shown() -> dict[str, str]:
    """Return {name in GraphQL: name in the definitions}."""
    return {
        shown_name(name): name for name, one in definitions().package.types.items() if one.kind != "primitive"
    }


def known_type(name: str) -> bool:
    """Whether a fragment may name the type `name`."""
    if name == QUERY or name in _shown():
        return True
    return any(definitions().is_resource(name.removesuffix(end)) for end in ("Connection", "Edge"))


def covers(wanted: str, type_name: str) -> bool:
    """Whether a value of `type_name` is a `wanted`, which may be the name of a type that it derives from."""
    if wanted == shown_name(type_name):
        return True
    name: str | None = _shown().get(wanted)
    known = definitions().package.types.get(type_name)
    while known is not None and known.base is not None:
        if known.base == name:
            return True
        known = definitions().package.types.get(known.base)
    return False
