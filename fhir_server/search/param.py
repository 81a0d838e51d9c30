"""What search knows of one parameter: where its values lie, and under which numbers they are filed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from fhir_server.search.paths import Path


@dataclass(frozen=True, slots=True)
class Part:
    """One place that answers a parameter: the number its values are filed under, and what they are narrowed to.

    Shape:  `resolves` keeps references to one resource type only; `patient` says that references to a Patient are
            the row's `pid`, not edges; `post` that its tokens are postings
    """

    id: int
    path: str
    resolves: str = ""
    patient: bool = False
    post: bool = False


@dataclass(frozen=True, slots=True)
class Param:
    """One search parameter of one resource type.

    Shape:  `place`: column | post | token | string | main | date | number | reference | position | composite | text |
            score | groups | refused;
            `parts` are the places to look in: its own, or those of the parameters that it is the union of;
            `reason` says why it is refused; `computed` that the FHIRPath engine evaluates it;
            `covered` are the elements of its HumanName or Address that other parameters file;
            `custom` that a stored SearchParameter defines it, `url` being its address;
            `merged` are the parameters of several types that this one stands for, and `groups` those that it must be
            asked in, since they differ (`place` is then `groups`);
            of a composite: `pairings` are the places where its components stand together, and `implied` are, one for
            each component, parameters that every match passes on their own (None where there is none)
    """

    type: str
    code: str
    kind: str
    expression: str
    id: int
    place: str
    paths: tuple[Path, ...] = ()
    parts: tuple[Part, ...] = ()
    targets: tuple[str, ...] = ()
    reason: str = ""
    stored: bool = True
    computed: bool = False
    covered: frozenset[str] = frozenset()
    url: str = ""
    custom: bool = False
    merged: tuple[Param, ...] = ()
    groups: tuple[Param, ...] = ()
    pairings: tuple[Pairing, ...] = ()
    implied: tuple[Param | None, ...] = ()

    @property
    def narrowed(self) -> bool:
        """Whether it takes only references to some type from what another parameter files."""
        return not self.stored and any(part.resolves for part in self.parts)

    @property
    def types(self) -> tuple[str, ...]:
        """The resource types that it is a parameter of."""
        return tuple(param.type for param in self.merged) or (self.type,)

    @property
    def ids(self) -> tuple[int, ...]:
        """The numbers that it has itself, whatever answers it."""
        return tuple(param.id for param in self.merged) or (self.id,)


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a composite at one place.

    Shape:  `param` reads its values there and files them under a number of its own; `root` says that it reads them
            from the resource (`%resource`) and not from the element
    """

    param: Param
    root: bool = False


@dataclass(frozen=True, slots=True)
class Pairing:
    """One place where the components of a composite stand together: the instances of an element.

    Shape:  `id` is the number that its rows are filed under, and by which its presence is noted;
            `path` leads to the element, None: it is the resource itself, or an engine evaluates `expression`;
            `tests`, if any, are parameters of the resource whose tests, all together and with the presence, mean the
            same: then there are no rows, and present it is with the values of `tests` where `guards` are members
    """

    id: int
    components: tuple[Component, ...]
    path: Path | None = None
    expression: str = ""
    tests: tuple[Param, ...] = ()
    guards: tuple[frozenset[str], ...] = ()


_taken: ContextVar[dict[int, Param] | None] = ContextVar("taken", default=None)


class Params(dict[str, Param]):
    """The parameters of a type by code. Who takes a stored one out has it noted, since it may not be indexed yet."""

    def get(self, code: str, default: Any = None) -> Any:
        """Return the parameter `code`."""
        return _note(super().get(code, default))

    def __getitem__(self, code: str) -> Param:
        found: Param = _note(super().__getitem__(code))
        return found

    def values(self) -> Any:
        """Return all parameters."""
        return [_note(param) for param in super().values()]


def _note(param: Any) -> Any:
    taken = _taken.get()
    if taken is not None and param is not None and param.custom:
        taken[param.id] = param
    return param


@contextmanager
def taking() -> Iterator[dict[int, Param]]:
    """Lend the stored parameters, by number, that are looked up meanwhile."""
    taken: dict[int, Param] = {}
    token = _taken.set(taken)
    try:
        yield taken
    finally:
        _taken.reset(token)


@dataclass(frozen=True, slots=True)
class TypeSearch:
    """Everything search knows of one resource type, or of `several`, whose common parameters these are."""

    name: str
    params: Mapping[str, Param]
    main: Param | None
    patient_path: str
    by_id: dict[int, Param] = field(default_factory=dict)
    several: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The resource types in question."""
        return self.several or (self.name,)
