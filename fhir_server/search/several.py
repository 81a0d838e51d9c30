"""Search parameters that several resource types have in common.

What a parameter means is filed under numbers of its type, so that parameters of the same shape are asked as one: with
the parts of them all. Where shapes differ (a reference that one type carries in its row and another in edges) each
group is asked for itself, held to its types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_server.search.param import Param, TypeSearch
from fhir_server.search.registry import registry
from fhir_server.search.sql import Test, any_of, of_types
from fhir_server.search.veiled import hidden
from resources.definitions import definitions

MERGED_PLACES = frozenset(
    {"column", "post", "token", "string", "main", "date", "number", "reference", "text"}
)
"""Places whose rows are found by the numbers of a parameter's parts alone."""


def known(types: Sequence[str]) -> TypeSearch:
    """Return what search knows of resources that may be of any of `types`."""
    if len(types) == 1:
        return registry(types[0])
    every = len(types) == len(definitions().resource_types)
    name = "every resource type" if every else ", ".join(types)
    return TypeSearch(name, Common(tuple(types)), None, "", several=tuple(types))


class Common(Mapping[str, Param]):
    """The parameters that all of some resource types have, each made when it is asked for."""

    def __init__(self, types: tuple[str, ...]) -> None:
        self.types = types

    def __getitem__(self, code: str) -> Param:
        """Return the parameter `code`; raises KeyError where a type lacks it."""
        return _common([registry(name).params[code] for name in self.types])

    def __iter__(self) -> Iterator[str]:
        """Yield the codes that all types know."""
        shared = [registry(name).params for name in self.types]
        return iter([code for code in (shared[0] if shared else ()) if all(code in one for one in shared)])

    def __len__(self) -> int:
        """Return how many codes all types know."""
        return len(list(iter(self)))


def _common(params: Sequence[Param]) -> Param:
    """Return one parameter for all of `params`, in groups where they cannot be asked as one."""
    refused = next((param for param in params if param.place == "refused"), None)
    refused = refused or next((param for param in params if hidden(param)), None)
    if refused is not None:
        return refused
    grouped: dict[Any, list[Param]] = {}
    for param in params:
        grouped.setdefault(_shape(param), []).append(param)
    groups = tuple(_merged(group) for group in grouped.values())
    return groups[0] if len(groups) == 1 else replace(_merged(params), place="groups", groups=groups)


def _shape(param: Param) -> Any:
    if param.place not in MERGED_PLACES or param.covered:
        return param.type
    parts = tuple((part.resolves, part.patient, part.post) for part in param.parts)
    leaves = tuple(dict.fromkeys(name for path in param.paths for name in path.types))
    coded = [path.element.binding for path in param.paths if path.element and "code" in path.types]
    return param.kind, param.place, param.computed, param.stored, parts, leaves, tuple(coded)


def _merged(params: Sequence[Param]) -> Param:
    if len(params) == 1:
        return params[0]
    return replace(
        params[0],
        parts=tuple(part for param in params for part in param.parts),
        paths=tuple(path for param in params for path in param.paths),
        targets=tuple(dict.fromkeys(name for param in params for name in param.targets)),
        merged=tuple(params),
    )


def each(param: Param, make: Callable[[Param], Test]) -> Test:
    """Return the test of a parameter in groups: a row passes the one that is made for its type's group."""
    return either([(group.types, make(group)) for group in param.groups])


def either(tests: Sequence[tuple[tuple[str, ...], Test]]) -> Test:
    """Return the test that rows pass which are of some types and pass the test for these."""
    made = [test for _, test in tests]
    listings = [test.rids for test in made if test.rids is not None]

    def where(sql: Any, row: str) -> str:
        return any_of([f"({of_types(row, types)} AND {test.where(sql, row)})" for types, test in tests])

    def rids(sql: Any) -> str:
        return " UNION ALL ".join(listing(sql) for listing in listings)

    needles = tuple(n for test in made for n in test.needles) if all(t.needles for t in made) else ()
    leads = len(listings) == len(made)
    rank = max(test.rank for test in made) if leads else 100
    return Test(where, rank, rids if leads else None, needles=needles)
