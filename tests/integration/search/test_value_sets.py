"""Value sets and hierarchies of codes in searches: `:in :not-in :above :below`.

Source: http://hl7.org/fhir/R4/search.html#modifiers, http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.concepts import catalog, stored
from fhir_server.exchange import Session
from fhir_server.search.context import Context
from fhir_server.search.match import match_ids
from fhir_server.storage.rows import tail
from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker
from tests.integration.search.people import LOINC, observation, patient

Json = dict[str, Any]
ANIMALS = "http://example.org/animals"
CS = "http://example.org/CodeSystem"
VS = "http://example.org/ValueSet"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def concept(code: str, *children: Json, **properties: Any) -> Json:
    """Return a concept with children and properties."""
    found: Json = {"code": code, **({"concept": list(children)} if children else {})}
    if properties:
        found["property"] = [
            {"code": name, ("valueBoolean" if isinstance(value, bool) else "valueCode"): value}
            for name, value in properties.items()
        ]
    return found


def code_system(id_: str, *concepts: Json, **more: Any) -> Json:
    """Return a complete CodeSystem."""
    return {
        "resourceType": "CodeSystem",
        "id": id_,
        "url": f"{CS}/{id_}",
        "status": "active",
        "content": "complete",
        "concept": list(concepts),
        **more,
    }


def value_set(id_: str, *includes: Json, **more: Any) -> Json:
    """Return a ValueSet."""
    made: Json = {"resourceType": "ValueSet", "id": id_, "url": f"{VS}/{id_}", "status": "active", **more}
    return {**made, "compose": {"include": list(includes)}} if includes else made


def listed(system: str, *codes: str) -> Json:
    """Return an include of codes."""
    return {"system": system, "concept": [{"code": code} for code in codes]}


def seen(id_: str, system: str, code: str, **more: Any) -> Json:
    """Return an Observation with a code of some system."""
    coded = {"code": {"coding": [{"system": system, "code": code}]}}
    return {**observation(id_, "Patient/p1", code, **more), **coded}


KIN = f"{CS}/kin"
WORLD = [
    patient("p1", "A", gender="female"),
    patient("p2", "B", gender="male"),
    code_system(
        "kin",
        concept("animal", concept("cat", concept("lion")), concept("dog", inactive=True)),
        concept("wolf", parent="dog"),
        concept("pet"),
        property=[{"code": "parent", "type": "code"}, {"code": "inactive", "type": "boolean"}],
    ),
    code_system("circle", concept("a", parent="c"), concept("b", parent="a"), concept("c", parent="b")),
    code_system("part", concept("a"), content="fragment"),
    code_system("grouped", concept("a", concept("b")), hierarchyMeaning="part-of"),
    value_set("two", listed(LOINC, "1-1", "2-2")),
    value_set("cats", {"system": KIN, "filter": [{"property": "concept", "op": "is-a", "value": "cat"}]}),
    value_set("kin", {"system": KIN}),
    value_set("nested", {"valueSet": [f"{VS}/two"]}, {"valueSet": [f"{VS}/kin", f"{VS}/cats"]}),
    value_set("loop", {"valueSet": [f"{VS}/pool"]}),
    value_set("pool", {"valueSet": [f"{VS}/loop"]}),
    value_set("all-loinc", {"system": LOINC}),
    value_set("needs-much", {"system": LOINC}, {"valueSet": [f"{VS}/absent"]}, {"system": f"{CS}/part"}),
    value_set("v1", listed(LOINC, "1-1"), url=f"{VS}/versioned", version="1.0"),
    value_set("v2", listed(LOINC, "2-2"), url=f"{VS}/versioned", version="2.0"),
    value_set("v10", listed(LOINC, "3-3"), url=f"{VS}/versioned", version="10.0", status="draft"),
    value_set("genders", listed("http://hl7.org/fhir/administrative-gender", "male", "other")),
    seen("o1", LOINC, "1-1", effectiveDateTime="2020-01-01"),
    seen("o2", LOINC, "2-2", effectiveDateTime="2020-01-03"),
    seen("o3", LOINC, "3-3", effectiveDateTime="2020-01-02"),
    seen("o4", "urn:other", "1-1"),
    seen("o5", KIN, "lion", category=[{"coding": [{"system": CATEGORY, "code": "laboratory"}]}]),
    seen("o6", KIN, "wolf"),
    seen("o7", KIN, "animal"),
    {**observation("o8", "Patient/p2", "x"), "code": {"text": "no coding"}},
    {
        **observation("o9", "Patient/p2", "x"),
        "code": {"coding": [{"system": LOINC, "code": "1-1"}, {"system": LOINC, "code": "3-3"}]},
        "component": [{"code": {"coding": [{"system": KIN, "code": "cat"}]}}],
    },
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": ACT, "code": "ACUTE"},
    },
]
EVERY = "o1 o2 o3 o4 o5 o6 o7 o8 o9"


def without(*ids: str) -> str:
    """Return all observations but these."""
    return " ".join(id_ for id_ in EVERY.split() if id_ not in ids)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"Observation?code:in={VS}/two", "o1 o2 o9"),
        ("Observation?code:in=ValueSet/two", "o1 o2 o9"),
        (f"Observation?code:in={BASE}/ValueSet/two", "o1 o2 o9"),
        (f"Observation?code:in={VS}/two,{VS}/cats", "o1 o2 o5 o9"),
        (f"Observation?code:in={VS}/two&code=3-3", "o9"),
        (f"Observation?code:in={VS}/cats", "o5"),
        (f"Observation?code:in={VS}/kin", "o5 o6 o7"),
        (f"Observation?code:in={VS}/nested", "o1 o2 o5 o9"),
        (f"Observation?patient=p1&code:in={VS}/two", "o1 o2"),
        (f"Observation?subject:Patient=p2&code:in={VS}/two", "o9"),
        (f"Observation?component-code:in={VS}/kin", "o9"),
        (f"Observation?combo-code:in={VS}/kin", "o5 o6 o7 o9"),
        # versions: the one named, else an active one before a draft
        (f"Observation?code:in={VS}/versioned|1.0", "o1 o9"),
        (f"Observation?code:in={VS}/versioned|10.0", "o3 o9"),
        (f"Observation?code:in={VS}/versioned", "o2"),
        # not in: no code is
        (f"Observation?code:not-in={VS}/two", without("o1", "o2", "o9")),
        (f"Observation?code:not-in={VS}/two,{VS}/kin", "o3 o4 o8"),
        (f"Observation?patient=p2&code:not-in={VS}/two", "o8"),
        # code elements
        (f"Patient?gender:in={VS}/genders", "p2"),
        (f"Patient?gender:not-in={VS}/genders", "p1"),
        # R4's own
        ("Observation?category:in=http://hl7.org/fhir/ValueSet/observation-category", "o5"),
        ("Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", "p1 p2"),
        ("Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", "p1 p2"),
        (f"Encounter?class:below={ACT}|IMP", "e1"),
        (f"Encounter?class:above={ACT}|ACUTE", "e1"),
        (f"Encounter?class:below={ACT}|NONAC", ""),
        # hierarchies
        (f"Observation?code:below={KIN}|animal", "o5 o6 o7"),
        (f"Observation?code:below={KIN}|cat", "o5"),
        (f"Observation?code:below={KIN}|dog", "o6"),
        (f"Observation?code:above={KIN}|lion", "o5 o7"),
        (f"Observation?code:above={KIN}|wolf", "o6 o7"),
        (f"Observation?code:below={CS}/circle|a", ""),
        (f"Observation?combo-code:below={KIN}|cat", "o5 o9"),
        ("Patient?gender:below=female", "p1"),
        ("Patient?gender:below=http://hl7.org/fhir/administrative-gender|female", "p1"),
        # where a criterion can stand
        (f"Patient?_has:Observation:patient:code:in={VS}/cats", "p1"),
        (f"Patient?_has:Observation:patient:component-code:below={KIN}|animal", "p2"),
        (f"Patient?_has:Observation:patient:code:not-in={VS}/two", "p1 p2"),
        (f"Observation?patient.gender:in={VS}/genders", "o8 o9"),
        (f"Observation?patient:Patient.gender:not-in={VS}/genders&code:in={VS}/two", "o1 o2"),
        (f'Observation?_filter=code in "{VS}/two" or code ss {KIN}|cat', "o1 o2 o5 o9"),
        (f"Patient/p1/Observation?code:in={VS}/two", "o1 o2"),
        (f"?_type=Observation,Condition&patient=p1&code:in={VS}/two", "o1 o2"),
    ],
)
async def test_codes_match_by_meaning(world: Asker, query: str, expected: str) -> None:
    assert sorted(await world.ids(query)) == expected.split()
    assert (await world.bundle(query + "&_summary=count"))["total"] == len(expected.split())


async def test_the_codes_of_a_set_are_merged_by_date_over_pages(world: Asker) -> None:
    pages = await world.walk(f"Observation?code:in={VS}/nested&_sort=-date&_count=1")
    assert [ids for page in pages for ids in page][:2] == ["o2", "o1"]
    assert sorted(id_ for page in pages for id_ in page) == ["o1", "o2", "o5", "o9"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("code:in=http://nowhere.example/vs", ["http://nowhere.example/vs"]),
        ("code:in=ValueSet/absent", ["ValueSet/absent"]),
        ("code:in=two", ["url"]),
        (f"code:in={VS}/versioned|9.9", ["versioned|9.9"]),
        (f"code:in={VS}/all-loinc", [f"the code system {LOINC} is not loaded"]),
        (
            f"code:in={VS}/needs-much",
            [f"{LOINC} is not loaded", f"the value set {VS}/absent is not here", "fragment"],
        ),
        (f"code:in={VS}/loop", ["refers to itself"]),
        (f"code:in={VS}/all-loinc,{VS}/two", ["cannot be listed completely"]),
        (f"code:not-in={VS}/all-loinc", ["cannot be listed completely"]),
        (f"code:below={CS}/part|a", ["fragment"]),
        (f"code:below={CS}/grouped|a", ["part-of"]),
        (f"code:below={KIN}|unicorn", ["unicorn"]),
        ("code:below=urn:unknown|a", ["urn:unknown"]),
        ("code:below=cat", ["system|code"]),
        ("code:above=|cat", ["system|code"]),
        (f"subject:in={VS}/two", [":identifier", "resource type"]),
        (f"date:in={VS}/two", [":missing"]),
        ("identifier:in=ValueSet/two", ["identifier"]),
        ("_id:in=ValueSet/two", [":missing", ":not"]),
    ],
)
async def test_what_cannot_be_known_is_refused_by_name(world: Asker, query: str, named: list[str]) -> None:
    for chained in ("Observation?", "Patient?_has:Observation:patient:"):
        with pytest.raises(FhirError) as refused:
            await world.bundle(chained + query, strict=False)
        assert refused.value.status == 400
        text = " ".join(issue.text for issue in refused.value.issues)
        assert all(name in text for name in named), text


async def test_all_problems_are_told_at_once(world: Asker) -> None:
    with pytest.raises(FhirError) as refused:
        await world.bundle(f"Observation?code:in={VS}/all-loinc&code:below=urn:unknown|a&date=x")
    assert len(refused.value.issues) == 3


async def test_a_change_of_a_value_set_holds_at_the_next_search(ask: Asker) -> None:
    query = f"Observation?code:in={VS}/two"
    await ask.put(seen("o1", LOINC, "1-1"), seen("o2", LOINC, "2-2"), value_set("two", listed(LOINC, "1-1")))
    assert await ask.ids(query) == ["o1"]
    await ask.put(value_set("two", listed(LOINC, "2-2")))
    assert await ask.ids(query) == ["o2"]
    await ask.put(value_set("two", {"system": KIN}))
    with pytest.raises(FhirError):
        await ask.ids(query)
    await ask.put(code_system("kin", concept("lion")), seen("o3", KIN, "lion"))
    assert await ask.ids(query) == ["o3"]


async def test_a_transaction_searches_by_what_it_has_written_itself(ask: Asker) -> None:
    pairs = [("code:in", f"{VS}/two")]
    await ask.put(seen("o1", LOINC, "1-1"), seen("o2", LOINC, "2-2"), value_set("two", listed(LOINC, "1-1")))
    before = tail(value_set("two", listed(LOINC, "1-1")))
    assert [id_ for _, id_ in await match_ids(ask.session, "Observation", pairs)] == ["o1"]
    async with ask.store.transaction() as conn:
        changed = tail(value_set("two", listed(LOINC, "2-2")))
        await conn.execute("UPDATE resource SET tail = %s WHERE id = 'two'", (changed,))
        found = await match_ids(Session(ask.session.server, conn), "Observation", pairs)
        await conn.execute("UPDATE resource SET tail = %s WHERE id = 'two'", (before,))
    assert [id_ for _, id_ in found] == ["o2"]
    assert [id_ for _, id_ in await match_ids(ask.session, "Observation", pairs)] == ["o1"]


async def test_more_codes_in_use_than_the_setting_allows_are_refused(
    world: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "codes_max", 1)
    for query in (f"code:in=ValueSet/two&_id={'x' * 3}", f"code:below={KIN}|animal"):
        with pytest.raises(FhirError) as refused:
            await world.ids(f"Observation?{query}&_tag=unkept")
        assert refused.value.issues[0].code == "too-costly"


async def test_one_search_names_a_hundred_value_sets_at_most(world: Asker) -> None:
    with pytest.raises(FhirError) as refused:
        await world.ids("Observation?" + "&".join(f"code:in=urn:vs:{number}" for number in range(101)))
    assert [issue.code for issue in refused.value.issues] == ["too-costly"]


async def test_value_sets_of_very_many_others_are_refused(ask: Asker) -> None:
    parts = [value_set(f"n{number}", listed(LOINC, str(number))) for number in range(3)]
    await ask.put(*parts, value_set("sum", *({"valueSet": [f"{VS}/n{number}"]} for number in range(600))))
    with pytest.raises(FhirError, match="more than 500"):
        await ask.ids(f"Observation?code:in={VS}/sum")


async def test_large_code_systems_are_read_beside_the_event_loop(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "LARGE", 10)
    monkeypatch.setattr(stored, "LARGE", 10)
    await ask.put(code_system("kin", concept("cat", concept("lion"))), value_set("kin", {"system": KIN}))
    await ask.put(seen("o1", KIN, "lion"))
    assert await ask.ids(f"Observation?code:in={VS}/kin") == ["o1"]
    assert await ask.ids(f"Observation?code:below={KIN}|cat") == ["o1"]


async def test_two_thousand_codes_are_searched(ask: Asker) -> None:
    codes = [f"{number}-{number % 10}" for number in range(2_000)]
    await ask.put(value_set("many", listed(LOINC, *codes)))
    await ask.put(
        *(seen(f"o{n}", LOINC, codes[n * 60], effectiveDateTime=f"2020-01-{n + 1:02}") for n in range(30))
    )
    await ask.put(
        seen("x", LOINC, "none", component=[{"code": {"coding": [{"system": LOINC, "code": codes[5]}]}}])
    )
    newest = [f"o{n}" for n in range(29, -1, -1)]
    assert await ask.ids(f"Observation?code:in={VS}/many&_sort=-date&_count=50") == newest
    assert await ask.ids(f"Observation?patient=p1&code:in={VS}/many&_sort=-date&_count=50") == newest
    assert (await ask.bundle(f"Observation?code:in={VS}/many&_summary=count"))["total"] == 30
    assert await ask.ids(f"Observation?code:not-in={VS}/many") == ["x"]
    assert await ask.ids(f"Observation?component-code:in={VS}/many") == ["x"]
    assert await ask.ids(f"Observation?component-code:in={VS}/many&patient=p1") == ["x"]
    assert len(await ask.ids(f"Observation?combo-code:in={VS}/many&patient=p1&_count=50")) == 31
    assert (
        len(await ask.ids(f"Observation?component-code:not-in={VS}/many&code:in={VS}/many&_count=50")) == 30
    )


async def test_of_a_large_value_set_those_codes_are_searched_that_are_in_use(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "codes_max", 3)
    await ask.put(
        code_system("kin", *(concept(f"k{number}", concept(f"k{number}-1")) for number in range(50))),
        value_set("kin", {"system": KIN}),
        value_set("genders", {"system": "http://hl7.org/fhir/administrative-gender"}, {"system": KIN}),
        patient("p1", "A", gender="female"),
        seen("o1", KIN, "k7"),
        seen("o2", KIN, "k7-1"),
        seen("o3", KIN, "none"),
        seen("o4", LOINC, "k7"),
    )
    assert sorted(await ask.ids(f"Observation?code:in={VS}/kin")) == ["o1", "o2"]
    assert sorted(await ask.ids(f"Observation?code:not-in={VS}/kin")) == ["o3", "o4"]
    await ask.put(seen("o5", KIN, "k8-1"))
    assert sorted(await ask.ids(f"Observation?code:in={VS}/kin")) == ["o1", "o2", "o5"]
    monkeypatch.setattr(Context, "codes_max", 7)  # the codes in use and those of the element's own binding
    assert await ask.ids(f"Patient?gender:in={VS}/genders") == ["p1"]
    assert await ask.ids(f"Patient?gender:not-in={VS}/genders") == []


async def test_value_sets_of_all_codes_that_rules_allow_are_searched(ask: Asker) -> None:
    await ask.put(
        value_set("units", {"system": "http://unitsofmeasure.org"}),
        value_set("media", {"system": "urn:ietf:bcp:13"}),
        seen("o1", "http://unitsofmeasure.org", "mg/dL"),
        seen("o2", "http://unitsofmeasure.org", "spoonful"),
        {
            "resourceType": "DocumentReference",
            "id": "d1",
            "status": "current",
            "content": [{"attachment": {"contentType": "text/plain"}}],
        },
        {
            "resourceType": "DocumentReference",
            "id": "d2",
            "status": "current",
            "content": [{"attachment": {"contentType": "nothing"}}],
        },
    )
    assert await ask.ids(f"Observation?code:in={VS}/units") == ["o1"]
    assert await ask.ids(f"Observation?code:not-in={VS}/units") == ["o2"]
    assert await ask.ids(f"DocumentReference?contenttype:in={VS}/media") == ["d1"]


async def test_large_value_sets_wait_for_the_dictionary_after_an_upgrade(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "codes_max", 1)
    await ask.put(code_system("kin", concept("a"), concept("b")), value_set("kin", {"system": KIN}))
    await ask.put(seen("o1", KIN, "a"))
    async with ask.store.pool.connection() as conn:
        await conn.execute("INSERT INTO reindex_job (id, why, types) VALUES ('u', 'upgrade', '{}')")
    with pytest.raises(FhirError) as refused:
        await ask.ids(f"Observation?code:in={VS}/kin")
    assert (refused.value.status, refused.value.issues[0].code) == (503, "transient")
    async with ask.store.pool.connection() as conn:
        await conn.execute("UPDATE reindex_job SET state = 'done'")
    assert await ask.ids(f"Observation?code:in={VS}/kin") == ["o1"]
