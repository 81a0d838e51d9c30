"""A StructureDefinition as validation walks it: one node for each element, slices beside it.

Source: http://hl7.org/fhir/R4/elementdefinition.html, profiling.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Strength = Literal["required", "extensible", "preferred", "example"]
Rules = Literal["closed", "open", "openAtEnd"]


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One type that an element may have."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    aggregation: tuple[str, ...] = ()
    versioning: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """The value set of an element; `largest` is the value set of the extension elementdefinition-maxValueSet."""

    strength: Strength
    valueset: str
    largest: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One invariant; `best_practice` ones are warnings that may be turned off."""

    key: str
    severity: Literal["error", "warning"]
    human: str
    expression: str
    source: str = ""
    best_practice: bool = False


@dataclass(frozen=True, slots=True)
class Discriminator:
    """How slices are told apart. Shape: `type` as in R4, `path` the restricted FHIRPath."""

    type: Literal["value", "exists", "pattern", "type", "profile"]
    path: str


@dataclass(slots=True, eq=False)
class Slicing:
    """The slicing of an element, with its slices in order; a slice's own `slicing` slices it again."""

    discriminators: tuple[Discriminator, ...]
    rules: Rules
    ordered: bool
    slices: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Node:
    """One element.

    Shape:  `id` as in the snapshot ('Observation.component:systolic.value[x]'), `path` without slice names, `name`
            without [x]; `max` None means unbounded; `many`: JSON writes an array (by the base definition);
            `fixed`, `pattern`, `least`, `greatest` are (type, value as in JSON); `types` empty for a root;
            `children` by name, empty where the structure says nothing beyond the element's type; `holder` is the
            name of the R4 TypeDef with the children of a backbone element or content reference;
            in the tree of a profile, rules that its base type already has are left out ('says nothing' is then
            `min` 0, `max` None, `types` (), no binding); a slice keeps its types and its own cardinality, and what
            its unsliced element says is left out of it; what a profile says of an element does not hold for a
            content reference to it, unless the snapshot says it there too
    """

    id: str
    path: str
    name: str
    min: int = 0
    max: int | None = None
    many: bool = False
    choice: bool = False
    types: tuple[TypeRef, ...] = ()
    holder: str = ""
    fixed: tuple[str, Any] | None = None
    pattern: tuple[str, Any] | None = None
    least: tuple[str, Any] | None = None
    greatest: tuple[str, Any] | None = None
    longest: int | None = None
    binding: Binding | None = None
    constraints: tuple[Constraint, ...] = ()
    must_support: bool = False
    modifier: bool = False
    default_slice: bool = False
    slice_name: str = ""
    slicing: Slicing | None = None
    children: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Structure:
    """A compiled StructureDefinition.

    Shape:  `type` is the R4 type that it constrains, `kind` as in R4; `context` of an extension as
            (type, expression); `size` the number of its elements; `plan` is what validation made of the tree
    """

    url: str
    version: str
    name: str
    type: str
    kind: str
    derivation: str
    abstract: bool
    base: str
    root: Node
    context: tuple[tuple[str, str], ...] = ()
    context_invariants: tuple[str, ...] = ()
    size: int = 0
    plan: Any = None
