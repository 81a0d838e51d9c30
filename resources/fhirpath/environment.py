"""What one evaluation carries along: the resource, variables, clock and budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from resources.fhirpath.errors import evaluation_error, too_costly
from resources.fhirpath.ports import PORTS, Ports
from resources.fhirpath.values import Items, Json, Node, system

Resolve = Callable[[str], Json | None]
Closure = Callable[["Environment", Items], Items]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an evaluation may cost: items visited, seconds, length of a produced string."""

    steps: int = 5_000_000
    seconds: float = 30.0
    text: int = 1_000_000


DEFAULT = Limits()
USER = Limits(steps=200_000, seconds=1.0, text=200_000)
"""For expressions that a client sends."""

_CLOCK_EVERY = 256


class Environment:
    """The state of one evaluation."""

    __slots__ = (
        "calls",
        "deadline",
        "index",
        "limits",
        "now",
        "ports",
        "resolve",
        "root",
        "steps",
        "strict",
        "total",
        "variables",
    )

    def __init__(
        self,
        root: Node | None,
        variables: Mapping[str, Any],
        resolve: Resolve | None,
        limits: Limits = DEFAULT,
        strict: bool = False,
    ) -> None:
        self.root = root
        self.variables = variables
        self.resolve = resolve
        self.limits = limits
        self.steps = limits.steps
        self.deadline = time.monotonic() + limits.seconds
        self.calls = 0
        self.strict = strict
        self.index: int | None = None
        self.total: Items = []
        self.now: datetime | None = None
        self.ports: Ports = PORTS

    def spend(self, count: int) -> None:
        """Take `count` visited items off the budget."""
        self.steps -= count
        if self.steps < 0:
            raise too_costly(f"more than {self.limits.steps} steps")
        self.calls += 1
        if self.calls % _CLOCK_EVERY == 0:
            self.seconds_left()

    def seconds_left(self) -> float:
        """Return what is left of the time; refused where that is nothing."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise too_costly(f"longer than {self.limits.seconds} seconds")
        return left

    def text(self, value: str) -> str:
        """Return a produced string, refused where it is too long."""
        if len(value) > self.limits.text:
            raise too_costly(f"a string of more than {self.limits.text} characters")
        return value

    def moment(self) -> datetime:
        """Return the one clock reading of this evaluation."""
        if self.now is None:
            self.now = datetime.now(UTC).astimezone()
        return self.now


def single(items: Items, what: str = "this") -> Any:
    """Return the System value of the one item, None of none; FhirError where there are several."""
    if not items:
        return None
    if len(items) > 1:
        raise evaluation_error(f"{what} takes one value, not {len(items)}")
    return system(items[0])


def truth(items: Items, what: str = "a condition") -> bool | None:
    """Return the boolean of a collection: one item that is no boolean counts as true; None of none."""
    value = single(items, what)
    return value if isinstance(value, bool) or value is None else True


def boolean(value: bool | None) -> Items:
    """Return a boolean as a collection."""
    return [] if value is None else [value]
