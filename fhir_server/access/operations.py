"""What a token must have for an operation: `operations.json`, one row for each."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec


class Needs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row.

    Shape:  `needs` is letters of which a scope must have one, for the type in the path or for `type`; 'admin': only who
            runs the server; empty: any token, since what it touches is held back row by row; `on` restricts the row
            to calls on one type
    """

    operation: str
    needs: str
    reason: str
    type: str = ""
    on: str = ""


@cache
def table() -> dict[tuple[str, str], Needs]:
    """Return the rows by (operation, type that they are restricted to)."""
    rows = msgspec.json.decode(Path(__file__).with_name("operations.json").read_bytes(), type=list[Needs])
    return {(row.operation, row.on): row for row in rows}


def needs(operation: str, type_name: str) -> Needs | None:
    """Return what a call of an operation needs, None where no row lists it: then nobody may."""
    return table().get((operation, type_name)) or table().get((operation, ""))
