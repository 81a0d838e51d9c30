"""Evaluate many expressions of one resource type in one pass: what search indexing runs on every write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.expression import Expression, compile  # noqa: A004
from resources.fhirpath.generate import Fallback, Found, generate_all

Key = Any
Extracted = list[tuple[Key, Found]]


def extractor(
    expressions: Sequence[tuple[Key, str]], type_name: str
) -> Callable[[dict[str, Any]], Extracted]:
    """Return a function that gives, for a resource of `type_name`, [(key, [(value, FHIR type), …]), …].

    Shape:  keys without a value are left out; values are plain and in no promised order; expressions are read as
            search parameters are (`as` filters, `resolve() is X` goes by the reference's text)
    Errors: FhirError 400 'invalid' for a bad expression; the function raises it for a resource out of shape
    """
    compiled = [compile(text, lenient=True) for _, text in expressions]
    keys = [key for key, _ in expressions]
    run = generate_all(type_name, [(each.tree, _fallback(each)) for each in compiled], lenient=True)

    def extract(resource: dict[str, Any]) -> Extracted:
        try:
            return [pair for pair in zip(keys, run(resource), strict=True) if pair[1]]
        except (TypeError, AttributeError, LookupError, ValueError) as problem:
            raise evaluation_error(f"the resource has not the shape of a {type_name} ({problem})") from None

    return extract


def _fallback(expression: Expression) -> Fallback:
    def fallback(resource: dict[str, Any]) -> Found:
        nodes = expression.nodes(resource)
        return [(node.value, node.type_name) for node in nodes if node.value is not None]

    return fallback
