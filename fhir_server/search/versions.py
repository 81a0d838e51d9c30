"""Included resources in the version that a reference names.

Edges lead to the resource, whichever version is meant. Where a reference says `/_history/n`, that version takes the
place of the current one, which stays only if somebody refers to it without a version.

Source: http://hl7.org/fhir/R4/references.html#versions
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import seen
from fhir_server.search.context import Context
from fhir_server.search.param import Param
from fhir_server.search.params.reference import local
from fhir_server.search.query import Include
from fhir_server.storage.rows import Row
from resources import fhirpath
from resources.codec.json import parse_json

_MARK = b"/_history/"
_VERSION = re.compile(r"/_history/([1-9][0-9]{0,8})\Z")


async def specified(
    conn: AsyncConnection[Any], includes: Sequence[Include], sources: Sequence[Row], included: list[Row]
) -> list[Row]:
    """Return `included`, which came along with `sources`, in the versions that references of these name.

    Shape:  a version that is not there, or was a deletion, leaves the current one
    """
    marked = [row for row in sources if row.tail is not None and _MARK in row.tail]
    if not marked:
        return included
    wanted: dict[tuple[str, str], set[int]] = {}
    for row in marked:
        for key, version in _named(row, [p for one in includes if not one.reverse for p in one.params]):
            wanted.setdefault(key, set()).add(version)
    shown: list[Row] = []
    for row in included:
        versions = wanted.get((row.type_name, row.id), set()) - {row.version}
        found = [await seen.version(conn, row.type_name, row.id, one) for one in sorted(versions)]
        older = [one for one in found if one is not None and one.live]
        current = not older or len(older) < len(versions) or _plainly(row, sources)
        shown += [*([row] if current else []), *older]
    return shown


def _named(row: Row, params: Iterable[Param]) -> Iterator[tuple[tuple[str, str], int]]:
    resource = parse_json(row.json())
    for param in params:
        if param.type == row.type_name:
            for value in fhirpath.compile(param.expression).evaluate(resource):
                text = value.get("reference") if isinstance(value, dict) else None
                version = _VERSION.search(text) if isinstance(text, str) else None
                key = local(text, Context.bases) if isinstance(text, str) and version else None
                if key is not None and version is not None:
                    yield key, int(version[1])


def _plainly(row: Row, sources: Sequence[Row]) -> bool:
    """Whether a source refers to `row` without a version, or to its current one."""
    name = f"{row.type_name}/{row.id}"
    texts = f'{name}"'.encode(), f'{name}/_history/{row.version}"'.encode()
    return any(text in source.tail for source in sources if source.tail for text in texts)
