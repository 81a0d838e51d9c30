"""Arguments of fields: which elements of a list are taken, and what a search is asked for.

Source: http://hl7.org/fhir/R4/graphql.html#list, #searching and #reverse
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from graphql.language import ArgumentNode, DirectiveNode, FieldNode

from fhir_server.operations.graphql.limits import LIMITS, Limits
from fhir_server.operations.graphql.plan import Filter, Search
from fhir_server.operations.graphql.problems import at, refused
from fhir_server.operations.graphql.values import Variables, literal
from fhir_server.search.registry import registry
from resources import fhirpath
from resources.definitions import definitions
from resources.outcome import FhirError

NOT_HERE = {
    "_include": "ask for `resource` of a reference",
    "_revinclude": "ask for a list with `_reference`",
    "_contained": "R4 does not offer it in GraphQL",
    "_containedType": "R4 does not offer it in GraphQL",
    "_elements": "select fields",
    "_summary": "select fields",
    "_format": "the answer is application/json",
    "_pretty": "write it into the URL",
}
"""Search parameters that GraphQL has no use for, and what to do instead. Source: graphql.html#searching"""

Arguments = dict[str, tuple[ArgumentNode, Any]]
_COMMA = re.compile(r"\\.|,", re.DOTALL)
_KEYS = frozenset({"_sort", "_type"})
"""Parameters whose commas separate: they hold no text of a value."""


def arguments(node: FieldNode | DirectiveNode, variables: Variables) -> Arguments:
    """Return the arguments of `node` by name; those that are null, or a variable without value, are left out."""
    found = ((one.name.value, (one, literal(one.value, variables))) for one in node.arguments or ())
    return {name: pair for name, pair in found if pair[1] is not None}


def none_allowed(node: FieldNode, what: str) -> None:
    """Refuse arguments at a field that takes none."""
    if node.arguments:
        raise refused(node.arguments[0], f"GraphQL: {what} takes no arguments")


def element_filter(node: FieldNode, type_name: str, variables: Variables) -> Filter | None:
    """Return what the arguments of a complex element ask for, None where there are none.

    Errors: 400 invalid
    """
    found = arguments(node, variables)
    if not found:
        return None
    path = _path(found)
    offset, count = whole(found, "_offset") or 0, whole(found, "_count")
    wanted = tuple(
        _wanted(argument, type_name, value)
        for name, (argument, value) in found.items()
        if name not in ("fhirpath", "_offset", "_count")
    )
    return Filter(wanted, path, offset, count)


def _wanted(node: ArgumentNode, type_name: str, value: Any) -> tuple[str, str, tuple[Any, ...]]:
    name = node.name.value
    known = definitions().type(type_name).by_json.get(name)
    if known is None or definitions().type(known[1]).kind != "primitive":
        text = f"GraphQL: {type_name} has no primitive element '{name[:100]}' to choose by"
        raise refused(node, text)
    code = known[1]
    values = value if isinstance(value, list) else [value]
    if len(values) > LIMITS.choices:
        raise refused(node, f"GraphQL: '{name}' takes at most {LIMITS.choices} values", "too-costly")
    return name, code, tuple(_as(node, code, one) for one in values)


def _as(node: ArgumentNode, code: str, value: Any) -> Any:
    """Return `value` as an element of the primitive type `code` holds it."""
    if code == "boolean":
        good = isinstance(value, bool)
    elif code in ("integer", "positiveInt", "unsignedInt", "decimal"):
        good = isinstance(value, int | Decimal) and not isinstance(value, bool)
    else:
        value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        good = isinstance(value, str)
    if not good:
        raise refused(node, f"GraphQL: the value of '{node.name.value}' is no {code}")
    return value


