"""`_explain`: statements, plans and times for those who run the server, and for nobody where it is off."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from fhir_server.search.context import Context
from resources.outcome import FhirError
from tests.integration.search.conftest import Asker, ids, link
from tests.integration.search.people import patient

WORLD = [patient("ann", "Secretname", "Ann"), patient("bob", "Other", "Bob")]


@pytest.fixture
def explaining() -> Iterator[None]:
    """Offer `_explain` for one test."""
    Context.explain = True
    yield
    Context.explain = False


@pytest.mark.parametrize("strict", [True, False])
async def test_it_is_refused_by_name_where_it_is_off(world: Asker, strict: bool) -> None:
    with pytest.raises(FhirError) as refused:
        await world.bundle("Patient?_explain=true", strict=strict)
    assert refused.value.status == 400
    assert "'_explain'" in refused.value.issues[0].text
    assert "SELECT" not in refused.value.issues[0].text


@pytest.mark.usefixtures("explaining")
async def test_the_answer_tells_statements_plans_and_stages(
    world: Asker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        bundle = await world.bundle("Patient?family=secretname&_total=accurate&_explain=true")
    assert ids(bundle) == ["ann"]
    outcome = bundle["entry"][-1]
    assert outcome["search"] == {"mode": "outcome"}
    told = [issue["diagnostics"] for issue in outcome["resource"]["issue"]]
    assert {issue["severity"] for issue in outcome["resource"]["issue"]} == {"information"}
    assert told[0].startswith("Stages: parse ")
    assert "page " in told[0]
    assert any("SELECT r.rid" in text for text in told)
    assert any("Execution Time" in text and "actual" in text for text in told)
    assert "_explain" not in (link(bundle, "self") or "")
    assert "secretname" not in caplog.text.lower()


@pytest.mark.usefixtures("explaining")
async def test_false_explains_nothing_and_other_values_are_refused(world: Asker) -> None:
    bundle = await world.bundle("Patient?_explain=false")
    assert {entry["search"]["mode"] for entry in bundle["entry"]} == {"match"}
    with pytest.raises(FhirError):
        await world.bundle("Patient?_explain=maybe")


@pytest.mark.usefixtures("explaining")
async def test_a_count_is_explained_too(world: Asker) -> None:
    bundle = await world.bundle("Patient?_summary=count&_explain=true")
    assert bundle["total"] == 2
    assert "count(*)" in str(bundle["entry"])
