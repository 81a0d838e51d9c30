"""A GraphQL document: parsed, checked for what needs no schema, and the operation that is to be run.

Source: https://spec.graphql.org/October2021/#sec-Document, http://hl7.org/fhir/R4/graphql.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, GraphQLField, GraphQLObjectType, GraphQLSchema, GraphQLString, validate
from graphql import validation as rules
from graphql.language import (
    FragmentDefinitionNode,
    OperationDefinitionNode,
    OperationType,
    parse,
)

from fhir_server.operations.graphql.limits import Limits, too_costly
from fhir_server.operations.graphql.problems import refused
from resources.outcome import FhirError, Issue

_RULES = (
    rules.ExecutableDefinitionsRule,
    rules.UniqueOperationNamesRule,
    rules.LoneAnonymousOperationRule,
    rules.UniqueFragmentNamesRule,
    rules.KnownFragmentNamesRule,
    rules.NoUnusedFragmentsRule,
    rules.NoFragmentCyclesRule,
    rules.UniqueVariableNamesRule,
    rules.NoUndefinedVariablesRule,
    rules.NoUnusedVariablesRule,
    rules.UniqueArgumentNamesRule,
    rules.UniqueInputFieldNamesRule,
)
"""The rules of validation that look at the document alone; the others are the compiler's, over the definitions."""

_NO_SCHEMA = GraphQLSchema(GraphQLObjectType("Query", {"none": GraphQLField(GraphQLString)}))
_MAX_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Document:
    """The operation to run and the fragments it may spread."""

    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]


def read(text: str, operation_name: str | None, limits: Limits) -> Document:
    """Return the operation of `text` that is to be run.

    Errors: 400 invalid with line and column, not-supported for a mutation or subscription, too-costly
    """
    if len(text) > limits.text:
        raise too_costly(f"more than {limits.text} characters")
    try:
        tree = parse(text, max_tokens=limits.tokens, allow_empty_selection_sets=False)
        problems = validate(_NO_SCHEMA, tree, _RULES, max_errors=_MAX_ERRORS)
    except GraphQLError as error:
        if f"more than {limits.tokens} tokens" in error.message:
            raise too_costly(f"more than {limits.tokens} tokens") from None
        if "nested too deeply" in error.message:
            raise too_costly("nested too deep") from None
        raise invalid([error]) from None
    except RecursionError:
        raise too_costly("nested too deep") from None
    if problems:
        raise invalid(problems)
    fragments = {one.name.value: one for one in tree.definitions if isinstance(one, FragmentDefinitionNode)}
    operations = [one for one in tree.definitions if isinstance(one, OperationDefinitionNode)]
    return Document(_chosen(operations, operation_name), fragments)


def _chosen(operations: list[OperationDefinitionNode], name: str | None) -> OperationDefinitionNode:
    if not operations:
        raise FhirError(400, "required", "GraphQL: the document has no operation, only fragments")
    if name is None and len(operations) > 1:
        raise FhirError(400, "required", "GraphQL: of several operations, 'operationName' has to name one")
    if name is None:
        found = operations[0]
    else:
        named = [one for one in operations if one.name is not None and one.name.value == name]
        if not named:
            raise FhirError(400, "invalid", f"GraphQL: there is no operation called '{name[:100]}'")
        found = named[0]
    if found.operation is not OperationType.QUERY:
        text = (
            f"GraphQL: a {found.operation.value} is not offered here, only queries: write by FHIR's REST API"
        )
        raise refused(found, text, "not-supported")
    if found.directives:
        raise refused(found.directives[0], "GraphQL: no directive stands at an operation")
    return found


def invalid(problems: list[GraphQLError]) -> FhirError:
    """Return the 400 that says each of `problems` with its place."""
    return FhirError(400, issues=[_issue(problem) for problem in problems])


def _issue(problem: GraphQLError) -> Issue:
    where: Any = problem.locations[0] if problem.locations else None
    text = f"GraphQL: {problem.message[:500]}"
    if where is None:
        return Issue("invalid", text)
    return Issue("invalid", text, line=where.line, column=where.column)
