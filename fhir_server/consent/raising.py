"""Who may get more rights for a while, for how long, and who must agree: raising.json, one row for each kind."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from fhir_server.consent.elevations import Kind


class Raising(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row.

    Shape:  `roles` may ask, `approvers` must agree (never whoever asked; none: it holds at once)
    Units:  minutes; `minutes` where none are asked for, `most` at most
    """

    kind: Kind
    roles: tuple[str, ...]
    approvers: tuple[str, ...]
    minutes: int
    most: int
    reason: str

    def asks(self, roles: Iterable[str]) -> bool:
        """Whether somebody with these roles may ask."""
        return not set(roles).isdisjoint(self.roles)

    def approves(self, roles: Iterable[str]) -> bool:
        """Whether somebody with these roles may decide."""
        return not set(roles).isdisjoint(self.approvers)


class _Rows(msgspec.Struct):
    rule: list[Raising]
    shortest_reason: int


@cache
def _rows() -> _Rows:
    return msgspec.json.decode(Path(__file__).with_name("raising.json").read_bytes(), type=_Rows)


def rule(kind: Kind) -> Raising:
    """Return the row of a kind."""
    return next(one for one in _rows().rule if one.kind == kind)


def shortest_reason() -> int:
    """Return how many characters a reason must have."""
    return _rows().shortest_reason
