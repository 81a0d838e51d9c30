"""The syntax tree of an expression."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from resources.fhirpath.quantity import Quantity
from resources.fhirpath.temporal import Temporal


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: bool | int | Decimal | str | Temporal | Quantity


@dataclass(frozen=True, slots=True)
class Empty:
    """`{}`."""


@dataclass(frozen=True, slots=True)
class This:
    """`$this`."""


@dataclass(frozen=True, slots=True)
class Special:
    """`$index` or `$total`."""

    name: str


@dataclass(frozen=True, slots=True)
class External:
    """`%name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`; without a base the start of a path: a child of the focus, or its type."""

    base: Expr | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`base.name(arguments)`; without a base on the focus."""

    base: Expr | None
    name: str
    arguments: tuple[Expr, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Index:
    """`base[index]`."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Polarity:
    """`-operand` or `+operand`."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right` for every operator but union and the type operators."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Union:
    """`a | b | c`."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`operand is namespace.name`, `operand as …`; functions `is() as() ofType()` become this too."""

    operator: str
    operand: Expr | None
    namespace: str
    name: str


Expr = (
    Literal | Empty | This | Special | External | Member | Call | Index | Polarity | Binary | Union | TypeTest
)
