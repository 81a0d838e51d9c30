"""What the language needs from outside `resources/`: units, terminology, profiles.

The wiring registers callables once at start; without them the functions answer empty or compare like units only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from resources.definitions.structures import published_structure

Json = dict[str, Any]


@dataclass(slots=True)
class Ports:
    """The registered callables.

    Shape:  `canonical(value, UCUM code)` gives value and unit in base units, None for no UCUM code;
            `member_of(code | Coding | CodeableConcept, value set url)` and `subsumes(a, b)` give None when unknown;
            `conforms_to(element, profile url)` gives None for an unknown profile; `html_problem(div)` says why a
            narrative is not allowed, '' where it is; `structure(url)` finds a StructureDefinition, R4's own at first
    """

    canonical: Callable[[Decimal, str], tuple[Decimal, str] | None] | None = None
    member_of: Callable[[Any, str], bool | None] | None = None
    subsumes: Callable[[Any, Any], bool | None] | None = None
    conforms_to: Callable[[Json, str], bool | None] | None = None
    resolve: Callable[[str], Json | None] | None = None
    html_problem: Callable[[str], str] | None = None
    structure: Callable[[str], Json | None] = published_structure


PORTS = Ports()


def register(**callables: Callable[..., Any]) -> None:
    """Set the named ports, process-wide."""
    for name, function in callables.items():
        setattr(PORTS, name, function)
