"""Every search that US Core's CapabilityStatement names finds just what it should of the examples, and no more.

Source: http://hl7.org/fhir/us/core/STU6.1/CapabilityStatement-us-core-server.html; the answers are the oracle's
"""

from __future__ import annotations

import httpx
import pytest

from tests.conformance.us_core.asked import (
    Pairs,
    defined,
    questions,
    resources,
    searches,
    singles,
    values,
    world,
)
from tests.oracle.definitions import parameters
from tests.oracle.text import escape

TYPES = sorted(kind for kind in resources() if searches(kind))
PREFIXES = ("eq", "ne", "gt", "ge", "lt", "le", "sa", "eb")


@pytest.fixture(autouse=True)
def _guide_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oracle know the parameters that the guide adds to R4's."""
    for one in defined():
        monkeypatch.setitem(parameters(one.type), one.code, one)


async def answer(guide: httpx.AsyncClient, kind: str, pairs: Pairs, post: bool = False) -> set[str]:
    """Return 'Type/id' of what the server finds, through all pages in one."""
    wanted = httpx.QueryParams((*pairs, ("_count", "500")))
    form = {"content": str(wanted), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    got = await (guide.post(f"{kind}/_search", **form) if post else guide.get(kind, params=wanted))  # type: ignore[arg-type]
    assert got.status_code == 200, (kind, pairs, got.text)
    modes = [(one["search"]["mode"], one["resource"]) for one in got.json().get("entry", [])]
    assert {mode for mode, _ in modes} <= {"match"}, (kind, pairs, got.text)
    return {f"{one['resourceType']}/{one['id']}" for _, one in modes}


@pytest.mark.parametrize("kind", TYPES)
async def test_a_search_finds_just_what_it_should(guide: httpx.AsyncClient, kind: str) -> None:
    wrong, asked = [], 0
    for names in searches(kind):
        for pairs in questions(kind, names):
            asked += 1
            expected = world().search(kind, pairs)
            for post in (False, True):
                got = await answer(guide, kind, pairs, post)
                if got != expected:
                    wrong.append((pairs, post, sorted(got ^ expected)))
    assert wrong == []
    assert asked


async def test_several_values_are_alternatives_and_repeats_narrow(guide: httpx.AsyncClient) -> None:
    for kind in TYPES:
        for name in singles(kind):
            texts = [pairs[0][1] for pairs in questions(kind, (name,))][:3]
            if len(texts) > 1:
                either: Pairs = [(name, ",".join(texts))]
                both: Pairs = [(name, text) for text in texts[:2]]
                for pairs in (either, both):
                    assert await answer(guide, kind, pairs) == world().search(kind, pairs), pairs


@pytest.mark.parametrize("kind", TYPES)
async def test_dates_are_compared_as_they_should(guide: httpx.AsyncClient, kind: str) -> None:
    for names in searches(kind):
        dates = [name for name in names if name in parameters(kind) and parameters(kind)[name].kind == "date"]
        for pairs in questions(kind, names)[:2] if dates else ():
            for prefix in PREFIXES:
                for cut in (4, 10, None):
                    given = [
                        (name, f"{prefix}{text[:cut]}" if name in dates else text) for name, text in pairs
                    ]
                    assert await answer(guide, kind, given) == world().search(kind, given), given


async def test_a_time_span_is_asked_for_by_both_of_its_ends(guide: httpx.AsyncClient) -> None:
    for kind in TYPES:
        for name in singles(kind):
            if name not in parameters(kind) or parameters(kind)[name].kind != "date":
                continue
            for key in world().keys(kind)[:3]:
                for text in values(kind, key, name)[:1]:
                    year = int(text[:4])
                    given = [(name, f"ge{year - 1}"), (name, f"le{year + 1}")]
                    expected = world().search(kind, given)
                    assert key in expected
                    assert await answer(guide, kind, given) == expected, given


async def test_a_search_is_answered_in_xml_too(guide: httpx.AsyncClient) -> None:
    for kind in TYPES:
        for names in searches(kind):
            for pairs in questions(kind, names)[:1]:
                got = await guide.get(
                    kind, params=httpx.QueryParams((*pairs, ("_format", "xml"), ("_count", "500")))
                )
                assert got.headers["content-type"].startswith("application/fhir+xml")
                assert got.text.count('<mode value="match"/>') == len(world().search(kind, pairs)), pairs


async def test_references_are_followed_both_ways_as_stated(guide: httpx.AsyncClient) -> None:
    for kind, stated in resources().items():
        matches = set(world().keys(kind))
        for way, texts in (("_include", stated.get("searchInclude", ())),
                           ("_revinclude", stated.get("searchRevInclude", ()))):  # fmt: skip
            for text in texts:
                follow = world().included if way == "_include" else world().referring
                got = await guide.get(kind, params={way: text, "_count": "500"})
                entries = got.json()["entry"]
                brought = {
                    f"{one['resource']['resourceType']}/{one['resource']['id']}"
                    for one in entries
                    if one["search"]["mode"] == "include"
                }
                assert brought == follow(matches, *text.split(":")), (kind, text)


async def test_a_name_is_found_by_its_beginning_without_regard_to_case(guide: httpx.AsyncClient) -> None:
    asked = 0
    for kind in TYPES:
        for name in singles(kind):
            if name in parameters(kind) and parameters(kind)[name].kind == "string":
                for pairs in questions(kind, (name,))[:2]:
                    asked += 1
                    given = [(name, escape(pairs[0][1].replace("\\", "")[:3].upper()))]
                    assert await answer(guide, kind, given) == world().search(kind, given), given
    assert asked > 8
