"""Retention: rules are data with a source, a dry run changes nothing, and a rule ends what is old enough only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fhir_server.storage.retention import RuleError, rules
from tests.integration.sealed.conftest import Sealed
from tests.integration.sealed.test_backup import asked, environment, filled, run

__all__ = ["environment"]


def rule(**given: Any) -> dict[str, Any]:
    return {
        "name": "r",
        "action": "drop-deleted",
        "age": "P1Y",
        "source": "s",
        "reason": "r",
        "on": True,
    } | given


def written(tmp_path: Path, *listed: dict[str, Any]) -> Path:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(listed))
    return path


def test_our_rules_name_their_source_and_end_no_record_by_themselves() -> None:
    found = rules()
    assert all(one.source and one.reason for one in found)
    assert [one.name for one in found if one.on] == ["backup-keys"]


@pytest.mark.parametrize(
    "given",
    [{"age": ""}, {"age": "P"}, {"age": "10"}, {"age": "P1W"}, {"source": ""}, {"action": "burn"}, {"x": 1}],
)
def test_a_rule_that_cannot_be_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        rules(written(tmp_path, rule(**given)))


@pytest.mark.usefixtures("environment")
def test_only_what_is_old_enough_ends_and_only_by_a_real_run(
    database_url: str, sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(database_url, sealed, "o")
    filled(database_url, sealed, "n")
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE resource SET updated = updated - interval '11 years' WHERE id ~ '^o'")
        conn.execute(
            "UPDATE resource_version v SET updated = v.updated - interval '11 years' FROM resource r"
            " WHERE r.rid = v.rid AND r.id ~ '^o'"
        )
    path = written(
        tmp_path,
        rule(name="v", action="drop-versions", age="P10Y"),
        rule(name="p", action="erase-person", age="P10Y6M"),
    )
    monkeypatch.setenv("HEALTHBUDDY_RETENTION_RULES", str(path))
    told = run("retention", "run", "--dry-run").output
    assert "Nothing was ended" in told
    places = ("Patient/o1", "Patient/o1/_history/1", "Patient/n1", "Patient/n1/_history/1")
    assert [status for status, _ in asked(database_url, sealed, *places)] == [200, 200, 200, 200]
    run("retention", "run")
    assert [status for status, _ in asked(database_url, sealed, *places)] == [404, 404, 200, 200]


@pytest.mark.usefixtures("environment")
def test_deleted_content_leaves_nothing_but_its_name(
    database_url: str, sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(database_url, sealed, "g")
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "UPDATE resource SET live = false, tail = NULL, updated = updated - interval '2 years' WHERE id = 'g1-o'"
        )
    monkeypatch.setenv("HEALTHBUDDY_RETENTION_RULES", str(written(tmp_path, rule())))
    assert "1 ended" in run("retention", "run").output
    assert asked(database_url, sealed, "Observation/g1-o")[0][0] == 404
