"""One answer of a form against its question: type, options, length and range.

Source: http://hl7.org/fhir/R4/questionnaire-definitions.html, questionnaire-profiles.html (minValue, maxValue, …)
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from resources.outcome import STRUCTURE
from resources.validate.asks import PENDING, Coded
from resources.validate.rules.enabling import equal
from resources.validate.rules.hooks import Run
from resources.validate.rules.questionnaires import answers_of, shaped, value_of

Json = dict[str, Any]
_ORDERED = frozenset({"Decimal", "Integer", "Date", "DateTime", "Time"})


def check_answer(run: Run, questionnaire: Json, asked: Json, answer: Json, path: str) -> None:
    """Say what is wrong about one answer to the question `asked`."""
    name, where = asked.get("linkId", ""), f"{path}.value"
    kind, value = value_of(answer)
    allowed = answers_of(asked)
    if not shaped(kind, value) or allowed is None:
        return
    if kind not in allowed:
        wanted = " or ".join(sorted(allowed))
        run.say("response-answer-type", where, linkid=name, wanted=wanted, found=kind)
        return
    longest = asked.get("maxLength")
    if kind in ("String", "Uri") and type(longest) is int and len(value) > longest:
        run.say("response-too-long", where, linkid=name, length=len(value), longest=longest)
    if kind in _ORDERED:
        _check_range(run, asked, kind, value, where)
    _check_options(run, questionnaire, asked, (kind, value), where)


# ------------------------------------------------------------------------------------------------ ranges


def _check_range(run: Run, asked: Json, kind: str, value: Any, where: str) -> None:
    name = asked.get("linkId", "")
    for side, sign in (("minValue", "below"), ("maxValue", "above")):
        for found, limit in _extensions(asked, side):
            if found == kind and _beyond(kind, value, limit, sign):
                run.say("response-out-of-range", where, linkid=name, value=value, side=sign, limit=limit)
    if kind == "Decimal":
        exponent = Decimal(value).as_tuple().exponent
        for _, places in _extensions(asked, "maxDecimalPlaces"):
            if type(places) is int and isinstance(exponent, int) and -exponent > places:
                run.say("response-decimals", where, linkid=name, value=value, places=places)


def _extensions(item: Json, name: str) -> Iterator[tuple[str, Any]]:
    for one in item.get("extension", ()):
        if one.get("url") == STRUCTURE + name:
            yield value_of(one)


def _beyond(kind: str, value: Any, limit: Any, sign: str) -> bool:
    """Whether a value lies outside; dates of different precision are compared as far as both go."""
    if kind in ("Decimal", "Integer"):
        found, border = Decimal(value), Decimal(limit)
        return found < border if sign == "below" else found > border
    if kind == "DateTime" and value[19:] != limit[19:] and min(len(value), len(limit)) > 10:
        return False
    size = min(len(value), len(limit))
    return bool(value[:size] < limit[:size] if sign == "below" else value[:size] > limit[:size])


# ----------------------------------------------------------------------------------------------- options


def _check_options(run: Run, questionnaire: Json, asked: Json, given: tuple[str, Any], where: str) -> None:
    kind, value = given
    if kind == "String" and asked.get("type") == "open-choice":
        return
    name = asked.get("linkId", "")
    options = [value_of(option) for option in asked.get("answerOption", ())]
    if options:
        if not any(found == kind and equal(kind, option, value) for found, option in options):
            run.say("response-option", where, linkid=name, value=_shown(value))
    elif kind == "Coding" and type(asked.get("answerValueSet")) is str and type(value.get("code")) is str:
        _check_valueset(run, questionnaire, asked, value, where)


def _check_valueset(run: Run, questionnaire: Json, asked: Json, value: Json, where: str) -> None:
    name, valueset = asked.get("linkId", ""), asked["answerValueSet"]
    if valueset.startswith("#"):
        member = _in_contained(questionnaire, valueset[1:], value)
        why = f"the contained value set {valueset} does not list its codes"
    else:
        verdict = run.asks.coded(Coded(valueset, value.get("system", ""), value["code"]))
        if verdict is PENDING:
            return
        member, why = verdict.member, verdict.text
    if member is None:
        run.say("response-valueset-unknown", where, linkid=name, value=_shown(value), why=why)
    elif not member:
        run.say("response-option", where, linkid=name, value=_shown(value))


def _in_contained(questionnaire: Json, name: str, value: Json) -> bool | None:
    """Return whether a code is in a contained value set, None where that does not list its codes."""
    found = [one for one in questionnaire.get("contained", ()) if one.get("id") == name]
    if len(found) != 1:
        return None
    includes = found[0].get("compose", {}).get("include", [])
    system, code = value.get("system"), value["code"]
    if any(
        i.get("system") == system and any(c["code"] == code for c in i.get("concept", ())) for i in includes
    ):
        return True
    return False if includes and all("concept" in i and "valueSet" not in i for i in includes) else None


def _shown(value: Any) -> str:
    if type(value) is dict:
        return f"{value.get('system', '')}#{value.get('code', value.get('reference', ''))}"
    return str(value)
