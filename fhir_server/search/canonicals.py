"""Canonical references between resources that are stored here, which no edge holds: followed by url and version.

Source: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.search.param import Param
from fhir_server.search.query import Include
from fhir_server.storage.rows import Row


async def neighbours(
    conn: AsyncConnection[Any], includes: Sequence[Include], rows: Sequence[Row]
) -> list[int]:
    """Return the numbers of the rows to which canonicals of `rows` lead, or from which they lead here."""
    return []
