"""The name of a concept in the language that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_server.concepts.lookup import best_name
from fhir_server.operations.terminology.answers import Json
from terminology.records import Designation


def display(own: str, others: Iterable[Designation], languages: Sequence[str]) -> str:
    """Return the display of a concept: the name that fits `languages` best, else its own.

    Shape:  of several that fit alike the first, one without a use or with the use 'display' before others
    """
    ranked = [(best_name(one, languages), one.use is None or one.use[1] == "display", one) for one in others]
    fitting = [entry for entry in ranked if entry[0]]
    return max(fitting, key=lambda entry: entry[:2])[2].value if fitting else own


def designation(one: Designation) -> Json:
    """Return a designation as CodeSystem and ValueSet write it."""
    said: Json = {"language": one.language} if one.language else {}
    if one.use is not None:
        names = zip(("system", "code", "display"), one.use, strict=True)
        said["use"] = {name: text for name, text in names if text}
    return said | {"value": one.value}
