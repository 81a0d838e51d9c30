"""QuestionnaireResponses: the answers of a form against the Questionnaire that it names.

Source: http://hl7.org/fhir/R4/questionnaireresponse.html#notes
"""

from __future__ import annotations

from typing import Any

from resources.validate.asks import PENDING, Target
from resources.validate.gate import accepts
from resources.validate.rules.answers import check_answer
from resources.validate.rules.enabling import Answers, answers, enabled
from resources.validate.rules.hooks import Run
from resources.validate.rules.questionnaires import SILENT
from resources.validate.rules.scopes import Scope

Json = dict[str, Any]
_DONE = frozenset({"completed", "amended"})


def check(run: Run, response: Json, path: str, scope: Scope) -> None:
    """Say where the items and answers are not as the Questionnaire has them."""
    canonical = response.get("questionnaire")
    if type(canonical) is not str:
        run.say("response-questionnaire-missing", path)
        return
    found = _questionnaire(run, canonical, scope)
    if found is PENDING:
        return
    if not isinstance(found, dict) or found.get("resourceType") != "Questionnaire" or not accepts(found):
        run.say("response-questionnaire-unknown", f"{path}.questionnaire", canonical=canonical)
        return
    _Checker(run, found, response).items(found, response, path, ())


def _questionnaire(run: Run, canonical: str, scope: Scope) -> Any:
    if canonical.startswith("#"):
        return scope.contained(canonical[1:])
    target = run.asks.target(canonical)
    return target.resource if isinstance(target, Target) else target


class _Checker:
    """One response: its answers, and where each item of the Questionnaire belongs."""

    def __init__(self, run: Run, questionnaire: Json, response: Json) -> None:
        self._run = run
        self._questionnaire = questionnaire
        self._all = answers(response.get("item", []))
        self._status = response.get("status", "")
        self._parents: dict[str, str] = {}
        self._place(questionnaire, "")

    def _place(self, holder: Json, name: str) -> None:
        for item in holder.get("item", ()):
            self._parents.setdefault(item.get("linkId", ""), name)
            self._place(item, item.get("linkId", ""))

    def items(self, asked: Json, given: Json, path: str, levels: tuple[Answers, ...]) -> None:
        """Check the items of `given` (response, item or answer) against those of `asked`."""
        listed: list[Json] = given.get("item", [])
        defined: dict[str, Json] = {item.get("linkId", ""): item for item in asked.get("item", ())}
        near = (answers(listed), *levels)
        self._order(list(defined), listed, path)
        seen: dict[str, list[tuple[Json, str]]] = {}
        for index, item in enumerate(listed):
            name, place = item.get("linkId", ""), f"{path}.item[{index}]"
            if name in defined:
                seen.setdefault(name, []).append((item, place))
            else:
                self._stray(name, place)
        for name, item in defined.items():
            self._item(item, seen.get(name, []), path, near)

    def _stray(self, name: str, place: str) -> None:
        if name not in self._parents:
            self._run.say("response-linkid-unknown", f"{place}.linkId", linkid=name)
            return
        parent = self._parents[name]
        belongs = f"below {parent}" if parent else "at the top"
        self._run.say("response-linkid-misplaced", f"{place}.linkId", linkid=name, place=belongs)

    def _order(self, names: list[str], listed: list[Json], path: str) -> None:
        furthest = -1
        for index, item in enumerate(listed):
            name = item.get("linkId", "")
            if name not in names:
                continue
            at = names.index(name)
            if at < furthest:
                other = names[furthest]
                self._run.say("response-order", f"{path}.item[{index}]", linkid=name, other=other)
            furthest = max(furthest, at)

    def _item(
        self, asked: Json, given: list[tuple[Json, str]], path: str, levels: tuple[Answers, ...]
    ) -> None:
        name, kind = asked.get("linkId", ""), asked.get("type", "")
        on = enabled(asked, *levels, self._all)
        if on is False:
            for _, place in given if kind != "display" else ():
                self._run.say("response-disabled", place, linkid=name)
            return
        if asked.get("required") and on and kind != "display":
            self._required(asked, [item for item, _ in given], path)
        if len(given) > 1 and not asked.get("repeats"):
            self._run.say("response-item-repeats", given[1][1], linkid=name)
        for item, place in given:
            self._one(asked, item, place, levels)

    def _required(self, asked: Json, given: list[Json], path: str) -> None:
        has = any(item.get("answer") or (asked.get("type") == "group" and item.get("item")) for item in given)
        if has or self._status not in _DONE | {"in-progress"}:
            return
        message = "response-required" if self._status in _DONE else "response-required-later"
        self._run.say(message, f"{path}.item", linkid=asked.get("linkId", ""))

    def _one(self, asked: Json, item: Json, place: str, levels: tuple[Answers, ...]) -> None:
        name, kind, given = asked.get("linkId", ""), asked.get("type", ""), item.get("answer", [])
        text = asked.get("text")
        if "text" in item and text is not None and item["text"].split() != text.split():
            self._run.say("response-text-differs", f"{place}.text", linkid=name, text=text)
        if kind in SILENT:
            if given:
                self._run.say("response-answer-to-group", f"{place}.answer", linkid=name, type=kind)
            self.items(asked, item, place, levels)
            return
        if item.get("item"):
            self._run.say("response-nesting", f"{place}.item", linkid=name)
        if len(given) > 1 and not asked.get("repeats"):
            self._run.say("response-answers-repeat", f"{place}.answer", linkid=name, count=len(given))
        for index, answer in enumerate(given):
            where = f"{place}.answer[{index}]"
            check_answer(self._run, self._questionnaire, asked, answer, where)
            self.items(asked, answer, where, levels)
