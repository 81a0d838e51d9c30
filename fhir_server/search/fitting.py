"""Which values a parameter of a type takes, and the paths of a stored parameter held to these.

Source: http://hl7.org/fhir/R4/search.html#table
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fhir_server.search.paths import Path, Step
from resources.definitions import definitions

_ADDRESSES = ("uri", "url", "canonical", "oid", "uuid")

_QUANTITIES = ("Quantity", "Age", "Count", "Distance", "Duration", "Money", "Range", "SampledData")
_PLAIN = ("boolean", "code", "id", "string", *_ADDRESSES)

TAKEN: dict[str, frozenset[str]] = {
    "date": frozenset({"date", "dateTime", "instant", "Period", "Timing"}),
    "number": frozenset({"integer", "decimal", "positiveInt", "unsignedInt", "Range"}),
    "quantity": frozenset(_QUANTITIES),
    "reference": frozenset({"Reference", "Resource", "canonical", "uri"}),
    "string": frozenset({"string", "markdown", "code", "id", "HumanName", "Address", *_ADDRESSES}),
    "token": frozenset({*_PLAIN, "CodeableConcept", "Coding", "ContactPoint", "Identifier"}),
    "uri": frozenset(_ADDRESSES),
}
"""Type of a parameter → the FHIR types that it finds values in."""


def fitted(kind: str, found: Iterable[Path]) -> tuple[Path, ...]:
    """Return `found` held to the types that a parameter of `kind` takes, empty where that leaves nothing.

    A path that ends at an extension goes on to its value; a token that ends at the code of a Coding takes the Coding,
    so that it can be asked for with its system.
    """
    return tuple(path for each in found for path in _fitted(kind, each))


def _fitted(kind: str, path: Path) -> Iterator[Path]:
    if "Extension" in path.types:
        path = _valued(path)
    if kind == "token" and _is_code_of_coding(path):
        steps = path.steps[:-1]
        path = Path(steps, None, "")
    last = path.steps[-1]
    if last.kind == "get":
        keys = tuple((key, name) for key, name in last.keys if name in TAKEN.get(kind, ()))
        steps = (*path.steps[:-1], replace(last, keys=keys))
        if keys:
            yield Path(
                steps, path.element, Path(steps, None, "").unfiltered if not path.resolves else path.text
            )
    elif set(path.types) & TAKEN.get(kind, frozenset()):
        yield path


def _valued(path: Path) -> Path:
    element = definitions().type("Extension").elements["value"]
    return Path((*path.steps, Step("get", element.json_keys(), element.many)), element, path.text)


def _is_code_of_coding(path: Path) -> bool:
    if len(path.steps) < 2 or path.steps[-1].kind != "get" or path.steps[-2].kind != "get":
        return False
    owners = {name for _, name in path.steps[-2].keys}
    return owners == {"Coding"} and path.steps[-1].keys == (("code", "code"),)
