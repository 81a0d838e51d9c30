"""OperationDefinitions of our own operations, read at `[base]/OperationDefinition/<name>` without being stored.

Source: http://hl7.org/fhir/R4/operationdefinition.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fhir_server.operations import OPERATIONS, Operation
from fhir_server.version import CANONICAL, RELEASED, VERSION


class Parameter(NamedTuple):
    """One parameter of an operation."""

    name: str
    use: str
    min: int
    max: str
    type: str
    documentation: str


_DESCRIBED: dict[str, tuple[str, tuple[Parameter, ...]]] = {}


def describe(name: str, text: str, parameters: tuple[Parameter, ...]) -> None:
    """Add what the definition of the operation `name` says about it."""
    _DESCRIBED[name] = text, parameters


def definition(id_: str, base: str) -> dict[str, Any] | None:
    """Return the OperationDefinition with an id, None where no operation of ours is called so."""
    url = f"{CANONICAL}/OperationDefinition/{id_}"
    found = next((one for one in OPERATIONS.values() if one.definition == url), None)
    return _written(found, id_, base) if found is not None else None


def address(definition_url: str, base: str) -> str:
    """Return where the definition of an operation is to be read: our own here, those of others at their own url."""
    own = definition_url.removeprefix(CANONICAL)
    return base + own if own != definition_url else definition_url


def _written(operation: Operation, id_: str, base: str) -> dict[str, Any]:
    text, parameters = _DESCRIBED.get(operation.name, ("An operation of this server", ()))
    return {
        "resourceType": "OperationDefinition",
        "id": id_,
        "url": address(operation.definition, base),
        "version": VERSION,
        "name": id_.title().replace("-", ""),
        "status": "active",
        "kind": "operation",
        "date": RELEASED,
        "description": text,
        "affectsState": operation.affects_state,
        "code": operation.name.lstrip("$"),
        **({"resource": sorted(operation.types)} if operation.types else {"resource": ["Resource"]}),
        "system": "system" in operation.levels,
        "type": "type" in operation.levels,
        "instance": "instance" in operation.levels,
        **({"parameter": [one._asdict() for one in parameters]} if parameters else {}),
    }
