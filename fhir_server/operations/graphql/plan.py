"""What a query asks for, compiled: fields over FHIR elements, references and searches, with their directives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from graphql.language import FieldNode

from resources.fhirpath import Expression

Json = dict[str, Any]
Kind = Literal["value", "extras", "element", "typename", "resource", "read", "list", "connection", "member"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which elements of a field are taken: those that match, then from `offset` on at most `count`.

    Shape:  `wanted` are (JSON key, type, values of which one has to be there)
    """

    wanted: tuple[tuple[str, str, tuple[Any, ...]], ...] = ()
    path: Expression | None = None
    offset: int = 0
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """A search as a field asks for it.

    Shape:  `pairs` as in a query string; `reference` is the parameter that has to name the resource around, '' at
            the root; `path` filters the matches; `cursor` is a page of an earlier answer
    """

    type: str
    pairs: tuple[tuple[str, str], ...] = ()
    reference: str = ""
    path: Expression | None = None
    offset: int = 0
    count: int | None = None
    cursor: str = ""


@dataclass(slots=True)
class Field:
    """One field of a selection.

    Shape:  `key` is its name in the answer, `name` in the data; `kind` says where values come from: the data
            ('value', 'extras' of a primitive, 'element', 'member' of a connection), the type ('typename'), what a
            reference points to ('resource'), or the database ('read', 'list', 'connection'); `type` is the FHIR type
            that collated values must share; `selection` gives the fields of a value of some type, None for scalars
    """

    key: str
    name: str
    kind: Kind
    type: str
    node: FieldNode
    many: bool = False
    selection: Callable[[str], list[Field]] | None = None
    filter: Filter | None = None
    search: Search | None = None
    types: tuple[str, ...] = ()
    optional: bool = False
    id: str = ""
    flatten: bool = False
    first: bool = False
    singleton: bool = False
    slice: Expression | None = None
    members: frozenset[str] = field(default_factory=frozenset)


class Home:
    """The resource that an element belongs to: what `#id` and a Bundle's addresses are looked up in.

    Shape:  `identity` is (type, id) of a resource of this server, None for one inside of another; `full_url` is the
            address of an entry of a Bundle; `around` is the home of the resource that holds this one
    """

    __slots__ = ("around", "full_url", "identity", "resource")

    def __init__(self, resource: Json, identity: tuple[str, str] | None, full_url: str = "") -> None:
        self.resource = resource
        self.identity = identity
        self.full_url = full_url
        self.around: Home | None = None


class Obj:
    """A value with something inside: its JSON, the resource it belongs to, and its fields as far as gathered.

    Shape:  `home` is where its references start from; `own` is its identity where it is itself a resource of this
            server, so that others may refer to it
    """

    __slots__ = ("branches", "home", "json", "own", "type")

    def __init__(self, type_name: str, json: Json, home: Home, own: tuple[str, str] | None = None) -> None:
        self.type = type_name
        self.json = json
        self.home = home
        self.own = own
        self.branches: list[Branch] = []


class Branch:
    """The values of one field of one object: scalars as they are, or `Obj`; `kept` even when there are none."""

    __slots__ = ("field", "kept", "labels", "values")

    def __init__(self, field: Field) -> None:
        self.field = field
        self.values: list[Any] = []
        self.labels: list[str] | None = None
        self.kept = False
