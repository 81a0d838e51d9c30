"""What strict evaluation refuses before it starts: steps no type has, order where there is none.

Source: http://hl7.org/fhirpath/N1/#path-selection, #children, #type-safety-and-strict-evaluation
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.model import is_type, kind_of
from resources.fhirpath.syntax import Call, Expr, Index, Member, TypeTest

_ORDERED = frozenset(["first", "last", "tail", "skip", "take"])
_UNORDERED = frozenset(["children", "descendants"])


def check(tree: Expr) -> None:
    """Raise the FhirError for the first thing in `tree` that cannot be right whatever the resource holds."""
    for part in _parts(tree):
        if isinstance(part, Member) and isinstance(part.base, TypeTest):
            _check_member(part.base, part.name)
        elif isinstance(part, Index):
            _check_order(part.base, "an index")
        elif isinstance(part, Call) and part.name in _ORDERED:
            _check_order(part.base, f"{part.name}()")


def _check_member(base: TypeTest, name: str) -> None:
    if base.operator != "is" and is_type(base.name) and name not in kind_of(base.name).steps:
        raise evaluation_error(f"{base.name} has no element {name}")


def _check_order(base: Expr | None, what: str) -> None:
    if isinstance(base, Call) and base.name in _UNORDERED:
        raise evaluation_error(f"{what} on {base.name}(), which has no order")


def _parts(tree: Expr) -> Iterator[Expr]:
    yield tree
    for each in fields(tree):
        value = getattr(tree, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if is_dataclass(part) and type(part).__module__ == type(tree).__module__:
                yield from _parts(part)  # type: ignore[arg-type]
