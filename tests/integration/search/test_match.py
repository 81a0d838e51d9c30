"""What conditional interactions ask."""

from __future__ import annotations

import pytest

from fhir_server.changes import single
from fhir_server.changes.prepare import prepare
from fhir_server.exchange import Session
from fhir_server.search.match import match_ids
from resources.outcome import FhirError
from tests.integration.search.conftest import Asker
from tests.integration.search.people import MRN, patient

WORLD = [patient(f"p{i}", "Same", identifier=[{"system": MRN, "value": f"A{i}"}]) for i in range(3)]


async def test_a_match_is_a_row_number_and_an_id(world: Asker) -> None:
    ((rid, id_),) = await match_ids(world.session, "Patient", [("identifier", f"{MRN}|A1")])
    assert (rid > 0, id_) == (True, "p1")
    assert await match_ids(world.session, "Patient", [("identifier", "nothing")]) == []
    assert len(await match_ids(world.session, "Patient", [("name", "same")])) == 2
    assert len(await match_ids(world.session, "Patient", [("name", "same")], limit=9)) == 3


async def test_a_transaction_sees_what_it_wrote_and_others_do_not(world: Asker) -> None:
    criteria = [("identifier", f"{MRN}|inside")]
    async with world.store.pool.connection() as conn, conn.transaction(force_rollback=True):
        inside = Session(world.session.server, conn)
        new = patient("inside", "New", identifier=[{"system": MRN, "value": "inside"}])
        await single.put(inside, prepare(new, "inside"))
        assert [id_ for _, id_ in await match_ids(inside, "Patient", criteria)] == ["inside"]
        assert await match_ids(world.session, "Patient", criteria) == []
    assert await match_ids(world.session, "Patient", criteria) == []


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ([("nonsense", "1")], 400),
        ([("identifier", "1"), ("nonsense", "1")], 400),
        ([], 412),
        ([("_count", "1")], 412),
        ([("name", "")], 412),
    ],
)
async def test_conditions_must_be_understood_and_say_something(
    world: Asker, pairs: list[tuple[str, str]], status: int
) -> None:
    with pytest.raises(FhirError) as refused:
        await match_ids(world.session, "Patient", pairs)
    assert refused.value.status == status
