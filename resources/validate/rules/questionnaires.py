"""Questionnaires: items that name each other rightly, and values of the type of their question.

Source: http://hl7.org/fhir/R4/questionnaire.html (que-1 to que-13 but que-2 are evaluated as the invariants they are)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resources.validate.primitives import PRIMITIVES, holds
from resources.validate.rules.hooks import Run

Json = dict[str, Any]

SILENT = frozenset({"group", "display"})
"""Items without answers."""

ANSWERS: dict[str, frozenset[str]] = {
    "boolean": frozenset({"Boolean"}),
    "decimal": frozenset({"Decimal"}),
    "integer": frozenset({"Integer"}),
    "date": frozenset({"Date"}),
    "dateTime": frozenset({"DateTime"}),
    "time": frozenset({"Time"}),
    "string": frozenset({"String"}),
    "text": frozenset({"String"}),
    "url": frozenset({"Uri"}),
    "choice": frozenset({"Coding"}),
    "open-choice": frozenset({"Coding", "String"}),
    "attachment": frozenset({"Attachment"}),
    "reference": frozenset({"Reference"}),
    "quantity": frozenset({"Quantity"}),
}
"""The types of the answers to a question of each type. Source: http://hl7.org/fhir/R4/valueset-item-type.html"""

_CHOICES = frozenset({"choice", "open-choice"})


def answers_of(item: Json) -> frozenset[str] | None:
    """Return the types that answers to a question may have, None where they are not known."""
    allowed = ANSWERS.get(item.get("type", ""))
    if allowed is None or item.get("type") not in _CHOICES:
        return allowed
    options = {kind for option in item.get("answerOption", ()) for kind, _ in [value_of(option)] if kind}
    return (allowed | options) if "String" in allowed or not options else frozenset(options)


def value_of(holder: Json, prefix: str = "value") -> tuple[str, Any]:
    """Return (type as in the key, value) of a choice element, ('', None) where it has none."""
    for key, value in holder.items():
        if key.startswith(prefix) and len(key) > len(prefix) and key[len(prefix)].isupper():
            return key[len(prefix) :], value
    return "", None


def shaped(kind: str, value: Any) -> bool:
    """Whether a value is one of its type at all, so that it can be looked into."""
    primitive = PRIMITIVES.get(kind[:1].lower() + kind[1:])
    return holds(primitive.check, value) if primitive is not None else bool(kind) and type(value) is dict


def items(questionnaire: Json, path: str) -> Iterator[tuple[Json, str]]:
    """Yield every item of a Questionnaire with its location, in order."""
    for index, item in enumerate(questionnaire.get("item", ())):
        place = f"{path}.item[{index}]"
        yield item, place
        yield from items(item, place)


def check(run: Run, questionnaire: Json, path: str) -> None:
    """Say what is wrong about the items of a Questionnaire beyond its invariants."""
    listed = list(items(questionnaire, path))
    known: dict[str, Json] = {}
    for item, place in listed:
        name = item.get("linkId")
        if name is None:
            continue
        if name in known:
            run.say("questionnaire-linkid-duplicate", f"{place}.linkId", linkid=name)
        known.setdefault(name, item)
    for item, place in listed:
        for index, rule in enumerate(item.get("enableWhen", ())):
            _check_rule(run, rule, known, f"{place}.enableWhen[{index}]")
        _check_values(run, item, place)


def _check_rule(run: Run, rule: Json, known: dict[str, Json], place: str) -> None:
    name = rule.get("question", "")
    asked = known.get(name)
    if asked is None:
        run.say("questionnaire-enable-question", f"{place}.question", linkid=name)
        return
    kind = asked.get("type", "")
    if kind in SILENT:
        run.say("questionnaire-enable-display", f"{place}.question", linkid=name, type=kind)
        return
    found, _ = value_of(rule, "answer")
    allowed = answers_of(asked)
    if rule.get("operator") != "exists" and found and allowed and found not in allowed:
        run.say("questionnaire-enable-type", f"{place}.answer", linkid=name, type=kind, found=found)


def _check_values(run: Run, item: Json, place: str) -> None:
    kind = item.get("type", "")
    plain = ANSWERS.get(kind)
    if plain is None:
        return
    for index, option in enumerate(item.get("answerOption", ())):
        found, _ = value_of(option)
        if found and kind not in _CHOICES and found not in plain:
            run.say(
                "questionnaire-option-type", f"{place}.answerOption[{index}].value", type=kind, found=found
            )
    for index, initial in enumerate(item.get("initial", ())):
        found, _ = value_of(initial)
        if found and found not in (answers_of(item) or plain):
            run.say("questionnaire-initial-type", f"{place}.initial[{index}].value", type=kind, found=found)
