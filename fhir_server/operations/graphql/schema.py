"""The GraphQL schema that introspection shows: R4's types, their searches, connections and directives.

Queries for data are run over the definitions, not over this schema: it only tells clients what they may write. It has
the types of literals as R4's page writes them, `use: official` beside `use: "official"`.
Source: http://hl7.org/fhir/R4/graphql.html#schema, https://spec.graphql.org/October2021/#sec-Schema-Introspection
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache, partial
from typing import Any

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLString,
)

from fhir_server.operations.graphql.arguments import argument_names
from fhir_server.operations.graphql.fields import ABSTRACT, CONNECTION, EDGE, QUERY, shown_name
from fhir_server.search.context import follow
from fhir_server.search.param import Param
from fhir_server.search.registry import Epoch, registry
from resources.definitions import Element, TypeDef, definitions

Fields = dict[str, GraphQLField]
Args = dict[str, GraphQLArgument]
_ANY = "Resource"
_REFUSED = "refused"
_NAME = re.compile(r"_?[A-Za-z][_0-9A-Za-z]*")
_ALL = 100
"""A parameter that can refer to more types than these can refer to just any resource."""

_PATHS = {name: GraphQLArgument(GraphQLString) for name in ("path", "fhirpath")}
_DIRECTIVES = (
    GraphQLSkipDirective,
    GraphQLIncludeDirective,
    *(GraphQLDirective(name, (DirectiveLocation.FIELD,)) for name in ("flatten", "first", "singleton")),
    GraphQLDirective("slice", (DirectiveLocation.FIELD,), _PATHS),
)


class Types:
    """The types of the schema; the fields of each are made when they are first looked at."""

    def __init__(self) -> None:
        self._named: dict[str, GraphQLObjectType | GraphQLInterfaceType] = {}
        self._scalars: dict[str, GraphQLScalarType] = {}
        self._filters: dict[str, Args] = {}
        self._searches: dict[str, Args] = {}
        self._pages: dict[str, GraphQLObjectType] = {}
        self._schemas: dict[str, GraphQLSchema] = {}

    @cached_property
    def query(self) -> GraphQLObjectType:
        """The root at system level."""
        return GraphQLObjectType(QUERY, self._system)

    @cached_property
    def resources(self) -> list[GraphQLObjectType]:
        """All types of resources."""
        found = [self.of(name) for name in definitions().resource_types]
        return [one for one in found if isinstance(one, GraphQLObjectType)]

    def schema(self, root: str) -> GraphQLSchema:
        """Return the schema whose queries start at `root`: 'Query', or the type of a resource."""
        found = self._schemas.get(root)
        if found is None:
            query = self.query if root == QUERY else self.of(root)
            assert isinstance(query, GraphQLObjectType)
            found = GraphQLSchema(query, types=self.resources, directives=_DIRECTIVES)
            self._schemas[root] = found
        return found

    def of(self, name: str) -> GraphQLObjectType | GraphQLInterfaceType:
        """Return the type of a resource, datatype or backbone; abstract resources are interfaces."""
        found = self._named.get(name)
        if found is None:
            found = self._named[name] = self._made(definitions().type(name))
        return found

    def scalar(self, name: str) -> GraphQLScalarType:
        """Return the type of a primitive or of a search parameter's values: the library takes any literal."""
        found = self._scalars.get(name)
        if found is None:
            found = self._scalars[name] = GraphQLScalarType(name)
        return found

    @cached_property
    def _resource_type(self) -> GraphQLEnumType:
        return GraphQLEnumType("ResourceType", {name: name for name in definitions().resource_types})

    def _made(self, known: TypeDef) -> GraphQLObjectType | GraphQLInterfaceType:
        name = shown_name(known.name)
        if known.name in ABSTRACT:
            return GraphQLInterfaceType(name, partial(self._elements, known), partial(self._bases, known))
        return GraphQLObjectType(name, partial(self._elements, known), partial(self._bases, known))

    def _bases(self, known: TypeDef) -> list[GraphQLInterfaceType]:
        """Return the abstract resources that a type derives from."""
        found: list[GraphQLInterfaceType] = []
        while known.base is not None:
            known = definitions().type(known.base)
            one = self.of(known.name) if known.name in ABSTRACT else None
            if isinstance(one, GraphQLInterfaceType):
                found.append(one)
        return found

    def _elements(self, known: TypeDef) -> Fields:
        """Return the fields of a type: elements, `_name` of primitives, and what resources and references have."""
        found: Fields = {}
        for name, (element, code) in known.by_json.items():
            found[name] = self._element(element, code)
            if definitions().type(code).kind == "primitive":
                found["_" + name] = self._element(element, "Element")
        if known.name == "Reference":
            found["resource"] = GraphQLField(self.of(_ANY), self._resource_args())
        if known.kind == "resource":
            found["resourceType"] = GraphQLField(self.scalar("code"))
        if definitions().is_resource(known.name):
            found |= self._reverse(known.name)
        return found

    def _element(self, element: Element, code: str) -> GraphQLField:
        if definitions().type(code).kind == "primitive":
            scalar = self.scalar(code)
            return GraphQLField(_many(scalar) if element.many else scalar)
        inside = self.of(code)
        return GraphQLField(_many(inside), self._filter(code)) if element.many else GraphQLField(inside)

    def _filter(self, code: str) -> Args:
        """Return the arguments of a list of elements: its primitives, FHIRPath, offset and count."""
        known = self._filters.get(code)
        if known is None:
            known = self._filters[code] = self._chosen(code)
        return known

    def _chosen(self, code: str) -> Args:
        found = {
            name: GraphQLArgument(GraphQLList(self.scalar(one)))
            for name, (_, one) in definitions().type(code).by_json.items()
            if definitions().type(one).kind == "primitive"
        }
        return found | _whole("_offset", "_count") | {"fhirpath": GraphQLArgument(GraphQLString)}

    def _resource_args(self) -> Args:
        return {
            "type": GraphQLArgument(GraphQLList(self._resource_type)),
            "optional": GraphQLArgument(GraphQLBoolean),
        }

    def _system(self) -> Fields:
        """Return what can be asked for at system level: a resource by id, lists and connections."""
        found: Fields = {}
        for name in definitions().resource_types:
            one = {"id": GraphQLArgument(GraphQLNonNull(self.scalar("id")))}
            found[name] = GraphQLField(self.of(name), one)
            found |= self._searching(name, self._search(name), self._cursors)
        return found

    @cached_property
    def _cursors(self) -> Args:
        return {name: GraphQLArgument(self.scalar("string")) for name in ("_cursor", "cursor")}

    def _searching(self, name: str, args: Args, more: Args) -> Fields:
        paged = {key: one for key, one in args.items() if key != "_offset"} | more
        return {
            f"{name}List": GraphQLField(_many(self.of(name)), args),
            f"{name}Connection": GraphQLField(self._connection(name), paged),
        }

    def _reverse(self, focus: str) -> Fields:
        """Return the searches for what refers to a resource of type `focus`, by parameters that name this type."""
        found: Fields = {}
        needed = {"_reference": GraphQLArgument(GraphQLNonNull(self.scalar("code")))}
        for name in definitions().resource_types:
            if any(_names(param, focus) for param in registry(name).params.values()):
                found |= self._searching(name, needed | self._search(name), {})
        return found

    def _search(self, name: str) -> Args:
        """Return the arguments of a search."""
        known = self._searches.get(name)
        if known is None:
            known = self._searches[name] = self._asked(name)
        return known

    def _asked(self, name: str) -> Args:
        params = registry(name).params
        found = {
            argument: GraphQLArgument(GraphQLList(self.scalar(params[code].kind)))
            for argument, code in argument_names(name).items()
            if params[code].place != _REFUSED and _NAME.fullmatch(argument)
        }
        texts: Args = {"_filter": GraphQLArgument(self.scalar("string"))}
        texts["_sort"] = GraphQLArgument(GraphQLList(self.scalar("string")))
        return found | texts | _whole("_offset", "_count") | {"fhirpath": GraphQLArgument(GraphQLString)}

    def _connection(self, name: str) -> GraphQLObjectType:
        known = self._pages.get(name)
        if known is None:
            known = self._pages[name] = self._paged(name)
        return known

    def _paged(self, name: str) -> GraphQLObjectType:
        edge: Fields = {key: GraphQLField(self.scalar(code)) for key, code in EDGE.items()}
        edge["resource"] = GraphQLField(self.of(name))
        page: Fields = {key: GraphQLField(self.scalar(code)) for key, code in CONNECTION.items()}
        page["edges"] = GraphQLField(_many(GraphQLObjectType(f"{name}Edge", edge)))
        return GraphQLObjectType(f"{name}Connection", page)


def schema(root: str) -> GraphQLSchema:
    """Return the schema of the search parameters served now, whose queries start at `root`."""
    return _types(Epoch.value).schema(root)


@lru_cache(maxsize=1)
def _types(epoch: int) -> Types:  # noqa: ARG001 - the key
    return Types()


follow(_types.cache_clear)


def _many(inside: GraphQLOutputType) -> GraphQLList[Any]:
    return GraphQLList(inside)


def _whole(*names: str) -> Args:
    return {name: GraphQLArgument(GraphQLInt) for name in names}


def _names(param: Param, focus: str) -> bool:
    """Whether a parameter is made for references to resources of type `focus`."""
    return (
        param.kind == "reference"
        and param.place != _REFUSED
        and focus in param.targets
        and len(param.targets) <= _ALL
    )
