"""Validation by profiles made in the test: differentials in, issues out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from resources.definitions.structures import published_structure
from resources.outcome import Issue
from resources.profiles.build import compiled, structure_of
from resources.profiles.nodes import Structure
from resources.validate.asks import PENDING, Coded, Pending, Target, Verdict
from resources.validate.options import Options
from resources.validate.validator import validate

Json = dict[str, Any]
R4 = "http://hl7.org/fhir/StructureDefinition/"
MINE = "http://example.com/StructureDefinition/"
UNKNOWN = Verdict(None, "unknown-system", "the code system is not loaded")


def profile(name: str, type_name: str, *elements: Json, base: str = "", **more: Any) -> Json:
    """Return a profile of a type with a differential; ids are made from path and sliceName where they have none."""
    return {
        "resourceType": "StructureDefinition",
        "url": MINE + name,
        "name": name,
        "status": "active",
        "kind": "complex-type" if type_name[0].islower() or type_name == "Extension" else "resource",
        "abstract": False,
        "type": type_name,
        "baseDefinition": base or R4 + type_name,
        "derivation": "constraint",
        "differential": {"element": [{"id": element_id(e), **e} for e in elements]},
    } | more


def element_id(element: Json) -> str:
    """Return 'path:sliceName' of an element."""
    path: str = element["path"]
    return f"{path}:{element['sliceName']}" if "sliceName" in element else path


class Known:
    """Asks that know the profiles, codes and targets of a test; `pending` ones are not answered yet."""

    def __init__(
        self,
        profiles: Iterable[Json] = (),
        codes: Mapping[tuple[str, str], Verdict] | None = None,
        targets: Mapping[str, Target] | None = None,
        pending: Iterable[str] = (),
    ) -> None:
        self.definitions = {each["url"]: each for each in profiles}
        self.codes, self.targets, self.pending = codes or {}, targets or {}, set(pending)
        self.made: dict[str, Structure] = {}

    def structure(self, canonical: str, /) -> Structure | Pending | None:
        if canonical in self.pending:
            return PENDING
        if canonical not in self.made:
            found = self.definitions.get(canonical)
            if found is None and canonical.startswith(R4):
                plain = structure_of(canonical.removeprefix(R4))
                if plain is not None:
                    return plain
                found = published_structure(canonical)
            if found is None:
                return None
            self.made[canonical] = compiled(
                found, lambda url: self.definitions.get(url) or published_structure(url)
            )
        return self.made[canonical]

    def coded(self, question: Coded, /) -> Verdict | Pending:
        return self.codes.get((question.valueset, question.code), UNKNOWN)

    def target(self, reference: str, /) -> Target | Pending | None:
        return PENDING if reference in self.pending else self.targets.get(reference)


def told(resource: Json, *profiles: Json, options: Options | None = None, **known: Any) -> list[Issue]:
    """Return what validation says of a resource that must conform to the first of the profiles."""
    asks = Known(profiles, **known)
    if options is None:
        options = Options(profiles=tuple(each["url"] for each in profiles[:1]))
    return [each for each in validate(resource, asks, options) if each.id not in QUIET]


QUIET = {"code-unknown-system", "valueset-unknown"}
"""What every test of this kind says, since no code system is loaded."""


def pairs(issues: Iterable[Issue]) -> list[tuple[str, str]]:
    """Return (id, expression) of issues."""
    return [(each.id, each.expression[0] if each.expression else "") for each in issues]
