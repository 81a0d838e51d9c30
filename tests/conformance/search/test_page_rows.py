"""One test for each row of the tables of R4's search page, and for each of its examples.

Every answer is told by hand, and the oracle agrees with it.
Source: http://hl7.org/fhir/R4/search.html (version 4.0.1), the section named with each row
"""

from __future__ import annotations

import pytest

from tests.conformance.search.page import ROWS
from tests.conformance.search.server import Server
from tests.oracle.search import World

NOT_ORACLE = (
    "_lastUpdated",
    ":in=",
    ":not-in=",
    ":above",
    ":below",
    "_list",
    "_filter",
    "near=",
    "_text",
    "_content",
)
"""Searches that the oracle leaves to the answers told by hand."""


def pairs_of(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query, nothing in it decoded."""
    split = [part.partition("=") for part in query.split("&")]
    return [(name, value) for name, _, value in split]


@pytest.mark.parametrize(("section", "search", "expected"), ROWS, ids=[f"{s} {q}"[:90] for s, q, _ in ROWS])
def test_the_page_is_kept(server: Server, oracle: World, section: str, search: str, expected: str) -> None:
    type_name, _, query = search.partition("?")
    pairs = pairs_of(query)
    found = server.matches(type_name, [*pairs, ("_count", "1000")])
    assert {key for key in found if "/row-" in key} == {f"{type_name}/row-{id_}" for id_ in expected.split()}
    assert server.total(type_name, pairs) == len(found)
    if not any(name in query for name in NOT_ORACLE):
        assert set(found) == oracle.search(type_name, pairs)
