"""What a consent can ask of a resource, and of whoever asks: plain values.

Rows: coded.json (where the code of each type stands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.consent.labels import labels_of
from fhir_server.consent.moments import EARLIEST

Json = dict[str, Any]

MISSING = EARLIEST - 1
"""The moment of a resource without a date."""


class Asking(msgspec.Struct, frozen=True):
    """Who asks, what for, and when.

    Shape:  `actors` are references of all that whoever asks is or belongs to; `purpose` as in a Criterion, empty where
            nobody knows; `action` is read or write; `opened` are patients for whom an emergency was declared, `own`
            those from whom nothing of theirs is kept, `proxied` those for whom one may act, as far as permitted
    Units:  `now` seconds since 1970 UTC
    """

    actors: frozenset[str] = frozenset()
    purpose: str = ""
    action: str = "read"
    now: float = 0.0
    opened: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    proxied: frozenset[str] = frozenset()
    default: str = "opt-out"


class Facts(msgspec.Struct, frozen=True):
    """What a consent can ask of a resource.

    Shape:  `patients` whom it is about; `lo` and `hi` the first and last microsecond of its main date, MISSING where it
            has none; `codes` 'system|code'; `refers` references to what it refers to, `mentioned` to what refers to it
    """

    reference: str
    type: str
    patients: tuple[str, ...] = ()
    labels: frozenset[int] = frozenset()
    lo: int = MISSING
    hi: int = MISSING
    codes: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()


class Coded(msgspec.Struct, frozen=True):
    """One row of coded.json: the search parameter of a type whose elements hold its code."""

    type: str
    param: str
    paths: tuple[str, ...]


class _Rows(msgspec.Struct):
    coded: list[Coded]


@cache
def coded() -> Mapping[str, tuple[Coded, ...]]:
    """Return the rows of coded.json by type."""
    rows = msgspec.json.decode((Path(__file__).parent / "coded.json").read_bytes(), type=_Rows).coded
    return {name: tuple(row for row in rows if row.type == name) for name in {row.type for row in rows}}


def facts(resource: Json, patients: Iterable[str], lo: int = MISSING, hi: int = MISSING) -> Facts:
    """Return what a consent can ask of `resource`, which is about `patients`; its date comes from whoever knows it."""
    name = resource["resourceType"]
    return Facts(
        f"{name}/{resource.get('id', '')}",
        name,
        tuple(patients),
        frozenset(labels_of(resource)),
        lo,
        hi,
        frozenset(codes(resource)),
        frozenset(_references(resource)),
    )


def codes(resource: Json) -> Iterator[str]:
    """Return the codes that say what a resource is of, as 'system|code'."""
    for row in coded().get(resource["resourceType"], ()):
        for path in row.paths:
            for concept in _at(resource, path.split(".")):
                for one in concept.get("coding", ()):
                    if "code" in one:
                        yield f"{one.get('system', '')}|{one['code']}"


def _at(node: Any, path: list[str]) -> Iterator[Json]:
    if isinstance(node, list):
        for one in node:
            yield from _at(one, path)
    elif isinstance(node, dict):
        if not path:
            yield node
        elif path[0] in node:
            yield from _at(node[path[0]], path[1:])


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _references(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
