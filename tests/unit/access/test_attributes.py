"""Roles count while their rules are met: purpose, network, time, organization.

Source: NIST SP 800-162
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_server.access.attributes import Now, Rule, counting, own, read, until
from fhir_server.access.roles import table

MONDAY = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
NOW = Now("TREAT", "10.1.2.3", MONDAY, frozenset({"Organization/o"}))


def _rule(**said: Any) -> Rule:
    return Rule("clinician", "a test", **said)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({}, True),
        ({"purposes": ("TREAT",)}, True),
        ({"purposes": ("HRESCH",)}, False),
        ({"networks": ("10.0.0.0/8",)}, True),
        ({"networks": ("192.168.0.0/16", "fd00::/8")}, False),
        ({"days": (1, 2)}, True),
        ({"days": (6, 7)}, False),
        ({"start": "07:00", "end": "19:00"}, True),
        ({"start": "07:00", "end": "09:30"}, False),
        ({"start": "09:30", "end": "19:00"}, True),
        ({"organizations": ("Organization/o", "Organization/p")}, True),
        ({"organizations": ("Organization/p",)}, False),
        ({"days": (1,), "networks": ("172.16.0.0/12",)}, False),
    ],
)
def test_a_role_counts_while_all_that_its_rule_asks_is_so(said: dict[str, Any], counts: bool) -> None:
    assert counting(("clinician",), [_rule(**said)], NOW) == (("clinician",) if counts else ())


def test_a_part_of_a_purpose_will_do() -> None:
    etreat = msgspec.structs.replace(NOW, purpose="ETREAT")
    assert counting(("clinician",), [_rule(purposes=("TREAT",))], etreat) == ("clinician",)


@pytest.mark.parametrize(
    "unknown", [{"purpose": ""}, {"address": ""}, {"address": "somewhere"}, {"organizations": ()}]
)
def test_what_nobody_knows_is_not_met(unknown: dict[str, Any]) -> None:
    rule = _rule(purposes=("TREAT",), networks=("10.0.0.0/8",), organizations=("Organization/o",))
    assert counting(("clinician",), [rule], NOW) == ("clinician",)
    assert counting(("clinician",), [rule], msgspec.structs.replace(NOW, **unknown)) == ()


def test_every_rule_of_a_role_must_be_met_and_those_of_others_do_not_matter() -> None:
    rules = [_rule(days=(1,)), _rule(days=(2,)), Rule("auditor", "a test", days=(1,))]
    assert counting(("clinician", "auditor", "patient"), rules, NOW) == ("auditor", "patient")


def test_time_is_looked_at_again_at_the_next_minute() -> None:
    rules = [_rule(start="07:00", end="19:00")]
    assert until(("clinician",), rules, MONDAY.replace(second=12)) == MONDAY.timestamp() + 60
    assert until(("auditor",), rules, MONDAY) == 0
    assert until(("clinician",), [_rule(networks=("10.0.0.0/8",))], MONDAY) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": ["ten"]},
        {"days": [8]},
        {"start": "07:00"},
        {"start": "19:00", "end": "07:00"},
        {"start": "seven", "end": "nine"},
        {"purposes": ["NOPE"]},
        {"x": 1},
    ],
)
def test_a_rule_that_means_nothing_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(msgspec.json.encode([{"role": "clinician", "reason": "a test", **wrong}]))
    with pytest.raises((msgspec.ValidationError, ValueError)):
        read(file)


def test_our_own_rules_are_of_roles_that_there_are_and_give_reasons() -> None:
    assert {rule.role for rule in own()} <= set(table())
    assert all(rule.reason for rule in own())
