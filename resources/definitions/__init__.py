"""The R4 definitions of this process: compiled once from the official package, loaded in milliseconds."""

from __future__ import annotations

import os
from functools import cache, cached_property
from pathlib import Path

import msgspec

from resources.definitions.model import Element, Operation, Package, SearchParam, TypeDef

__all__ = [
    "Definitions",
    "DefinitionsMissingError",
    "Element",
    "Operation",
    "SearchParam",
    "TypeDef",
    "cache_file",
    "definitions",
    "save",
]

FORMAT = 1
"""Raised whenever `model.py` changes shape, so that an older cache is compiled anew."""


class DefinitionsMissingError(RuntimeError):
    """The compiled definitions are not there yet: `healthbuddy definitions` makes them."""


class Definitions:
    """Look-ups over one compiled package."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.resource_types: tuple[str, ...] = tuple(
            name for name, t in package.types.items() if t.kind == "resource" and not t.abstract
        )
        self._search: dict[str, dict[str, SearchParam]] = {}

    def type(self, name: str) -> TypeDef:
        """Return the type called `name`; raises KeyError where there is none."""
        return self.package.types[name]

    def is_resource(self, name: object) -> bool:
        """Whether `name` is a concrete resource type."""
        return name in self._resource_set

    @cached_property
    def _resource_set(self) -> frozenset[object]:
        return frozenset(self.resource_types)

    def search_params(self, type_name: str) -> dict[str, SearchParam]:
        """Return the official search parameters of a resource type by code, the common ones included."""
        found = self._search.get(type_name)
        if found is None:
            bases = {type_name, "Resource", "DomainResource"}
            if self.type(type_name).base == "Resource":
                bases.discard("DomainResource")
            found = {p.code: p for p in self.package.search if bases.intersection(p.base)}
            self._search[type_name] = found
        return found

    def compartment(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return {resource type: search parameters that put it into the compartment}."""
        return self.package.compartments[name]

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The official operations."""
        return self.package.operations

    def valueset_codes(self, url: str) -> frozenset[tuple[str, str]] | None:
        """Return every (system, code) of a required binding's value set, None where it cannot be listed."""
        return self._valuesets.get(url)

    @cached_property
    def _valuesets(self) -> dict[str, frozenset[tuple[str, str]]]:
        return {
            url: frozenset((system, code) for system, codes in groups for code in codes)
            for url, groups in self.package.valuesets.items()
        }


def cache_file() -> Path:
    """Return where the compiled definitions lie (HEALTHBUDDY_CACHE_DIR, else `.cache` beside the sources)."""
    folder = os.environ.get("HEALTHBUDDY_CACHE_DIR")
    root = Path(folder) if folder else Path(__file__).resolve().parents[2] / ".cache"
    return root / f"hl7.fhir.r4.core-4.0.1.{FORMAT}.msgpack"


def save(package: Package, path: Path) -> None:
    """Write `package` to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(msgspec.msgpack.encode(package))
    draft.replace(path)


@cache
def definitions() -> Definitions:
    """Return the definitions of this process, loaded at the first call."""
    path = cache_file()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DefinitionsMissingError(f"{path} is missing: run `healthbuddy definitions`") from None
    return Definitions(msgspec.msgpack.decode(data, type=Package))
