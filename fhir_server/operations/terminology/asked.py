"""What calls of terminology operations ask about: codes, resources, languages, dates.

Source: http://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from fhir_server.operations.parameters import Call, Given
from resources.outcome import FhirError

Json = dict[str, Any]

MOST_CODINGS = 100
"""The most codings of one CodeableConcept."""


class Asked(NamedTuple):
    """A code that a call asks about; `where` is the parameter that it came in."""

    system: str
    code: str
    version: str = ""
    display: str = ""
    where: str = "code"

    @property
    def coding(self) -> Json:
        """The code as a Coding."""
        said = {"system": self.system, "version": self.version, "code": self.code, "display": self.display}
        return {name: text for name, text in said.items() if text}

    @property
    def called(self) -> str:
        """The code as messages name it."""
        return f"{self.system}|{self.code}" if self.system else self.code


def structure(call: Call, name: str, kind: str) -> Json | None:
    """Return the value of a parameter of a complex type, or a resource of type `kind`.

    Errors: 400 value for anything else
    """
    found = call.one(name)
    if found is None:
        return None
    return of_kind(call, found, kind)


def of_kind(call: Call, found: Given, kind: str) -> Json:
    """Return the value of `found`, which is of type `kind`; raises FhirError 400 value."""
    value = found.value
    fits = isinstance(value, dict) and kind in (found.type, value.get("resourceType"))
    if not fits:
        text = f"{call.operation} takes a {kind} as '{found.name}', in a Parameters resource"
        raise FhirError(400, "value", text, found.name)
    held: Json = value
    return held


def code_of(call: Call, code: str, coding: str, *, system: str = "", version: str = "") -> Asked | None:
    """Return the code that one of two parameters gives, None where neither does.

    Shape:  `code` and `coding` name the parameters; `system` and `version` go with a plain code
    Errors: 400 where both are there, or a Coding has no code
    """
    plain, whole = call.text(code), structure(call, coding, "Coding")
    if plain is not None and whole is not None:
        raise FhirError(400, "invalid", f"{call.operation} takes '{code}' or '{coding}', not both", coding)
    if whole is not None:
        return in_coding(whole, coding)
    return Asked(system, plain, version, where=code) if plain is not None else None


def in_coding(coding: Json, where: str) -> Asked:
    """Return the code of a Coding; raises FhirError 400 where it has none."""
    if "code" not in coding:
        raise FhirError(400, "required", f"The Coding of '{where}' has no code", where)
    told = coding.get
    return Asked(told("system", ""), coding["code"], told("version", ""), told("display", ""), where)


def codes_of(call: Call, plain: Asked | None) -> list[Asked]:
    """Return the codes that a call asks about: `plain`, its `coding`, or those of its `codeableConcept`.

    Errors: 400 where none or more than one of these is there
    """
    given = [name for name in ("code", "coding", "codeableConcept") if call.all(name)]
    if len(given) != 1:
        text = f"{call.operation} takes one of 'code', 'coding' and 'codeableConcept'"
        raise FhirError(400, "invalid" if given else "required", text, *given)
    if plain is not None:
        return [plain]
    if given == ["coding"]:
        coding = structure(call, "coding", "Coding")
        assert coding is not None
        return [in_coding(coding, "coding")]
    concept = structure(call, "codeableConcept", "CodeableConcept") or {}
    codings: Sequence[Json] = [one for one in concept.get("coding", ()) if "code" in one]
    if not codings:
        raise FhirError(400, "required", "The CodeableConcept has no coding with a code", "codeableConcept")
    if len(codings) > MOST_CODINGS:
        raise FhirError(400, "too-costly", f"A CodeableConcept may have {MOST_CODINGS} codings here")
    return [in_coding(one, "codeableConcept") for one in codings]


def language(call: Call) -> str:
    """Return the language that displays are wanted in, empty where any will do."""
    return call.text("displayLanguage") or ""


def refuse_past(call: Call) -> None:
    """Refuse a date before today: what code systems and value sets said then is not kept for this.

    Errors: 400 not-supported, 400 value where it is no date
    """
    text = call.text("date")
    if text is None:
        return
    day = _last_day(text)
    if day is None:
        raise FhirError(400, "value", f"'{text[:50]}' is no dateTime", "date")
    if day < datetime.now(UTC).date():
        said = "Terminology is answered as it is now; 'date' may not lie in the past"
        raise FhirError(400, "not-supported", said, "date")


def _last_day(text: str) -> date | None:
    """Return the last day that a dateTime can mean, None where it is none."""
    try:
        if len(text) == 4:
            return date(int(text), 12, 31)
        if len(text) == 7:
            return date(int(text[:4]), int(text[5:]), 28)
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None
