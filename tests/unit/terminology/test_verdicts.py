"""One code in a value set, without listing it. Source: http://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate.asks import Coded
from terminology.codesystems import CodeSystem
from terminology.grammars import GRAMMARS, Grammar
from terminology.verdicts import verdict

S, T, LOST = "http://x.org/s", "http://x.org/t", "http://x.org/lost"
SYSTEM: dict[str, Any] = {
    "url": S,
    "version": "1",
    "content": "complete",
    "caseSensitive": True,
    "concept": [
        {"code": "a", "display": "Apple", "designation": [{"value": "Apfel"}], "concept": [{"code": "a1"}]},
        {"code": "old", "property": [{"code": "inactive", "valueBoolean": True}]},
        {"code": "group", "property": [{"code": "notSelectable", "valueBoolean": True}]},
    ],
}
PART = {"url": T, "content": "fragment", "concept": [{"code": "t"}]}


class Shelf:
    """Value sets and code systems in memory."""

    def __init__(self, **valuesets: Any) -> None:
        self._valuesets = valuesets

    def valueset(self, canonical: str, /) -> Any:
        return self._valuesets.get(canonical)

    def codesystem(self, url: str, version: str, /) -> CodeSystem | None:
        known = {S: SYSTEM, T: PART}.get(url)
        return CodeSystem(known) if known and version in ("", known.get("version", "")) else None

    def grammar(self, url: str, /) -> Grammar | None:
        return GRAMMARS.get(url)


def member(compose: Any, system: str | None, code: str, **others: Any) -> tuple[bool | None, str]:
    found = verdict(Coded("vs", system, code), Shelf(vs={"url": "vs", "compose": compose}, **others))
    return found.member, found.trouble


def include(*rules: Any, **more: Any) -> Any:
    return {"include": list(rules), **more}


@pytest.mark.parametrize(
    ("compose", "system", "code", "expected"),
    [
        (include({"system": S}), S, "a", (True, "")),
        (include({"system": S}), None, "a1", (True, "")),
        (include({"system": S}), S, "z", (False, "unknown-code")),
        (include({"system": S}), T, "t", (False, "not-in-value-set")),
        (include({"system": S, "concept": [{"code": "a"}]}), S, "a1", (False, "not-in-value-set")),
        (include({"system": LOST, "concept": [{"code": "l"}]}), LOST, "l", (True, "")),
        (include({"system": LOST, "concept": [{"code": "l"}]}), LOST, "m", (False, "not-in-value-set")),
        (include({"system": LOST}), LOST, "l", (None, "unknown-system")),
        (include({"system": LOST}), S, "a", (False, "not-in-value-set")),
        (include({"system": LOST}, {"system": S}), S, "a", (True, "")),
        (include({"system": T}), T, "t", (True, "")),
        (include({"system": T}), T, "u", (None, "unknown-system")),
        (
            include({"system": S, "filter": [{"property": "concept", "op": "is-a", "value": "a"}]}),
            S,
            "a1",
            (True, ""),
        ),
        (
            include({"system": S, "filter": [{"property": "concept", "op": "is-a", "value": "a"}]}),
            S,
            "old",
            (False, "not-in-value-set"),
        ),
        (
            include({"system": S}, exclude=[{"system": S, "concept": [{"code": "a"}]}]),
            S,
            "a",
            (False, "not-in-value-set"),
        ),
        (include({"system": S}, exclude=[{"valueSet": ["gone"]}]), S, "a", (None, "unknown-system")),
        (include({"system": S}, inactive=False), S, "old", (False, "not-in-value-set")),
        (include({"system": S}), S, "old", (True, "inactive")),
        (include({"system": S}), S, "group", (True, "abstract")),
        (include({"valueSet": ["other"]}), S, "a", (True, "")),
        (include({"system": S, "valueSet": ["other"]}), S, "a1", (False, "not-in-value-set")),
        (include({"valueSet": ["gone"]}), S, "a", (None, "unknown-system")),
        (include({"system": "http://unitsofmeasure.org"}), None, "mg", (True, "")),
        (include({"system": "http://unitsofmeasure.org"}), None, "mgx", (False, "not-in-value-set")),
    ],
)
def test_a_code_is_in_out_or_cannot_be_told(
    compose: Any, system: str | None, code: str, expected: Any
) -> None:
    other = {"url": "other", "compose": include({"system": S, "concept": [{"code": "a"}]})}
    assert member(compose, system, code, other=other) == expected


def test_an_expansion_is_taken_where_nothing_says_how_it_came_about() -> None:
    contains = [{"system": S, "code": "a", "contains": [{"system": S, "code": "a1"}]}]
    whole = {"url": "vs", "expansion": {"contains": contains}}
    part = {"url": "vs", "expansion": {"total": 9, "contains": contains}}
    assert verdict(Coded("vs", S, "a1"), Shelf(vs=whole)).member is True
    assert verdict(Coded("vs", S, "old"), Shelf(vs=whole)).member is False
    assert verdict(Coded("vs", S, "old"), Shelf(vs=part)).member is None


def test_an_unknown_value_set_is_said() -> None:
    found = verdict(Coded("gone", S, "a"), Shelf())
    assert (found.member, found.trouble) == (None, "unknown-value-set")
    assert "gone" in found.text


@pytest.mark.parametrize("display", ["Apple", " aPPle ", "APFEL"])
def test_a_display_is_compared_without_case_and_spaces_with_every_name(display: str) -> None:
    assert verdict(Coded("", S, "a", "", display), Shelf()).trouble == ""


def test_a_wrong_display_is_told_with_the_right_one() -> None:
    found = verdict(Coded("", S, "a", "", "Pear"), Shelf())
    assert (found.member, found.trouble, found.display) == (True, "wrong-display", "Apple")


def test_value_sets_that_contain_each_other_come_to_an_end() -> None:
    loop = {"url": "vs", "compose": include({"valueSet": ["vs"]})}
    assert verdict(Coded("vs", S, "a"), Shelf(vs=loop)).member is None


def test_a_version_that_is_not_loaded_refutes_nothing() -> None:
    assert verdict(Coded("", S, "z", "7"), Shelf()).member is None
    assert verdict(Coded("", S, "z", "1"), Shelf()).member is False
    assert verdict(Coded("", S, "a", "7"), Shelf()).member is True
