"""Which of several versions of a url is meant where none is named.

An active one before a draft before a retired one, then the greatest version, then the last written.
Source: http://hl7.org/fhir/R4/references.html#canonical (which leaves the choice to the server)
"""

from __future__ import annotations

import re
from datetime import datetime

_RANK = {"active": 2, "retired": 0}

Natural = list[tuple[int, int, str]]


def rank(status: str, version: str, updated: datetime, rid: int) -> tuple[int, Natural, datetime, int]:
    """Return what orders the versions of a url: the greatest is taken."""
    return _RANK.get(status, 1), natural(version), updated, rid


def natural(version: str) -> Natural:
    """Return what orders versions: runs of digits count as numbers (1.2 < 1.10), and more than words."""
    parts = re.findall(r"\d+|[^\d.]+", version)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
