"""Order, pages, totals. Source: http://hl7.org/fhir/R4/search.html#_sort and http.html#paging"""

from __future__ import annotations

import itertools

import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import Asker, ids, link, params_of
from tests.integration.search.people import LOINC, observation, patient, quantity

DATES = ["2021", None, "2020-05-01", "2020-05-01", "2022-01-01T10:00:00Z", None, "2019-12-31", "2020"]
FAMILIES = ["Zed", "abel", "Émile", None, "abel", "Born"]
WORLD = [
    patient("x", "X"),
    *(
        patient(f"n{i}", f) if f else {"resourceType": "Patient", "id": f"n{i}"}
        for i, f in enumerate(FAMILIES)
    ),
    patient("two", "Aaa", name=[{"family": "Aaa"}, {"family": "Zzz"}]),
    *(
        observation(
            f"o{i}", "Patient/x", "c", when, **({"valueQuantity": quantity(i % 3, "g")} if i % 4 else {})
        )
        for i, when in enumerate(DATES)
    ),
    *(observation(f"u{i}", None, "c", when) for i, when in enumerate(DATES)),
    *(
        {"resourceType": "RiskAssessment", "id": f"r{i}", "status": "final", "subject": {"display": "x"}}
        | {"occurrenceDateTime": when}
        for i, when in enumerate(date for date in DATES if date)
    ),
    observation("v0", "Patient/x", "other", "2020"),
    {**observation("w0", None, "c", "2018"), "code": {"coding": [{"system": "urn:b", "code": "c"}]}},
]
SHAPES = [
    "Observation",
    f"Observation?code={LOINC}|c",
    "Observation?code=c",
    "Observation?code=c,other",
    "Observation?patient=x",
    f"Observation?patient=x&code={LOINC}|c",
    "Observation?patient=x&code=c,other",
    "Observation?patient=x,nobody",
    "Observation?patient.name=x",
    f"Observation?patient.name=x&code={LOINC}|c",
    "Observation?status=final",
    "Observation?date=ge2020",
    "Observation?date=le2022",
    "RiskAssessment?date=ge2000",
    "RiskAssessment?date=ge2000,sa1999",
    "Observation?value-quantity=ge0",
    "Observation?combo-code=c",
    "Observation?subject:missing=true",
]
SORTS = [
    "",
    "date",
    "-date",
    "_id",
    "-_id",
    "_lastUpdated",
    "-_lastUpdated",
    "value-quantity,-_id",
    "-value-quantity,date",
    "-date,value-quantity,_id",
]


def with_(query: str, **params: object) -> str:
    """Return `query` with more parameters."""
    added = "&".join(f"{'_' + name}={value}" for name, value in params.items() if value != "")
    return query + (("&" if "?" in query else "?") + added if added else "")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sort", SORTS)
async def test_pages_are_the_whole_in_order_both_ways(world: Asker, shape: str, sort: str) -> None:
    if shape.startswith("RiskAssessment"):
        sort = sort.replace("value-quantity", "_lastUpdated")
    query = with_(shape, sort=sort)
    whole = ids(await world.bundle(with_(query, count=100)))
    assert len(whole) == len(set(whole)) > 5
    forward, page = [], await world.bundle(with_(query, count=3))
    while True:
        forward.append(ids(page))
        after = link(page, "next")
        if after is None:
            break
        page = await world.bundle(after)
    assert list(itertools.chain(*forward)) == whole
    assert all(len(one) == 3 for one in forward[:-1])
    backward = [ids(page)]
    while (before := link(page, "prev")) is not None:
        page = await world.bundle(before)
        backward.append(ids(page))
    assert list(itertools.chain(*reversed([one for one in backward if one]))) == whole


@pytest.mark.parametrize(
    "shape",
    [
        "Observation?code=c",
        f"Observation?code={LOINC}|c",
        "Observation?patient=x",
        "Observation",
        "Observation?value-quantity=ge0",
    ],
)
async def test_dates_come_in_order_and_missing_ones_last(world: Asker, shape: str) -> None:
    for sort, reverse in (("date", False), ("-date", True)):
        bundle = await world.bundle(with_(shape, sort=sort, count=100))
        dates = [e["resource"].get("effectiveDateTime") for e in bundle["entry"]]
        known = [date for date in dates if date]
        assert dates == known + [None] * (len(dates) - len(known))
        starts = [(date + "-01-01"[len(date) - 4 :])[:10] if len(date) < 10 else date[:10] for date in known]
        assert starts == sorted(starts, reverse=reverse)


async def test_strings_sort_without_case_and_by_the_value_first_in_that_direction(world: Asker) -> None:
    assert await world.ids("Patient?_sort=family,_id") == ["two", "n1", "n4", "n5", "n2", "x", "n0", "n3"]
    assert await world.ids("Patient?_sort=-family,_id") == ["two", "n0", "x", "n2", "n5", "n1", "n4", "n3"]


