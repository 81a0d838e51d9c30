"""The functions of the language, one module per chapter of the specification."""

from resources.fhirpath.functions import (
    boundaries,
    collections,
    conversion,
    existence,
    fhir,
    math,
    strings,
    structure,
    utility,
)
from resources.fhirpath.functions.registry import FUNCTIONS, LAMBDAS, check_arity

__all__ = [
    "FUNCTIONS",
    "LAMBDAS",
    "boundaries",
    "check_arity",
    "collections",
    "conversion",
    "existence",
    "fhir",
    "math",
    "strings",
    "structure",
    "utility",
]
