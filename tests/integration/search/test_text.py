"""`_text`, `_content`, `_score`. Source: http://hl7.org/fhir/R4/search.html#content and #score"""

from __future__ import annotations

import random
from typing import Any

import pytest

from fhir_server.search.find import find
from fhir_server.search.fulltext import MOST_BYTES
from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker, ids
from tests.integration.search.people import observation, patient

Json = dict[str, Any]


def narrative(text: str) -> Json:
    """Return a narrative."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def condition(id_: str, text: str, **more: Any) -> Json:
    """Return a Condition with a narrative."""
    return {
        "resourceType": "Condition",
        "id": id_,
        "subject": {"reference": "Patient/p"},
        "text": narrative(text),
        **more,
    }


WORLD = [
    patient("p", "Müller", text=narrative("Herr <b>Mül</b>ler from the bone clinic")),
    patient("q", "Quiet"),
    condition("bone", "<p>Bone metastases</p>"),
    condition("liver", "<p>Metastases of the liver</p>"),
    condition("brain", "<p>Metastases of the brain</p>"),
    condition("note", "<p>Nothing</p>", note=[{"text": "bone and liver, no metastases"}]),
    condition("long", "<p>liver " + "filler " * 40 + "</p>"),
    condition("ja", "<p>患者は糖尿病です</p>"),
    *(condition(f"c{i}", "<p>cough " + "dry " * (i % 5) + "</p>") for i in range(23)),
    observation("o", "Patient/p", "c", note=[{"text": "Heart rate"}]),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_text=(bone OR liver) and metastases", {"bone", "liver"}),
        ("_content=(bone OR liver) and metastases", {"bone", "liver", "note"}),
        ("_text=BONE", {"bone"}),
        ('_text="metastases of the"', {"liver", "brain"}),
        ('_text="liver metastases"', set()),
        ('_content="liver, no metastases"', {"note"}),
        ("_text=metast*", {"bone", "liver", "brain"}),
        ("_text=metastases NOT brain", {"bone", "liver"}),
        ("_text=bone,brain", {"bone", "brain"}),
        ("_text=metastases&_text=brain", {"brain"}),
        ("_text=糖尿病", {"ja"}),
        ("_text=病", {"ja"}),
        ("_text=尿糖", set()),
        ("_text=metastases&subject=Patient/q", set()),
        ("_text=metastases&_id=bone,ja", {"bone"}),
        ("_text=thing", set()),
    ],
)
async def test_words_are_found(world: Asker, query: str, found: set[str]) -> None:
    assert set(await world.ids(f"Condition?{query}&_count=100")) == found


async def test_a_negation_finds_what_has_no_words_too(world: Asker) -> None:
    assert set(await world.ids("Patient?_text=NOT bone")) == {"q"}
    assert set(await world.ids("Patient?_content=NOT quiet")) == {"p"}
    assert await world.ids("Patient?_text=NOT (bone OR NOT bone)") == []


async def test_missing_asks_whether_there_are_words(world: Asker) -> None:
    assert await world.ids("Patient?_text:missing=true") == ["q"]
    assert await world.ids("Patient?_text:missing=false") == ["p"]
    assert await world.ids("Patient?_content:missing=true") == []


async def test_text_is_searched_over_chains_and_back(world: Asker) -> None:
    assert await world.ids("Observation?subject:Patient._text=muller") == ["o"]
    assert await world.ids("Observation?subject:Patient._text=nobody") == []
    assert await world.ids("Patient?_has:Condition:subject:_text=brain") == ["p"]


async def test_text_is_searched_across_types(world: Asker) -> None:
    assert set(await world.ids("?_text=bone&_type=Patient,Condition")) == {"p", "bone"}
    assert set(await world.ids("?_content=bone")) == {"p", "bone", "note"}
    assert set(await world.ids("?_text=bone")) == {"p", "bone"}


async def test_only_types_with_a_narrative_have_one(world: Asker) -> None:
    assert await world.ids("Bundle?_text=bone") == []


def scores(bundle: Json) -> list[float]:
    """Return the scores of the matches."""
    return [float(entry["search"]["score"]) for entry in bundle["entry"]]


async def test_matches_come_by_their_score(world: Asker) -> None:
    bundle = await world.bundle("Condition?_content=liver")
    assert ids(bundle)[0] == "liver"
    assert set(ids(bundle)) == {"liver", "long", "note"}
    found = scores(bundle)
    assert found == sorted(found, reverse=True)
    assert all(0 < score <= 1 for score in found)


async def test_the_score_sorts_in_both_directions_and_beside_other_keys(world: Asker) -> None:
    best = await world.ids("Condition?_content=liver&_sort=_score")
    assert best == await world.ids("Condition?_content=liver")
    assert await world.ids("Condition?_content=liver&_sort=-_score") == best[::-1]
    by_id = await world.bundle("Condition?_content=liver&_sort=_id")
    assert ids(by_id) == sorted(best)
    assert len(scores(by_id)) == 3
    assert await world.ids("Condition?_text=cough&_sort=_score,_id&_count=2") == ["c0", "c10"]


async def test_searches_without_words_have_no_score(world: Asker) -> None:
    bundle = await world.bundle("Condition?_text=NOT bone")
    assert all("score" not in entry["search"] for entry in bundle["entry"])
    with pytest.raises(FhirError) as problem:
        await world.bundle("Condition?_sort=_score")
    assert problem.value.status == 400


@pytest.mark.parametrize(
    "sort", ["", "&_sort=_score", "&_sort=-_score", "&_sort=_lastUpdated", "&_sort=_score,_id"]
)
@pytest.mark.parametrize("count", [1, 4])
async def test_pages_by_score_hold_every_match_once_in_both_directions(
    world: Asker, sort: str, count: int
) -> None:
    pages = await world.walk(f"Condition?_text=cough OR bone{sort}&_count={count}")
    whole = await world.ids(f"Condition?_text=cough OR bone{sort}&_count=100")
    assert [id_ for page in pages for id_ in page] == whole
    assert len(whole) == len(set(whole)) == 24


async def test_totals_count_what_pages_show(world: Asker) -> None:
    bundle = await world.bundle("Condition?_text=cough&_total=accurate&_count=3")
    assert bundle["total"] == 23
    assert (await world.bundle("Condition?_content=cough&_summary=count"))["total"] == 23


@pytest.mark.parametrize("query", ["_text=(a", "_text:exact=a", "_content:contains=a", "_text:Patient=a"])
async def test_what_cannot_be_read_is_refused(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as problem:
        await world.bundle(f"Condition?{query}")
    assert problem.value.status == 400


async def test_updates_and_deletions_are_seen(ask: Asker) -> None:
    await ask.put(condition("x", "first"))
    assert await ask.ids("Condition?_text=first") == ["x"]
    await ask.put(condition("x", "second"))
    assert await ask.ids("Condition?_text=first") == []
    assert await ask.ids("Condition?_text=second") == ["x"]


async def test_a_resource_too_long_is_written_and_said_to_be_cut(ask: Asker) -> None:
    words = " ".join(f"w{number}" for number in range(MOST_BYTES // 8))
    await ask.put(condition("short", "w1"))
    assert "issue" not in str(await ask.bundle("Condition?_text=w1"))
    await ask.put(condition("huge", words + " last"))
    bundle = await ask.bundle("Condition?_text=w1")
    assert set(ids(bundle)) == {"huge", "short"}
    outcome = next(e["resource"] for e in bundle["entry"] if e["search"]["mode"] == "outcome")
    assert outcome["issue"][0]["code"] == "incomplete"
    assert ids(await ask.bundle("Condition?_text=last")) == []
    assert "issue" not in str(await ask.bundle("Patient?_text=w1")), "no Patient is too long"
    assert "incomplete" in str(await ask.bundle("Patient?_has:Condition:subject:_text=w1"))


async def status(world: Asker, pairs: list[tuple[str, str]]) -> int:
    """Return the status that a search of Condition ends with."""
    try:
        await find(world.session, "Condition", pairs, base=BASE, strict=False)
    except FhirError as refused:
        return refused.status
    return 200


async def test_whatever_is_asked_is_answered_or_refused(world: Asker) -> None:
    rng = random.Random(7)
    pieces = [*"\"()*,'\\٣½\u0301\u00ad", "bone", " or ", " NOT ", "糖尿病", ":*", "<->"]
    for name in ("_text", "_content", "subject:Patient._content", "_filter", "_text:missing") * 20:
        value = "".join(rng.choices(pieces, k=rng.randint(1, 6)))
        more = rng.choice([(), (("_sort", "_score"),), (("_contained", "both"),)])
        assert await status(world, [(name, value), *more]) in (200, 400), value


@pytest.mark.parametrize(
    "query", ["_filter=_text ne bone", "_filter=_content gt bone", "_sort=_text", "_sort=-_content"]
)
async def test_words_have_no_other_operators_and_no_order(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as problem:
        await world.bundle(f"Condition?{query}")
    assert problem.value.status == 400


async def test_a_filter_asks_for_words_that_are_contained(world: Asker) -> None:
    assert set(await world.ids('Condition?_filter=_text co "bone, brain"')) == {"bone", "brain"}
    query = 'Condition?_filter=_text co "metastases" and not (_text co "liver OR bone")'
    assert await world.ids(query) == ["brain"]
    assert await world.ids("Patient?_filter=_text pr false") == ["q"]
