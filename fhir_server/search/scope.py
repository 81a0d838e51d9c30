"""What a search looks through: one resource type, several, all, or those of a compartment.

Source: http://hl7.org/fhir/R4/http.html#search, http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from resources.definitions import definitions
from resources.outcome import FhirError

COMPARTMENTS = ("Patient", "Encounter", "RelatedPerson", "Practitioner", "Device")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a search looks.

    Shape:  `types` are one at least, in R4's alphabetical order; `path` is the address below the base that links
            repeat; `owner` is the (type, id) whose compartment holds every match
    """

    types: tuple[str, ...]
    path: str
    owner: tuple[str, str] | None = None


def scope_of(path: str) -> Scope:
    """Return what the path of a search names: '' (all types), 'Type', 'Type/id/Type' or 'Type/id/*'.

    Shape:  a last segment `_search` says how the search was sent, and counts for nothing
    Errors: 404 not-supported for what is no resource type, no compartment, or not in it
    """
    parts = [part for part in path.split("/") if part]
    if parts and parts[-1] == "_search":
        parts.pop()
    if not parts:
        return Scope(tuple(definitions().resource_types), "")
    if len(parts) == 3:
        return _compartment(*parts)
    if len(parts) != 1:
        raise FhirError(404, "not-found", f"There is nothing to search at '{path[:200]}'")
    return Scope((require_type(parts[0]),), parts[0])


def _compartment(owner: str, id_: str, member: str) -> Scope:
    if owner not in COMPARTMENTS:
        text = f"'{owner[:64]}' is not a compartment; these are: {', '.join(COMPARTMENTS)}"
        raise FhirError(404, "not-supported", text)
    held = tuple(sorted({owner, *definitions().compartment(owner)}))
    if member == "*":
        return Scope(held, f"{owner}/{id_}/*", (owner, id_))
    if require_type(member) not in held:
        raise FhirError(404, "not-supported", f"{member} is not in the {owner} compartment of R4")
    return Scope((member,), f"{owner}/{id_}/{member}", (owner, id_))


def narrowed(scope: Scope, value: str) -> Scope:
    """Return `scope` held to the types that a `_type` lists.

    Errors: 400 invalid for what is no resource type, or where none of them is searched
    """
    names = [name.strip() for name in value.split(",") if name.strip()]
    wrong = next((name for name in names if not definitions().is_resource(name)), None)
    if wrong is not None or not names:
        raise FhirError(400, "invalid", f"'{(wrong or value)[:100]}' in _type is not a resource type of R4")
    types = tuple(name for name in scope.types if name in names)
    if not types:
        raise FhirError(
            400, "invalid", f"_type={value[:100]} leaves nothing to search: no such type is in question"
        )
    return replace(scope, types=types)


def require_type(name: str) -> str:
    """Return `name` if it is a resource type; raises FhirError 404."""
    if not definitions().is_resource(name):
        raise FhirError(404, "not-supported", f"'{name[:100]}' is not a resource type of R4")
    return name
