"""The unit table: read from the official `ucum-essence.xml` that the package `ucumvert` carries.

Only that file is used. `ucumvert` itself (on pint: floats, 0.8 s to start) is never imported.
Source: https://ucum.org/ucum, table version 2.2
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from lxml import etree

_NAMESPACE = "{http://unitsofmeasure.org/ucum-essence}"
_FILE = Path("vendor") / "ucum-essence.xml"


class UnitTableMissingError(RuntimeError):
    """The package with the unit table is not installed."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One unit of the table: a base unit, or `value` times `unit`.

    Shape:  `function` names the conversion of a special unit (degrees, logarithms); `arbitrary` units are
            commensurable with nothing but themselves
    """

    code: str
    metric: bool
    value: Fraction
    unit: str
    function: str = ""
    arbitrary: bool = False
    base: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Prefixes and atoms by code, and every way a simple unit can be written."""

    prefixes: dict[str, Fraction]
    atoms: dict[str, Atom]
    simple: dict[str, tuple[Fraction, Atom]]
    longest: int


@cache
def table() -> Table:
    """Return the unit table, read at the first call (about 10 ms)."""
    root = etree.fromstring(_path().read_bytes())
    prefixes = {p.get("Code", ""): _number(p) for p in root.iterfind(f"{_NAMESPACE}prefix")}
    atoms = {}
    for element in root.iterfind(f"{_NAMESPACE}base-unit"):
        code = element.get("Code", "")
        atoms[code] = Atom(code, metric=True, value=Fraction(1), unit=code, base=True)
    for element in root.iterfind(f"{_NAMESPACE}unit"):
        atom = _atom(element)
        atoms[atom.code] = atom
    simple = {
        prefix + atom.code: (factor, atom)
        for atom in atoms.values()
        if atom.metric
        for prefix, factor in prefixes.items()
    }
    simple.update((atom.code, (Fraction(1), atom)) for atom in atoms.values())
    return Table(prefixes, atoms, simple, max(map(len, simple)))


def _path() -> Path:
    spec = importlib.util.find_spec("ucumvert")
    if spec is None or not spec.submodule_search_locations:
        raise UnitTableMissingError("the package ucumvert, which carries the UCUM table, is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / _FILE


def _number(element: etree._Element) -> Fraction:
    value = element.find(f"{_NAMESPACE}value")
    return Fraction(value.get("value", "1")) if value is not None else Fraction(1)


def _atom(element: etree._Element) -> Atom:
    value = element.find(f"{_NAMESPACE}value")
    function = None if value is None else value.find(f"{_NAMESPACE}function")
    source = value if function is None else function
    if source is None:
        raise UnitTableMissingError(f"the unit table gives no value for {element.get('Code')}")
    return Atom(
        code=element.get("Code", ""),
        metric=element.get("isMetric") == "yes",
        value=Fraction(source.get("value", "1")),
        unit=source.get("Unit", "1"),
        function="" if function is None else function.get("name", ""),
        arbitrary=element.get("isArbitrary") == "yes",
    )
