"""Make the snapshot of a StructureDefinition from its differential.

Source: http://hl7.org/fhir/R4/profiling.html#snapshot
"""

from __future__ import annotations

from typing import Any

from resources.outcome import FhirError
from resources.profiles.snapshot.apply import Differential
from resources.profiles.snapshot.elements import written
from resources.profiles.snapshot.types import Find, Library, unknown

Json = dict[str, Any]
_DEPTH = 32
"""How many profiles may stand on each other: guides have less than ten."""


def snapshot(definition: Json, find: Find) -> Json:
    """Return the StructureDefinition with a snapshot made from its differential, whatever snapshot it had.

    Shape:  `find` gives StructureDefinitions by canonical (`url` or `url|version`); R4's own are known. Needed are
            the chain of baseDefinitions, and the profiles of types below which the differential goes (where one is
            not given, its type is taken)
    Errors: FhirError(422) with an issue for each element that cannot be, or where a base is unknown or circular
    """
    return _Generator(find).made(definition, ())


class _Generator:
    def __init__(self, find: Find) -> None:
        self._find = find

    def made(self, definition: Json, line: tuple[str, ...]) -> Json:
        url, base = definition.get("url", ""), definition.get("baseDefinition", "")
        if not base:
            raise FhirError(422, "invalid", f"{url} has no baseDefinition to make a snapshot from")
        if definition.get("derivation") == "specialization":
            raise FhirError(422, "not-supported", f"{url} defines a new type: its snapshot must come with it")
        if url in line or len(line) >= _DEPTH:
            raise FhirError(
                422, "invalid", f"{' → '.join((*line, url))}: the definitions go round in a circle"
            )
        library = Library(self._find, lambda found: self._complete(found, (*line, url)))
        root = library.tree(base)
        if root is None:
            raise unknown(base, url)
        own = root.copy()
        own.name = str(definition.get("type", own.name)).rpartition("/")[2]
        differential = Differential(own, url, library)
        differential.apply(definition.get("differential", {}).get("element", []))
        if differential.issues:
            raise FhirError(422, issues=differential.issues)
        return {**definition, "snapshot": {"element": written(own)}}

    def _complete(self, found: Json, line: tuple[str, ...]) -> Json:
        if found.get("snapshot", {}).get("element"):
            return found
        return self.made(found, line)