async def test_a_second_key_orders_what_the_first_leaves_equal(world: Asker) -> None:
    assert await world.ids(f"Observation?patient=x&code={LOINC}|c&_sort=-value-quantity,-_id") == [
        "o5",
        "o2",
        "o7",
        "o1",
        "o6",
        "o3",
        "o4",
        "o0",
    ]


async def test_nothing_that_stays_is_lost_or_doubled_while_others_write(ask: Asker) -> None:
    for sort in ("", "-date", "date", "_id"):
        kind = "abcd"[["", "-date", "date", "_id"].index(sort)]
        stay = [observation(f"{kind}{i:02}", "Patient/x", kind, f"2020-01-{i + 1:02}") for i in range(12)]
        await ask.put(*stay)
        seen: list[str] = []
        url: str | None = with_(f"Observation?code={LOINC}|{kind}", sort=sort, count=2)
        step = 0
        while url:
            page = await ask.bundle(url)
            seen += ids(page)
            url = link(page, "next")
            await ask.put(
                observation(f"{kind}-early{step}", "Patient/x", kind, "2019-01-01"),
                observation(f"{kind}-late{step}", "Patient/x", kind, "2021-01-01"),
                observation(f"{kind}00", "Patient/x", "gone", "2020-01-01"),
            )
            step += 1
            assert step < 60
            if len([one for one in seen if "-" not in one]) >= 12:
                break
        kept = [one for one in seen if "-" not in one and one != f"{kind}00"]
        assert sorted(kept) == [f"{kind}{i:02}" for i in range(1, 12)], sort


async def test_the_total_is_given_where_asked_or_free(world: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "total" not in await world.bundle("Observation?_count=2")
    assert (await world.bundle("Observation?_count=100"))["total"] == 18
    monkeypatch.setattr("fhir_server.search.totals.EXACT_UP_TO", 5)
    assert (await world.bundle("Observation?_count=2&_total=estimate"))["total"] >= 6
    monkeypatch.undo()
    for wanted in ("accurate", "estimate"):
        assert (await world.bundle(f"Observation?_count=2&_total={wanted}"))["total"] == 18
        assert (await world.bundle(f"Observation?_count=2&code={LOINC}|c&_total={wanted}"))["total"] == 16
    assert "total" not in await world.bundle("Observation?_count=2&_total=none")


@pytest.mark.parametrize("query", ["Observation?_count=0", "Observation?_summary=count"])
async def test_a_count_has_no_entries(world: Asker, query: str) -> None:
    bundle = await world.bundle(query)
    assert bundle["total"] == 18
    assert "entry" not in bundle
    assert [one["relation"] for one in bundle["link"]] == ["self"]


async def test_a_larger_count_than_allowed_gets_the_most_and_says_so(world: Asker) -> None:
    bundle = await world.bundle("Patient?_count=5000")
    assert ("_count", "1000") in params_of(link(bundle, "self") or "")


async def test_links_keep_every_parameter(world: Asker) -> None:
    query = "Observation?code=c&code=http://loinc.org|c&_sort=-date&_count=2&_elements=code"
    bundle = await world.bundle(query)
    assert params_of(link(bundle, "self") or "") == params_of("x?" + query.partition("?")[2])
    assert params_of(link(bundle, "next") or "")[:-1] == params_of("x?" + query.partition("?")[2])
    assert link(await world.bundle(link(bundle, "next") or ""), "first") == link(bundle, "self")


async def test_unknown_parameters_are_reported_and_left_out_of_the_links(world: Asker) -> None:
    bundle = await world.bundle("Patient?nonsense=1&_count=2&name=x&more:x=2", strict=False)
    (outcome,) = [e["resource"] for e in bundle["entry"] if e["search"]["mode"] == "outcome"]
    assert [issue["severity"] for issue in outcome["issue"]] == ["warning", "warning"]
    assert "'nonsense'" in outcome["issue"][0]["diagnostics"]
    assert params_of(link(bundle, "self") or "") == [("_count", "2"), ("name", "x")]
    assert ids(bundle) == ["x"]


async def test_a_cursor_is_good_for_its_own_search_only(world: Asker) -> None:
    after = link(await world.bundle("Patient?_count=2"), "next") or ""
    for broken in (
        after.replace("_count=2", "_count=3"),
        after + "x",
        after.replace("Patient?", "Patient?gender=male&"),
    ):
        with pytest.raises(FhirError) as refused:
            await world.bundle(broken)
        assert refused.value.status == 400


async def test_deleted_and_replaced_content_is_not_found(ask: Asker) -> None:
    from_, to = patient("p", "Old", gender="male", birthDate="1980"), patient("p", "New")
    await ask.put(from_, observation("o", "Patient/p", "c"), to)
    for query in ("name=old", "gender=male", "birthdate=1980", "gender:missing=false"):
        assert await ask.ids(f"Patient?{query}") == [], query
    assert await ask.ids("Patient?name=new") == ["p"]
    await ask.put(observation("o", "Patient/q", "d"))
    assert await ask.ids(f"Observation?code={LOINC}|c") == await ask.ids("Observation?patient=p") == []
    assert await ask.ids(f"Observation?patient=q&code={LOINC}|d") == ["o"]
