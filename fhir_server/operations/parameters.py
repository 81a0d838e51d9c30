"""What an operation is called with: the query of a GET, or a Parameters resource in the body of a POST.

Source: http://hl7.org/fhir/R4/operations.html#request
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from fhir_server.exchange import Request
from resources.codec.json import parse_json
from resources.outcome import FhirError
from resources.validate.base import check

NOT_OURS = frozenset({"_format", "_pretty", "_elements", "_summary"})
"""Parameters of the answer's form, which the REST layer reads."""


class Given(NamedTuple):
    """One parameter.

    Shape:  `value` is text where it came by query, else as in JSON; `type` names the FHIR type of a value from a body
            ('string', 'Coding', 'Resource' …) and is empty where it came by query or has parts instead
    """

    name: str
    value: Any
    type: str = ""
    parts: tuple[Given, ...] = ()

    @property
    def searched(self) -> str:
        """The value as a search parameter says it: a code with its system, a reference by its text."""
        value = self.value
        if isinstance(value, dict) and "coding" in value:
            return ",".join(Given(self.name, one).searched for one in value["coding"])
        if isinstance(value, dict) and "code" in value:
            return f"{value['system']}|{value['code']}" if "system" in value else str(value["code"])
        if isinstance(value, dict) and "reference" in value:
            return str(value["reference"])
        return str(value).lower() if isinstance(value, bool) else str(value)


class Call:
    """The parameters of one call, each known to the operation."""

    def __init__(self, given: list[Given], operation: str) -> None:
        self.given = given
        self.operation = operation

    def all(self, name: str) -> list[Given]:
        """Return every parameter called `name`, in order."""
        return [one for one in self.given if one.name == name]

    def one(self, name: str) -> Given | None:
        """Return the parameter called `name`; raises FhirError 400 where it is repeated."""
        found = self.all(name)
        if len(found) > 1:
            raise FhirError(
                400, "invalid", f"{self.operation} takes '{name}' once, not {len(found)} times", name
            )
        return found[0] if found else None

    def text(self, name: str) -> str | None:
        """Return the text of a parameter; raises FhirError 400 where it is something else."""
        found = self.one(name)
        if found is None:
            return None
        if not isinstance(found.value, str):
            raise FhirError(400, "value", f"{self.operation} takes a text as '{name}'", name)
        return found.value

    def whole(self, name: str, least: int = 0) -> int | None:
        """Return the whole number of a parameter; raises FhirError 400 for another value or one below `least`."""
        found = self.one(name)
        if found is None:
            return None
        text = str(found.value)
        if isinstance(found.value, bool) or not (
            text.isascii() and text.isdigit() and least <= int(text[:18]) < 10**9
        ):
            raise FhirError(
                400, "value", f"{self.operation} takes a whole number from {least} as '{name}'", name
            )
        return int(text)

    def flag(self, name: str) -> bool:
        """Return whether a parameter is true; raises FhirError 400 where it is neither true nor false."""
        found = self.one(name)
        if found is None or found.value in (False, "false"):
            return False
        if found.value in (True, "true"):
            return True
        raise FhirError(400, "value", f"{self.operation} takes true or false as '{name}'", name)


def read_call(request: Request, operation: str, known: Collection[str], *, checked: bool = True) -> Call:
    """Return the parameters of a call, those of the query and those of the body.

    Shape:  a body is validated unless it need not be right (`checked` False), what it holds included
    Errors: 400 for a body that is no Parameters resource, 422 for an invalid one; 400 not-supported for parameters
            that are not `known`
    """
    given = [Given(name, value) for name, value in request.query if name not in NOT_OURS and value]
    resource = request.resource
    if resource is None and request.body.strip():
        resource = parse_json(request.body)
    if resource is not None:
        if resource.get("resourceType") != "Parameters":
            raise FhirError(
                400, "invalid", f"{operation} takes a Parameters resource as its body", "resourceType"
            )
        if checked:
            check(resource)
        given += given_in(resource)
    for one in given:
        if one.name not in known:
            text = f"{operation} has no parameter '{one.name[:100]}'; it takes: {', '.join(sorted(known)) or 'none'}"
            raise FhirError(400, "not-supported", text)
    return Call(given, operation)


def given_in(parameters: dict[str, Any]) -> list[Given]:
    """Return the parameters of a Parameters resource that is not validated; raises FhirError 400."""
    return list(_read(parameters.get("parameter", ()), "Parameters.parameter"))


def _read(parameters: Any, path: str) -> Iterator[Given]:
    if not isinstance(parameters, list | tuple):
        raise FhirError(400, "structure", "Parameters are an array", path)
    for place, one in enumerate(parameters):
        here = f"{path}[{place}]"
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            raise FhirError(400, "required", "A parameter needs a name", here)
        parts = tuple(_read(one.get("part", ()), here + ".part"))
        values = [(key[5:], value) for key, value in one.items() if key.startswith("value")]
        if "resource" in one:
            values.append(("Resource", one["resource"]))
        if len(values) + bool(parts) > 1:
            raise FhirError(400, "invalid", f"The parameter '{name}' has more than one value", here)
        kind, value = values[0] if values else ("", None)
        yield Given(name, value, kind[:1].lower() + kind[1:] if kind in _LOWER else kind, parts)


_LOWER = frozenset(
    {
        *(
            "Base64Binary",
            "Boolean",
            "Canonical",
            "Code",
            "Date",
            "DateTime",
            "Decimal",
            "Id",
            "Instant",
            "Integer",
        ),
        *("Markdown", "Oid", "PositiveInt", "String", "Time", "UnsignedInt", "Uri", "Url", "Uuid"),
    }
)
"""Primitive types, whose names begin in lower case."""
