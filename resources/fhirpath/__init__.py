"""FHIRPath: parsed once, compiled to Python, over plain resources."""

from resources.fhirpath.environment import DEFAULT, USER, Limits
from resources.fhirpath.expression import Expression, compile  # noqa: A004
from resources.fhirpath.extract import extractor
from resources.fhirpath.ports import register
from resources.fhirpath.values import Typed

__all__ = ["DEFAULT", "USER", "Expression", "Limits", "Typed", "compile", "extractor", "register"]
