"""The trees that validation walks: of R4's own types, and of profiles beyond them.

Source: http://hl7.org/fhir/R4/profiling.html, structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.definitions.structures import published_structure
from resources.profiles.nodes import Structure
from resources.profiles.prune import prune_profile, prune_type
from resources.profiles.snapshot import snapshot
from resources.profiles.tree import read

Json = dict[str, Any]
R4 = "http://hl7.org/fhir/StructureDefinition/"

_types: dict[str, Structure | None] = {}


def structure_of(type_name: str) -> Structure | None:
    """Return the tree of an R4 resource or data type, kept for the process; None where R4 has no such type.

    Shape:  shared: not to be changed; the invariants that every element's own type has (ele-1, ext-1) stand only there
    """
    if type_name not in _types:
        found = published_structure(R4 + type_name)
        known = found is not None and found.get("derivation") != "constraint" and "snapshot" in found
        tree = read(found) if found is not None and known else None
        if tree is not None:
            prune_type(tree)
        if tree is None and len(_types) > 1000:
            return None
        _types[type_name] = tree
    return _types[type_name]


def build(definition: Json, beyond: Structure | None = None) -> Structure:
    """Return the tree of a StructureDefinition with snapshot, pruned of what the tree `beyond` (its base type) says.

    Shape:  without `beyond`, all rules are kept. With it, 'says nothing' is: `min` 0, `max` None, `types` (),
            no binding, no constraints. A slice keeps its types and its own cardinality; below it, what the element
            that it is a slice of says is left out too, for that is asked of every item of it
    Errors: FhirError(422) where there is no snapshot or its elements make no tree
    """
    structure = read(definition)
    if beyond is not None:
        prune_profile(structure, beyond, structure_of)
    return structure


def compiled(definition: Json, lookup: Callable[[str], Json | None]) -> Structure:
    """Return the pruned tree of a StructureDefinition as it is stored: its snapshot is made where it has none.

    Shape:  `lookup` gives whole StructureDefinitions by canonical, for the snapshot only: the chain of its bases, and
            profiles of types below which the differential goes (None: the type itself is taken); R4's own are known
    Errors: FhirError(422) where a base is unknown, or the differential cannot be
    """
    whole = definition if definition.get("snapshot", {}).get("element") else snapshot(definition, lookup)
    return build(whole, structure_of(definition["type"]))
