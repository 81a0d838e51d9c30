"""A database of the first schema, upgraded: writes at once and the reindexing leave what a new one would have."""

from __future__ import annotations

import psycopg
import pytest

from fhir_server.changes import reindex
from fhir_server.search import custom
from fhir_server.storage.migrate import downgrade, upgrade
from tests.integration.integrity.resources import Maker
from tests.integration.integrity.test_parameters import idle
from tests.integration.web import client
from tests.integrity import differences

AGED = """
DELETE FROM edge WHERE param = 0 OR src IN (SELECT rid FROM contained) OR dst IN (SELECT rid FROM contained);
DELETE FROM idx_string WHERE rid IN (SELECT rid FROM contained);
DELETE FROM idx_date WHERE rid IN (SELECT rid FROM contained);
DELETE FROM idx_number WHERE rid IN (SELECT rid FROM contained);
UPDATE resource SET digests = digests[1:3] ||
CASE WHEN EXISTS (SELECT FROM edge WHERE src = rid) THEN 1 ELSE 0 END::bigint
WHERE digests <> '{}';
DROP TABLE contained, idx_composite, idx_position, idx_text, label, reindex_job, custom_param, epoch;
DROP TABLE load_job, coding, closure_relation, closure_concept, closure, concept_mapping, concept_map, designation,
concept_property, concept_ancestor, concept_parent, concept_parent_code, concept, code_system;
DROP INDEX resource_long;
UPDATE alembic_version SET version_num = '0001';
"""
"""What makes a database of the third schema one that the first release could have left."""


async def test_an_upgraded_database_is_indexed_while_it_is_written(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindex, "BATCH", 7)
    monkeypatch.setattr(reindex, "IDLE_S", 0.02)
    maker = Maker(9)
    async with client(fresh_database_url) as web:
        for _ in range(15):
            await web.post("", json=maker.bundle("batch", 6))
    custom.forget()
    downgrade(fresh_database_url, "0003")
    with psycopg.connect(fresh_database_url) as conn:
        conn.execute(AGED.encode())
    upgrade(fresh_database_url)
    async with client(fresh_database_url) as web:
        for _ in range(3):
            await web.post("", json=maker.bundle("batch", 6))
        await idle(fresh_database_url)
        for _ in range(3):
            await web.post("", json=maker.bundle("batch", 6))
        assert await differences(fresh_database_url) == []
