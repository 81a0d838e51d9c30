"""Every server SHALL of SMART App Launch and of ONC (g)(10) names tests that are there, or a reason.

The requirements themselves are in `../shared/testdata/requirements`; our answers are in `smart.json`, `g10.json`.
"""

from __future__ import annotations

import ast
import csv
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.shared import shared_path

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
KITS = ("smart", "g10")


@cache
def _answers(kit: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{kit}.json").read_text())
    return found


def _shall(kit: str) -> set[str]:
    path = shared_path("requirements") / _answers(kit)["source"]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            row["ID"]
            for row in csv.DictReader(file)
            if row["Conformance"].startswith("SHALL") and row["Actors"] != "Client"
        }


def _rows(kit: str, part: str) -> list[str]:
    return [row for one in _answers(kit)[part] for row in one["rows"].split()]


@cache
def _functions(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text())
    return frozenset(
        one.name for one in tree.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


@pytest.mark.parametrize("kit", KITS)
def test_every_requirement_is_answered_once_and_no_answer_is_stale(kit: str) -> None:
    answered = Counter(_rows(kit, "shown") + _rows(kit, "reasons"))
    assert set(answered) == _shall(kit)
    assert [row for row, times in answered.items() if times > 1] == []


@pytest.mark.parametrize("kit", KITS)
def test_every_named_test_is_there(kit: str) -> None:
    named = [name for one in _answers(kit)["shown"] for name in one["tests"]]
    missing = []
    for name in named:
        path, _, function = name.partition("::")
        if (
            not (TESTS / path).exists()
            or function not in _functions(path)
            or not function.startswith("test_")
        ):
            missing.append(name)
    assert missing == []
    assert all(one["tests"] for one in _answers(kit)["shown"])


@pytest.mark.parametrize("kit", KITS)
def test_every_reason_is_a_sentence_and_most_rows_are_shown(kit: str) -> None:
    assert all(len(one["reason"].split()) > 5 for one in _answers(kit)["reasons"])
    assert len(_rows(kit, "shown")) > 3 * len(_rows(kit, "reasons"))
