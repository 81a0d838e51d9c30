"""docs/validation.md is what the table of rules says, and the table says what there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from resources.validate.features import GROUPS, page
from resources.validate.messages import MESSAGES

ROOT = Path(__file__).resolve().parents[4]
ROWS = [rule for group in GROUPS.values() for rule in group]


def test_the_page_is_written_from_the_table() -> None:
    assert (ROOT / "docs" / "validation.md").read_text() == page(), (
        "write it anew: python -m resources.validate.features > docs/validation.md"
    )


def test_every_message_belongs_to_one_rule() -> None:
    assert Counter(one for rule in ROWS for one in rule.ids) == Counter(list(MESSAGES))


def test_every_message_is_named_by_a_test_of_its_rule() -> None:
    untested = []
    for rule in ROWS:
        text = "".join((ROOT / path).read_text() for path in rule.tests)
        untested += [one for one in rule.ids if f'"{one}"' not in text]
    assert untested == []
