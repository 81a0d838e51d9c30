"""What the server finds is what the oracle finds: complete sets over all pages, and accurate totals.

Deterministic and bounded here; HEALTHBUDDY_ORACLE_SEARCHES=5000 looks further, at random.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conformance.search.server import Server
from tests.conformance.search.strategies import Search, searches
from tests.oracle.search import World

WANTED = int(os.environ.get("HEALTHBUDDY_ORACLE_SEARCHES", "0"))

relentless = settings(
    max_examples=WANTED or 3_000,
    derandomize=not WANTED,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(3_600 if WANTED else 300)
@relentless
@given(searches())
def test_the_server_finds_what_the_oracle_finds(server: Server, oracle: World, search: Search) -> None:
    type_name, pairs = search
    if (
        any(oracle.ambiguous(type_name, *pair) for pair in pairs)
        and server.get(type_name, pairs).status_code == 400
    ):
        return  # the element may allow fewer types than the parameter, so that nothing is ambiguous after all
    expected = oracle.search(type_name, pairs)
    page = server.bundle(type_name, [*pairs, ("_count", "1000"), ("_total", "accurate"), ("_elements", "id")])
    found = [f"{type_name}/{one['resource']['id']}" for one in page.get("entry", ())]
    assert sorted(found) == sorted(expected), search
    assert page["total"] == len(expected), search
