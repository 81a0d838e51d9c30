"""Values that arguments hold: literals, enum names as R4 writes them (`use: official`), and variables.

Source: https://spec.graphql.org/October2021/#sec-Input-Values
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from graphql.language import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)

from fhir_server.operations.graphql.problems import refused
from resources.codec.json_problem import MAX_EXPONENT
from resources.definitions import definitions

Variables = Mapping[str, Any]
SEARCH_TYPES = ("composite", "date", "number", "quantity", "reference", "special", "string", "token", "uri")
"""The types of search parameters, which R4's schemas use as types of arguments."""

_KINDS: dict[str, tuple[type, ...]] = {
    "Boolean": (bool,),
    "Float": (int, Decimal),
    "ID": (str, int),
    "Int": (int,),
    "ResourceType": (str,),
    "String": (str,),
    "boolean": (bool,),
    "decimal": (int, Decimal),
    "integer": (int,),
    "positiveInt": (int,),
    "unsignedInt": (int,),
    **dict.fromkeys(SEARCH_TYPES, (str, int, Decimal, bool)),
}


def literal(node: ValueNode, variables: Variables) -> Any:
    """Return the value of `node`: text, int, Decimal, bool, None, or a list of these.

    Errors: 400 invalid for an object, or a number out of range
    """
    match node:
        case VariableNode():
            return variables.get(node.name.value)
        case IntValueNode() | FloatValueNode():
            return _number(node)
        case StringValueNode() | EnumValueNode() | BooleanValueNode():
            return node.value
        case NullValueNode():
            return None
        case ListValueNode():
            return [literal(one, variables) for one in node.values]
    raise refused(node, "GraphQL: no argument here takes an object")


def _number(node: IntValueNode | FloatValueNode) -> int | Decimal:
    number = Decimal(node.value)
    if len(node.value) > 100 or abs(number.adjusted()) > MAX_EXPONENT:
        raise refused(node, "GraphQL: the number is too long")
    return int(node.value) if isinstance(node, IntValueNode) else number


def coerced(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an operation's variables; one that has no value is left out.

    Errors: 400 invalid for a value of another type, a missing one that is required, an undeclared one
    """
    values: dict[str, Any] = {}
    declared = {one.variable.name.value: one for one in operation.variable_definitions or ()}
    for name in given:
        if name not in declared:
            raise refused(operation, f"GraphQL: the operation declares no variable '${name[:100]}'")
    for name, definition in declared.items():
        if definition.directives:
            raise refused(definition, "GraphQL: no directive stands at a variable")
        if name in given:
            values[name] = _typed(definition, definition.type, given[name])
        elif definition.default_value is not None:
            values[name] = _typed(definition, definition.type, literal(definition.default_value, {}))
        else:
            _typed(definition, definition.type, None)
    return values


def _typed(definition: VariableDefinitionNode, wanted: TypeNode, value: Any) -> Any:
    """Return `value` as a variable of type `wanted` holds it."""
    name = definition.variable.name.value
    if isinstance(wanted, NonNullTypeNode):
        if value is None:
            raise refused(definition, f"GraphQL: the variable '${name}' needs a value")
        return _typed(definition, wanted.type, value)
    if isinstance(wanted, ListTypeNode):
        if value is None:
            return None
        return [
            _typed(definition, wanted.type, one) for one in (value if isinstance(value, list) else [value])
        ]
    assert isinstance(wanted, NamedTypeNode)
    kinds = _kinds(definition, wanted)
    if value is None:
        return None
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise refused(definition, f"GraphQL: the value of '${name}' is no {wanted.name.value}")
    return value


def _kinds(definition: VariableDefinitionNode, wanted: NamedTypeNode) -> tuple[type, ...]:
    name = wanted.name.value
    if name in _KINDS:
        return _KINDS[name]
    found = definitions().package.types.get(name)
    if found is None or found.kind != "primitive":
        raise refused(definition, f"GraphQL: '{name[:100]}' is no type of a variable here")
    return (str,)
