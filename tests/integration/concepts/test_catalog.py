"""Code systems come into the tables when they are asked for, whole, once, and follow their resources.

Source: http://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fhir_server.concepts import catalog, climb, load, lookup, sets
from fhir_server.concepts.model import Conn, System, UnknownError
from fhir_server.storage import read, write
from resources.outcome import FhirError
from terminology.records import ConceptRecord, Designation, SystemHeader
from tests.integration.search.conftest import Asker, _open

Json = dict[str, Any]
URL = "urn:test:animals"


def animals(id_: str, *codes: str, **more: Any) -> Json:
    """Return a CodeSystem of codes without hierarchy."""
    made: Json = {
        "resourceType": "CodeSystem",
        "id": id_,
        "url": URL,
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        **more,
    }
    return made | ({"concept": [{"code": code} for code in codes]} if codes else {})


@pytest.fixture
async def ask(fresh_database_url: str) -> AsyncIterator[Asker]:
    """Yield an empty database with several connections."""
    store = await _open(fresh_database_url)
    try:
        yield Asker(store)
    finally:
        await store.close()


async def system(ask: Asker, version: str = "", url: str = URL) -> System | None:
    """Return the code system as a fresh connection finds it."""
    async with ask.store.pool.connection() as conn:
        return await catalog.system(conn, url, version)


async def codes(ask: Asker, version: str = "", url: str = URL) -> list[str]:
    """Return the codes of the code system, in order."""
    rule = {"system": url} | ({"version": version} if version else {})
    async with ask.store.pool.connection() as conn:
        made = await sets.compiled(conn, {"resourceType": "ValueSet", "compose": {"include": [rule]}})
        entries, _ = await sets.page(conn, made, 0, 1_000)
    return [entry.code for entry in entries]


async def imports(ask: Asker) -> int:
    """Return how many code systems are in the tables and not replaced."""
    async with ask.store.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) FROM code_system WHERE ready AND replaced IS NULL")
        ((count,),) = await cursor.fetchall()
    return int(count)


async def test_a_code_system_is_unknown_until_it_is_stored(ask: Asker) -> None:
    assert await system(ask) is None
    await ask.put(animals("a", "cat", "dog"))
    assert await codes(ask) == ["cat", "dog"]


async def test_an_update_counts_at_once_and_leaves_nothing_of_before(ask: Asker) -> None:
    await ask.put(animals("a", "cat", "dog"))
    before = await system(ask)
    await ask.put(animals("a", "emu", "cat"))
    after = await system(ask)
    assert before is not None
    assert after is not None
    assert before.id != after.id
    assert await codes(ask) == ["emu", "cat"]
    assert await imports(ask) == 1


async def test_who_reads_an_older_import_finds_it_whole(ask: Asker) -> None:
    await ask.put(animals("a", "cat", "dog"))
    older = await system(ask)
    await ask.put(animals("a", "emu"))
    assert await codes(ask) == ["emu"]
    assert older is not None
    async with ask.store.pool.connection() as conn:
        found = await lookup.concepts(conn, older, ["cat", "dog", "emu"])
    assert sorted(found) == ["cat", "dog"]


async def test_a_deleted_code_system_is_unknown_again(ask: Asker) -> None:
    await ask.put(animals("a", "cat"))
    assert await codes(ask) == ["cat"]
    async with ask.store.pool.connection() as conn:
        row = await read.old(conn, "CodeSystem", "a")
        assert row is not None
        assert await write.apply(conn, [write.deleted(row)])
    assert await system(ask) is None


async def test_many_who_ask_at_once_import_it_once(ask: Asker) -> None:
    await ask.put(animals("a", *(f"c{number}" for number in range(500))))
    found = await asyncio.gather(*(system(ask) for _ in range(6)))
    assert len({one.id for one in found if one is not None}) == 1
    assert None not in found
    assert await imports(ask) == 1


async def test_the_version_named_else_the_active_and_newest_one_counts(ask: Asker) -> None:
    await ask.put(
        animals("v9", "nine", version="9"),
        animals("v10", "ten", version="10"),
        animals("v11", "eleven", version="11", status="draft"),
    )
    assert await codes(ask) == ["ten"]
    assert await codes(ask, "9") == ["nine"]
    assert await codes(ask, "11") == ["eleven"]
    assert await system(ask, "12") is None


async def test_one_of_r4s_own_gives_way_to_a_stored_one(ask: Asker) -> None:
    url = "http://hl7.org/fhir/administrative-gender"
    assert await codes(ask, url=url) == ["male", "female", "other", "unknown"]
    await ask.put(animals("g", "none", url=url))
    assert await codes(ask, url=url) == ["none"]


async def test_what_a_transaction_undoes_was_never_there(ask: Asker) -> None:
    await ask.put(animals("a", "cat"))
    async with ask.store.pool.connection() as conn, conn.transaction(force_rollback=True):
        assert await catalog.system(conn, URL) is not None
    assert await imports(ask) == 0
    assert await codes(ask) == ["cat"]


async def test_a_code_system_without_concepts_is_unknown_until_they_are_loaded(ask: Asker) -> None:
    await ask.put(animals("a", version="1", content="not-present"))
    assert await system(ask) is None
    async with ask.store.pool.connection() as conn:
        await load.load(conn, SystemHeader(URL, "1", "Animals"), [ConceptRecord("cat"), ConceptRecord("dog")])
    found = await system(ask)
    assert found is not None
    assert (found.content, found.count) == ("complete", 2)
    assert await codes(ask, "1") == ["cat", "dog"]


async def test_a_load_replaces_the_same_version_alone(ask: Asker) -> None:
    async with ask.store.pool.connection() as conn:
        for version, code in (("1", "cat"), ("2", "dog"), ("1", "emu")):
            await load.load(conn, SystemHeader(URL, version, "Animals"), [ConceptRecord(code)])
    assert (await codes(ask, "1"), await codes(ask, "2")) == (["emu"], ["dog"])
    assert await codes(ask) == ["dog"]


async def test_a_load_that_fails_leaves_what_was_there(ask: Asker) -> None:
    def records() -> Any:
        yield ConceptRecord("emu")
        raise RuntimeError("the file ends too early")

    async with ask.store.pool.connection() as conn:
        await load.load(conn, SystemHeader(URL, "1", "Animals"), [ConceptRecord("cat")])
        with pytest.raises(RuntimeError, match="too early"):
            await load.load(conn, SystemHeader(URL, "1", "Animals"), records())
        cursor = await conn.execute("SELECT count(*) FROM concept")
        assert await cursor.fetchone() == (1,)
    assert await codes(ask) == ["cat"]


async def test_parents_may_come_later_and_be_several(ask: Asker) -> None:
    async with ask.store.pool.connection() as conn:
        one = await _loaded(
            conn, [("lion", "cat", "wild"), ("cat", "animal"), ("wild", "animal"), ("animal",)]
        )
        assert await lookup.subsumes(conn, one, "animal", "lion") == "subsumes"
        assert await lookup.subsumes(conn, one, "lion", "wild") == "subsumed-by"
        assert await lookup.subsumes(conn, one, "cat", "wild") == "not-subsumed"
        lion = await lookup.concept(conn, one, "lion")
        assert lion is not None
        assert sorted(parent.code for parent in await lookup.parents(conn, lion)) == ["cat", "wild"]


async def test_a_circle_is_told_and_ends(ask: Asker) -> None:
    async with ask.store.pool.connection() as conn:
        one = await _loaded(conn, [("a", "c"), ("b", "a"), ("c", "b"), ("d", "a")])
        cursor = await conn.execute("SELECT problem FROM code_system WHERE id = %s", (one.id,))
        found = await cursor.fetchone()
        assert found is not None
        assert "circles" in found[0]
        assert await lookup.subsumes(conn, one, "a", "d") == "subsumes"
        assert await lookup.subsumes(conn, one, "a", "b") == "equivalent"


async def _loaded(conn: Conn, concepts: list[tuple[str, ...]]) -> System:
    records = [ConceptRecord(code, parents=tuple(parents)) for code, *parents in concepts]
    await load.load(conn, SystemHeader(URL, "1", "Animals"), records)
    found = await catalog.system(conn, URL)
    assert found is not None
    return found


async def test_case_counts_where_the_code_system_says_so(ask: Asker) -> None:
    await ask.put(animals("a", "Cat"), animals("b", "Cat", url="urn:test:loose", caseSensitive=False))
    strict, loose = await system(ask), await system(ask, url="urn:test:loose")
    assert strict is not None
    assert loose is not None
    async with ask.store.pool.connection() as conn:
        assert await lookup.concept(conn, strict, "CAT") is None
        found = await lookup.concept(conn, loose, "CAT")
    assert found is not None
    assert found.code == "Cat"


async def test_a_value_set_lists_codes_in_any_case_where_case_does_not_count(ask: Asker) -> None:
    await ask.put(animals("b", "Cat", "Dog", "Emu", caseSensitive=False))
    made = {
        "resourceType": "ValueSet",
        "compose": {
            "include": [
                {"system": URL, "concept": [{"code": "CAT"}, {"code": "cat"}]},
                {"system": URL, "filter": [{"property": "concept", "op": "is-a", "value": "DOG"}]},
                {"system": URL},
            ],
            "exclude": [{"system": URL, "concept": [{"code": "emu"}]}],
        },
    }
    async with ask.store.pool.connection() as conn:
        compiled = await sets.compiled(conn, made)
        entries, total = await sets.page(conn, compiled, 0, 10)
        found = await sets.contains(conn, compiled, ["cAt", "dOg", "EMU"], URL)
    assert (total, sorted(entry.code.casefold() for entry in entries)) == (2, ["cat", "dog"])
    assert [found[code].member for code in ("cAt", "dOg", "EMU")] == [True, True, False]


@pytest.mark.parametrize(("content", "expected"), [("complete", ["cat"]), ("fragment", ["cat", "unicorn"])])
async def test_a_listed_code_that_its_complete_code_system_lacks_is_not_in(
    ask: Asker, content: str, expected: list[str]
) -> None:
    await ask.put(animals("listed", "cat", "dog", content=content))
    made = {"compose": {"include": [{"system": URL, "concept": [{"code": "unicorn"}, {"code": "cat"}]}]}}
    async with ask.store.pool.connection() as conn:
        compiled = await sets.compiled(conn, {"resourceType": "ValueSet", **made})
        page, total = await sets.page(conn, compiled, 0, 10)
        found = await sets.contains(conn, compiled, ["unicorn", "cat"], URL)
    assert (sorted(one.code for one in page), total) == (expected, len(expected))
    assert sorted(code for code, one in found.items() if one.member) == expected


async def test_a_supplement_adds_names_and_is_no_code_system_of_its_own(ask: Asker) -> None:
    german = {
        **animals("s", url="urn:test:german", content="supplement", supplements=URL),
        "concept": [{"code": "cat", "designation": [{"language": "de", "value": "Katze"}]}],
    }
    await ask.put(animals("a", "cat"), german)
    found = await system(ask)
    assert found is not None
    async with ask.store.pool.connection() as conn:
        cat = await lookup.concept(conn, found, "cat")
        assert cat is not None
        assert await lookup.designations(conn, cat) == [Designation("Katze", "de")]
    assert await codes(ask) == ["cat"]


UCUM = "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("compose", "expected"),
    [
        ({"include": [{"system": UCUM}]}, ["g", "mg", "kg"]),
        (
            {"include": [{"system": UCUM}], "exclude": [{"system": UCUM, "concept": [{"code": "mg"}]}]},
            ["g", "kg"],
        ),
        ({"include": [{"system": UCUM}], "exclude": [{"system": UCUM}]}, []),
        ({"include": [{"system": UCUM, "concept": [{"code": "g"}, {"code": "spoon"}]}]}, ["g"]),
        (
            {
                "include": [{"system": UCUM, "concept": [{"code": "mg"}]}, {"system": UCUM}],
                "exclude": [{"system": UCUM, "concept": [{"code": "g"}]}],
            },
            ["mg", "kg"],
        ),
        ({"include": [{"system": UCUM, "valueSet": ["urn:test:some"]}]}, ["mg", "g"]),
        (
            {
                "include": [{"valueSet": ["urn:test:some"], "system": UCUM}],
                "exclude": [{"valueSet": ["urn:test:all"]}],
            },
            [],
        ),
        ({"include": [{"valueSet": ["urn:test:all", "urn:test:some"]}]}, ["mg", "g"]),
        ({"include": [{"valueSet": ["urn:test:all"]}], "exclude": [{"valueSet": ["urn:test:some"]}]}, ["kg"]),
    ],
)
async def test_codes_made_by_rules_are_included_and_excluded_like_others(
    ask: Asker, compose: Json, expected: list[str]
) -> None:
    some = [{"system": UCUM, "concept": [{"code": "mg"}, {"code": "g"}]}]
    for name, include in (("some", some), ("all", [{"system": UCUM}])):
        made = {"resourceType": "ValueSet", "id": name, "status": "active", "url": f"urn:test:{name}"}
        await ask.put({**made, "compose": {"include": include}})
    async with ask.store.pool.connection() as conn:
        compiled = await sets.compiled(conn, {"resourceType": "ValueSet", "compose": compose})
        found = await sets.contains(conn, compiled, ["g", "mg", "kg", "spoon"], UCUM)
    assert sorted(code for code, one in found.items() if one.member) == sorted(expected)
    assert not any(one.reasons for one in found.values())


async def test_a_value_set_of_very_many_rules_on_one_code_system_can_be_told(ask: Asker) -> None:
    await ask.put(animals("a", *(f"c{number}" for number in range(60))))
    below = [{"property": "concept", "op": "is-a", "value": f"c{number}"} for number in range(60)]
    listed = [{"system": URL, "concept": [{"code": f"c{n}"}, {"code": f"c{n + 1}"}]} for n in range(50)]
    rules = [*listed * 6, *({"system": URL, "filter": [one]} for one in below), *listed]
    made = {"resourceType": "ValueSet", "compose": {"include": rules, "exclude": listed[:2]}}
    async with ask.store.pool.connection() as conn:
        compiled = await sets.compiled(conn, made)
        entries, total = await sets.page(conn, compiled, 0, 100)
        found = await sets.contains(conn, compiled, ["c0", "c3", "c59"], URL)
    assert sorted(entry.code for entry in entries) == sorted(f"c{number}" for number in range(3, 60))
    assert total == 57
    assert [found[code].member for code in ("c0", "c3", "c59")] == [False, True, True]


async def test_a_hierarchy_too_deep_to_follow_is_told_and_not_answered_without(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(climb, "ALWAYS", 2)
    monkeypatch.setattr(climb, "USUAL", 0)
    chain = [ConceptRecord("a"), *(ConceptRecord(b, parents=(a,)) for a, b in ("ab", "bc", "cd"))]
    async with ask.store.pool.connection() as conn:
        await load.load(conn, SystemHeader(URL, "1", "Chain", cased=True), chain)
        found = await catalog.system(conn, URL)
        assert found is not None
        with pytest.raises(UnknownError, match="too deep"):
            await lookup.subsumes(conn, found, "a", "d")
        one = await lookup.concept(conn, found, "d")
        assert one is not None
        assert [each.code for each in await lookup.parents(conn, one)] == ["c"]
        cursor = await conn.execute("SELECT count(*) FROM concept_ancestor WHERE system = %s", (found.id,))
        assert await cursor.fetchone() == (0,)


async def test_who_comes_while_an_import_takes_long_is_told_to_come_again(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "PATIENCE", 1)
    await ask.put(animals("a", "cat"))
    async with ask.store.pool.connection() as other, other.transaction():
        cursor = await other.execute("SELECT rid FROM resource WHERE id = 'a'")
        found = await cursor.fetchone()
        assert found is not None
        await other.execute("SELECT pg_advisory_xact_lock(%s, %s)", (catalog._LOCK, found[0]))
        with pytest.raises(FhirError) as raised:
            await system(ask)
    assert (raised.value.status, raised.value.headers["Retry-After"]) == (503, "10")
    assert await codes(ask) == ["cat"]


async def test_what_was_replaced_is_swept_later_and_large_systems_by_loads_alone(ask: Asker) -> None:
    async with ask.store.pool.connection() as conn:
        ids = []
        for concepts in (3, load.LARGE + 1):
            id_ = await load.begin(
                conn, SystemHeader("http://example.org/old", str(concepts), "Old"), "loader"
            )
            await conn.execute(
                "UPDATE code_system SET ready = true, concepts = %s, replaced = clock_timestamp() - interval '1 day'"
                " WHERE id = %s",
                (concepts, id_),
            )
            ids.append(id_)

        async def left() -> list[int]:
            cursor = await conn.execute("SELECT id FROM code_system WHERE id = ANY(%s)", (ids,))
            return [id_ for (id_,) in await cursor.fetchall()]

        header = SystemHeader("http://example.org/new", "1", "New")
        await load.load(conn, header, [ConceptRecord("a")], origin="published")
        assert await left() == ids[1:], "nobody who asks waits for the removal of a large one"
        await load.load(conn, header, [ConceptRecord("a")])
        assert await left() == []
