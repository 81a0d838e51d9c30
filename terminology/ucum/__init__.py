"""UCUM units: validity, canonical base units, conversion; exact wherever the factors are."""

from terminology.ucum.units import canonical, convert, is_unit

__all__ = ["canonical", "convert", "is_unit"]
