"""Deletions of several resources are all or nothing, reindexing at the same time included."""

from __future__ import annotations

from fhir_server.changes import single
from fhir_server.changes.prepare import prepare
from fhir_server.search.match import match_rows
from fhir_server.storage import read, write
from tests.integration.search.conftest import Asker, ask
from tests.integrity import differences

__all__ = ["ask"]


async def test_rows_renewed_since_the_search_are_deleted_with_the_others(
    ask: Asker, fresh_database_url: str
) -> None:
    people = [{"resourceType": "Patient", "id": id_, "gender": "male"} for id_ in ("a", "b")]
    await ask.put(*people)
    found = await match_rows(ask.session, "Patient", [("gender", "male")], limit=5)
    async with ask.session.connection() as conn:
        old = await read.old(conn, "Patient", "b")
        assert old is not None
        again = write.reindexed(old, prepare(people[1], "b").rows)
        again.pid = old.pid
        assert await write.reindex(conn, [again]) == {old.rid}
    assert await single.remove_all(ask.session, found)
    assert await ask.ids("Patient?gender=male") == []
    assert await differences(fresh_database_url) == []
