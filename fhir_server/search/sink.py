"""Where the indexers of one resource put what they find."""

from __future__ import annotations

from collections.abc import Mapping

from fhir_server.storage.rows import MISSING_DATE, Composite, ContainedRows, IndexRows, Numeric

NOTHING: Mapping[str, str] = {}


class Sink:
    """The growing index rows of one resource; sets, since several elements may say the same.

    Shape:  `inside` are the types of what it contains by local id, for a contained resource with its container's as ""
    """

    __slots__ = (
        "codings",
        "composites",
        "contained",
        "d0",
        "d1",
        "dates",
        "edges",
        "inside",
        "labels",
        "numbers",
        "patient",
        "positions",
        "posts",
        "present",
        "strings",
        "text",
        "tokens",
    )

    def __init__(self, inside: Mapping[str, str] = NOTHING) -> None:
        self.inside = inside
        self.d0 = self.d1 = MISSING_DATE
        self.tokens: set[int] = set()
        self.posts: set[int] = set()
        self.present: set[int] = set()
        self.strings: set[tuple[int, str, str]] = set()
        self.dates: set[tuple[int, int, int]] = set()
        self.numbers: set[Numeric] = set()
        self.edges: set[tuple[int, str, str]] = set()
        self.patient: str | None = None
        self.composites: list[Composite] = []
        self.positions: set[tuple[int, float, float]] = set()
        self.text = ""
        self.labels: set[tuple[int, str, int]] = set()
        self.codings: set[tuple[str, str]] = set()
        self.contained: list[ContainedRows] = []

    def rows(self) -> IndexRows:
        """Return the rows, in an order that depends on nothing but their content."""
        return IndexRows(
            d0=self.d0,
            d1=self.d1,
            tokens=sorted(self.tokens),
            posts=sorted(self.posts),
            present=sorted(self.present),
            strings=sorted(self.strings),
            dates=sorted(self.dates),
            numbers=sorted(self.numbers, key=repr) if len(self.numbers) > 1 else list(self.numbers),
            edges=sorted(self.edges),
            patient=self.patient,
            composites=self.composites,
            positions=sorted(self.positions),
            text=self.text,
            labels=sorted(self.labels),
            codings=sorted(self.codings),
            contained=self.contained,
        )
