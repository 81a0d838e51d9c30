"""Which interaction a method and path ask for: one table, read by HTTP and by bundle entries alike.

Source: http://hl7.org/fhir/R4/http.html#summary
"""

from __future__ import annotations

import re

import msgspec

from resources.definitions import definitions
from resources.outcome import FhirError

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
"""The format of logical and version ids. Source: http://hl7.org/fhir/R4/datatypes.html#id"""

OPERATION = re.compile(r"\$[A-Za-z][A-Za-z0-9\-]{0,63}")


class Route(msgspec.Struct, frozen=True, gc=False):
    """A routed request.

    Shape:  `interaction` is an R4 restful-interaction code ('transaction' stands for batch, too; 'operation' for
            `$name`); parts that the path has not are empty; of a search within a compartment these are its owner's
    """

    interaction: str
    type: str = ""
    id: str = ""
    vid: str = ""
    operation: str = ""


_SYSTEM = {"GET": "search-system", "POST": "transaction"}
_TYPE = {"GET": "search-type", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_INSTANCE = {"GET": "read", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OPERATION = {"GET": "operation", "POST": "operation"}
_JOB = {"GET": "job-status", "DELETE": "job-cancel"}
_NAMED = {
    "metadata": {"GET": "capabilities"},
    "_history": {"GET": "history-system"},
    "_search": {"POST": "search-system"},
}
_UNDER_TYPE = {"_history": {"GET": "history-type"}, "_search": {"POST": "search-type"}}
_COMPARTMENT = {"GET": "search-compartment"}
_COMPARTMENT_POST = {"POST": "search-compartment"}
_HISTORY = {"GET": "history-instance"}
_VREAD = {"GET": "vread"}


def route(method: str, path: str) -> Route:
    """Return what `method` on `path` asks for.

    Shape:  `path` is decoded and relative to the base; HEAD is routed as GET
    Errors: 404 not-found | not-supported, 405 not-supported with Allow, 400 value for a malformed id
    """
    parts = path.split("/")
    if len(parts) == 2 and parts[1] and parts[1][0] not in "_$":
        return _instance(method, parts)
    while parts and not parts[-1]:
        parts.pop()
    if not parts:
        return Route(_pick(_SYSTEM, method))
    if parts[0][:1] in "_$" or parts[0] == "metadata":
        return _system(method, parts)
    return _typed(method, parts)


def allowed(path: str) -> tuple[str, ...]:
    """Return the methods that `path` understands, for OPTIONS; raises FhirError 404 for an unknown path."""
    try:
        route("OPTIONS", path)
    except FhirError as error:
        if "Allow" not in error.headers:
            raise
        return tuple(error.headers["Allow"].split(", "))
    return ()


def _system(method: str, parts: list[str]) -> Route:
    name = parts[0]
    if len(parts) == 1 and name in _NAMED:
        return Route(_pick(_NAMED[name], method))
    if len(parts) == 1 and OPERATION.fullmatch(name):
        return Route(_pick(_OPERATION, method), operation=name)
    if len(parts) == 2 and name == "_job" and ID.fullmatch(parts[1]):
        return Route(_pick(_JOB, method), id=parts[1])
    raise _unknown(parts)


def _typed(method: str, parts: list[str]) -> Route:
    type_name = _known_type(parts)
    if len(parts) == 1:
        return Route(_pick(_TYPE, method), type_name)
    second = parts[1]
    if second.startswith("$"):
        return Route(_pick(_OPERATION, method), type_name, operation=_operation(parts, 2))
    if second in _UNDER_TYPE and len(parts) == 2:
        return Route(_pick(_UNDER_TYPE[second], method), type_name)
    if len(parts) == 2:
        return _instance(method, parts)
    return _under_instance(method, type_name, parts)


def _instance(method: str, parts: list[str]) -> Route:
    if parts[0] == "_job":
        return _system(method, parts)
    type_name, id_ = _known_type(parts), parts[1]
    if not ID.fullmatch(id_):
        raise _bad_id(id_, "id")
    return Route(_pick(_INSTANCE, method), type_name, id_)


def _under_instance(method: str, type_name: str, parts: list[str]) -> Route:
    id_, third = parts[1], parts[2]
    if not ID.fullmatch(id_):
        raise _bad_id(id_, "id")
    if third == "_history" and len(parts) == 3:
        return Route(_pick(_HISTORY, method), type_name, id_)
    if third == "_history" and len(parts) == 4:
        if not ID.fullmatch(parts[3]):
            raise _bad_id(parts[3], "version id")
        return Route(_pick(_VREAD, method), type_name, id_, parts[3])
    if third.startswith("$"):
        return Route(_pick(_OPERATION, method), type_name, id_, operation=_operation(parts, 3))
    if third == "*" or definitions().is_resource(third):
        if len(parts) == 3:
            return Route(_pick(_COMPARTMENT, method), type_name, id_)
        if parts[3:] == ["_search"]:
            return Route(_pick(_COMPARTMENT_POST, method), type_name, id_)
    raise _unknown(parts)


def _operation(parts: list[str], length: int) -> str:
    name = parts[length - 1]
    if len(parts) != length or not OPERATION.fullmatch(name):
        raise _unknown(parts)
    return name


def _known_type(parts: list[str]) -> str:
    name = parts[0]
    if not definitions().is_resource(name):
        raise FhirError(404, "not-supported", f"There is no R4 resource type called '{name[:64]}'")
    return name


def _pick(table: dict[str, str], method: str) -> str:
    found = table.get("GET" if method == "HEAD" else method)
    if found is None:
        allow = ", ".join([*table, *(["HEAD"] if "GET" in table else []), "OPTIONS"])
        text = f"Method {method[:20]} is not allowed here; allowed: {allow}"
        raise FhirError(405, "not-supported", text, headers={"Allow": allow})
    return found


def _unknown(parts: list[str]) -> FhirError:
    return FhirError(404, "not-found", f"There is nothing at '{'/'.join(parts)[:200]}'")


def _bad_id(id_: str, what: str) -> FhirError:
    text = f"'{id_[:80]}' is not a valid {what}: 1 to 64 of A-Z a-z 0-9 - ."
    return FhirError(400, "value", text)