def whole(found: Arguments, name: str) -> int | None:
    """Return the argument `name`, a whole number from 0, None where it is not given."""
    if name not in found:
        return None
    node, value = found[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise refused(node, f"GraphQL: '{name}' is a whole number from 0")
    return value


def text(found: Arguments, name: str) -> str | None:
    """Return the argument `name` as text, None where it is not given."""
    if name not in found:
        return None
    node, value = found[name]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise refused(node, f"GraphQL: '{name}' is one text")
    return str(value)


def _path(found: Arguments) -> fhirpath.Expression | None:
    if "fhirpath" not in found:
        return None
    return compiled(found["fhirpath"][0], text(found, "fhirpath") or "")


def compiled(node: ArgumentNode | DirectiveNode, expression: str) -> fhirpath.Expression:
    """Return a client's FHIRPath, compiled; raises FhirError 400 with the argument's place."""
    try:
        return fhirpath.compile(expression)
    except FhirError as error:
        raise at(node, error) from None


def search(
    node: FieldNode, type_name: str, variables: Variables, limits: Limits, *, focus: str, connection: bool
) -> Search:
    """Return the search that a `…List` or `…Connection` asks for.

    Shape:  `focus` is the type of the resource around, '' at the root
    Errors: 400 invalid, required, not-supported
    """
    found = arguments(node, variables)
    reference = _reference(node, found, type_name, focus)
    cursor = _cursor(found, focus)
    own = {"_reference", "_cursor", "cursor", "fhirpath", "_count", "_offset"}
    if connection:
        own.discard("_offset")
    names = argument_names(type_name)
    pairs = [
        pair
        for name, (argument, value) in found.items()
        if name not in own
        for pair in _pairs(argument, names, value, connection)
    ]
    if cursor and (pairs or found.keys() & {"_count", "_offset", "fhirpath"}):
        raise refused(node, "GraphQL: a cursor stands alone: it brings the parameters of its search")
    count = whole(found, "_count")
    if count is not None and count > limits.matches:
        raise refused(found["_count"][0], f"GraphQL: '_count' is at most {limits.matches}")
    offset = whole(found, "_offset") or 0
    return Search(type_name, tuple(pairs), reference, _path(found), offset, count, cursor)


def argument_names(type_name: str) -> dict[str, str]:
    """Return {argument name: search parameter}: GraphQL's names have no '-'."""
    return {code.replace("-", "_"): code for code in registry(type_name).params}


def _pairs(node: ArgumentNode, names: dict[str, str], value: Any, connection: bool) -> list[tuple[str, str]]:
    name = node.name.value
    if name in NOT_HERE:
        raise refused(node, f"GraphQL: '{name}' is not offered here: {NOT_HERE[name]}", "not-supported")
    if name == "_offset" and connection:
        raise refused(node, "GraphQL: a connection is read on by cursor, not by '_offset'", "not-supported")
    code = names.get(name) or (name if name.startswith("_") else name.replace("_", "-"))
    values = value if isinstance(value, list) else [value]
    separate = code in _KEYS
    return [(code, ",".join(_written(node, one, separate) for one in values))] if values else []


def _written(node: ArgumentNode, value: Any, separate: bool) -> str:
    """Return one value as a search writes it: a comma in it belongs to it, for lists are written as lists."""
    if value is None or isinstance(value, list):
        raise refused(node, f"GraphQL: the values of '{node.name.value}' are one text each")
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = str(value)
    return plain if separate else _COMMA.sub(lambda one: "\\," if one[0] == "," else one[0], plain)


def _cursor(found: Arguments, focus: str) -> str:
    both = [name for name in ("_cursor", "cursor") if name in found]
    if not both:
        return ""
    if focus:
        raise refused(
            found[both[0]][0], "GraphQL: a cursor is followed at the root of a query at system level"
        )
    if len(both) > 1:
        raise refused(found["cursor"][0], "GraphQL: '_cursor' and 'cursor' are the same: give one")
    return text(found, both[0]) or ""


def _reference(node: FieldNode, found: Arguments, type_name: str, focus: str) -> str:
    """Return the reference parameter that has to name the resource around."""
    given = text(found, "_reference")
    if not focus:
        if given is not None:
            raise refused(found["_reference"][0], "GraphQL: '_reference' has its place inside of a resource")
        return ""
    if given is None:
        hint = f"GraphQL: {node.name.value} inside of a {focus} needs '_reference', which of its parameters to follow"
        raise refused(node, hint, "required")
    for name in ("id", "_id"):
        if name in found:
            raise refused(found[name][0], f"GraphQL: '{name}' has no meaning together with '_reference'")
    param = registry(type_name).params.get(argument_names(type_name).get(given, given))
    if param is None or param.kind != "reference" or (param.targets and focus not in param.targets):
        text_ = f"GraphQL: {type_name} has no reference parameter '{given[:100]}' that can name a {focus}"
        raise refused(found["_reference"][0], text_)
    return param.code
