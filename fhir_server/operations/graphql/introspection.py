"""Introspection: what `__schema` and `__type` show of the types, answered by the library over the schema.

Source: http://hl7.org/fhir/R4/graphql.html#schema, https://spec.graphql.org/October2021/#sec-Introspection
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from graphql import AbortController, GraphQLError, execute_sync, specified_rules, validate
from graphql.execution import AbortedGraphQLExecutionError
from graphql.execution.executor import Executor
from graphql.language import DocumentNode, FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from fhir_server.operations.graphql.document import Document, invalid
from fhir_server.operations.graphql.limits import Limits, too_costly
from fhir_server.operations.graphql.plan import Json
from fhir_server.operations.graphql.problems import refused
from fhir_server.operations.graphql.schema import schema
from fhir_server.operations.graphql.values import Variables

NAMES = ("__schema", "__type")
_FIELDS = 1_000
"""The most fields, fragments spread: checking that they do not contradict each other takes the square of them."""

_MAX_ERRORS = 10
_ONE = ThreadPoolExecutor(1, "introspection")
"""Introspection takes seconds of a processor: one at a time leaves the others to the server."""


class _Ended(BaseException):
    """The time is over: no failure of a field, which the library would go on after."""


class _Timed(Executor[Any]):
    """Ends at the next field once its signal is given: the library itself looks at it only at the end."""

    def execute_field(self, *args: Any) -> Any:
        """Return the value of a field."""
        if self.abort_signal is not None and self.abort_signal.aborted:
            raise _Ended
        return super().execute_field(*args)


def introspects(document: Document) -> bool:
    """Return whether a query asks for the types, not for data.

    Errors: 400 not-supported for both at once
    """
    fields = list(_root(document, document.operation.selection_set))
    if not any(one.name.value in NAMES for one in fields):
        return False
    for one in fields:
        if one.name.value not in (*NAMES, "__typename"):
            text = f"GraphQL: '{one.name.value[:100]}' is data: ask for it without __schema and __type"
            raise refused(one, text, "not-supported")
    return True


def _root(document: Document, selections: SelectionSetNode) -> Iterator[FieldNode]:
    """Yield the fields at the root, each fragment looked at once."""
    waiting, seen = [selections], set()
    while waiting:
        for one in waiting.pop().selections:
            if isinstance(one, FieldNode):
                yield one
            elif isinstance(one, InlineFragmentNode):
                waiting.append(one.selection_set)
            elif isinstance(one, FragmentSpreadNode) and one.name.value not in seen:
                seen.add(one.name.value)
                waiting.append(document.fragments[one.name.value].selection_set)


async def introspected(document: Document, variables: Variables, root: str, limits: Limits) -> Json:
    """Return the data of an introspection of the schema whose queries start at `root`.

    Errors: 400 invalid, too-costly
    """
    _bounded(document, limits)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_ONE, _executed, document, variables, root, limits.seconds)


def _bounded(document: Document, limits: Limits) -> None:
    """Refuse what is nested too deep or has too many fields."""
    count = 0
    waiting = [(document.operation.selection_set, 1)]
    while waiting:
        selections, depth = waiting.pop()
        for one in selections.selections:
            count += 1
            if depth > limits.depth:
                raise too_costly(f"nested deeper than {limits.depth} levels")
            if count > _FIELDS:
                raise too_costly(f"more than {_FIELDS} fields of an introspection (fragments spread)")
            if isinstance(one, FragmentSpreadNode):
                waiting.append((document.fragments[one.name.value].selection_set, depth))
            elif isinstance(one, InlineFragmentNode):
                waiting.append((one.selection_set, depth))
            elif isinstance(one, FieldNode) and one.selection_set is not None:
                waiting.append((one.selection_set, depth + 1))


def _executed(document: Document, variables: Variables, root: str, seconds: float) -> Json:
    """Return the data; a query that takes too long is stopped, whoever has waited for it."""
    tree = DocumentNode(definitions=(document.operation, *document.fragments.values()))
    shown = schema(root)
    problems = validate(shown, tree, specified_rules, max_errors=_MAX_ERRORS)
    if problems:
        raise invalid(problems)
    ending = AbortController()
    timer = threading.Timer(seconds, ending.abort)
    timer.daemon = True
    timer.start()
    try:
        result = execute_sync(
            shown,
            tree,
            variable_values=dict(variables),
            abort_signal=ending.signal,
            executor_class=_Timed,
        )
    except (_Ended, AbortedGraphQLExecutionError, GraphQLError):
        raise too_costly(f"more than {seconds:g} seconds of introspection") from None
    finally:
        timer.cancel()
    if result.errors:
        raise invalid(result.errors)
    found: dict[str, Any] = result.data or {}
    return found
