"""What search knows of one parameter: where its values lie, and under which numbers they are filed."""

from __future__ import annotations

from dataclasses import dataclass, field

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

    Shape:  `place`: column | post | token | string | main | date | number | reference | refused;
            `parts` are the places to look in: its own, or those of the parameters that it is the union of;
            `reason` says why it is refused; `computed` that the FHIRPath engine evaluates it;
            `covered` are the elements of its HumanName or Address that other parameters file;
            `custom` that a stored SearchParameter defines it, `url` being its address
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

    @property
    def narrowed(self) -> bool:
        """Whether it takes only references to some type from what another parameter files."""
        return not self.stored and any(part.resolves for part in self.parts)


@dataclass(frozen=True, slots=True)
class TypeSearch:
    """Everything search knows of one resource type."""

    name: str
    params: dict[str, Param]
    main: Param | None
    patient_path: str
    by_id: dict[int, Param] = field(default_factory=dict)
