"""What roles reach: `roles.json`, one row for each, with its reason."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from fhir_server.access.belongs import table as belongs


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row.

    Shape:  `patients`: own (and those one acts for) | care (all, or one's care teams, by setting) | all | none;
            `types`: clinical (all but AuditEvent) | knowledge (what is about no patient) | those listed
    """

    role: str
    patients: Literal["own", "care", "all", "none"]
    types: tuple[str, ...] | Literal["clinical", "knowledge"]
    actions: str
    reason: str

    def reaches(self, type_name: str) -> bool:
        """Whether the role has to do with a type."""
        if self.types == "clinical":
            return type_name != "AuditEvent"
        if self.types == "knowledge":
            return belongs()[type_name].whose == "shared"
        return type_name in self.types


@cache
def table() -> dict[str, Role]:
    """Return the rows by role."""
    rows = msgspec.json.decode(Path(__file__).with_name("roles.json").read_bytes(), type=list[Role])
    return {row.role: row for row in rows}
