"""What is inside an element whose definition stands elsewhere: in its type, its type's profile, a content reference.

Source: http://hl7.org/fhir/R4/profiling.html#snapshot, elementdefinition.html#contentReference
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.definitions.structures import published_structure
from resources.outcome import FhirError
from resources.profiles.snapshot.elements import Branch, planted

Json = dict[str, Any]
Find = Callable[[str], Json | None]
R4 = "http://hl7.org/fhir/StructureDefinition/"


class Library:
    """Whole trees by canonical: `find` gives StructureDefinitions, `complete` makes their snapshots."""

    def __init__(self, find: Find, complete: Callable[[Json], Json]) -> None:
        self._find = find
        self._complete = complete
        self._trees: dict[str, Branch | None] = {}

    def definition(self, canonical: str) -> Json | None:
        """Return a StructureDefinition with snapshot: what is stored, else R4's own; None where there is none."""
        found = self._find(canonical) or published_structure(canonical)
        return None if found is None else self._complete(found)

    def tree(self, canonical: str) -> Branch | None:
        """Return the tree of a StructureDefinition: shared, not to be changed."""
        if canonical not in self._trees:
            found = self.definition(canonical)
            elements = found.get("snapshot", {}).get("element") if found else None
            self._trees[canonical] = planted(elements) if elements else None
        return self._trees[canonical]

    def unfold(self, own: Branch) -> None:
        """Give an element the children that its content reference, its profile or its type has."""
        if own.children:
            return
        reference = own.json.get("contentReference", "")
        source = self._referenced(reference) if reference else self._typed(own)
        if source is None:
            return
        own.children = {name: child.copy() for name, child in source.children.items()}
        if reference:
            own.json = {k: v for k, v in own.json.items() if k != "contentReference"} | {
                "type": source.types()
            }

    def _referenced(self, reference: str) -> Branch | None:
        """Return the element that a content reference means, as its own type has it: rules of a profile stay there."""
        path = reference.partition("#")[2]
        first, *names = path.split(".")
        found = self.tree(R4 + first)
        for name in names:
            found = found.children.get(name) if found else None
        return found

    def _typed(self, own: Branch) -> Branch | None:
        types = own.types()
        codes = {t["code"] for t in types}
        if len(codes) != 1:
            return self.tree(R4 + "Element")
        profiles = [p for t in types for p in t.get("profile", ())]
        if len(profiles) == 1:
            found = self.tree(profiles[0])
            if found is not None:
                return found
        code = codes.pop()
        return self.tree(code if ":" in code else R4 + code)


def unknown(canonical: str, of: str) -> FhirError:
    """Return the error of a base that is not there."""
    return FhirError(
        422,
        "not-found",
        f"{of}: baseDefinition {canonical} is not known",
        "StructureDefinition.baseDefinition",
    )
