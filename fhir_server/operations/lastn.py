"""`Observation/$lastn`: the most recent observations of each code.

Source: http://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from fhir_server.access import current
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, Given, read_call
from fhir_server.search import include, plan, recheck
from fhir_server.search.bundle import searchset
from fhir_server.search.context import Context
from fhir_server.search.page import Page, url
from fhir_server.search.registry import registry
from fhir_server.search.run import COLUMNS, WIDTH, run
from fhir_server.search.sql import Sql, all_of
from fhir_server.search.understand import understand
from fhir_server.storage.rows import Row
from resources.outcome import FhirError

NAME = "$lastn"
MOST = 50_000
"""The most matching observations that one call looks at."""
_REFUSED = ("_sort", "_count", "_cursor", "_total", "_summary")

Key = tuple[str, str] | str


class _Coding(msgspec.Struct):
    system: str = ""
    code: str = ""


class _Concept(msgspec.Struct):
    coding: list[_Coding] = []
    text: str = ""


class _Coded(msgspec.Struct):
    """An Observation as far as grouping needs it."""

    code: _Concept


async def lastn(session: Session, request: Request) -> Result:
    """Return the searchset with the `max` (1) most recent observations of each code, all of a tie, newest first.

    Shape:  every search parameter of Observation narrows what is looked at; includes come along
    Errors: 400 without patient or subject, without category or code, or where too much would have to be looked at
    """
    most, pairs = _given(request)
    _require(pairs)
    query = await understand(session, "Observation", pairs, strict=request.strict)
    async with session.connection() as conn:
        sql = Sql()
        rows = plan.source(sql, query.types, query.tests)
        text = (
            f"SELECT {COLUMNS}, r.d0 FROM {rows.tables} WHERE {all_of(rows.conditions)}"
            f" ORDER BY r.d0 DESC, r.rid DESC LIMIT {MOST + 1}"
        )
        found = [(Row(*one[:WIDTH]), int(one[WIDTH])) for one in await run(conn, text, sql.args)]
        if len(found) > MOST:
            raise FhirError(400, "too-costly", f"More than {MOST:,} observations match; ask more narrowly")
        kept = recheck.true_matches(query.tests, latest(found, most))
        if len(kept) > Context.page_size_max:
            text = f"The answer would hold {len(kept):,} observations; ask more narrowly"
            raise FhirError(400, "too-costly", text)
        included = await include.fetch(conn, query.includes, kept)
    current.note([*kept, *included])
    own = [("max", str(most)), *query.pairs]
    links = [("self", url(request.base, f"Observation/{NAME}", own))]
    page = Page(kept, included, len(kept), links, query.issues)
    return Result(200, searchset(page, request.base), kind="bundle")


def _given(request: Request) -> tuple[int, list[tuple[str, str]]]:
    """Return `max` and the search parameters of a call; those of a posted Parameters as text."""
    given = [Given(name, value) for name, value in request.query]
    if request.body.strip() or request.resource is not None:
        given = read_call(request, NAME, {"max", *registry("Observation").params}).given
    most = Call([one for one in given if one.name == "max"], NAME).whole("max", 1)
    return most or 1, [(one.name, one.searched) for one in given if one.name != "max"]


def _require(pairs: Sequence[tuple[str, str]]) -> None:
    names = {name.partition(":")[0].partition(".")[0] for name, value in pairs if value.strip()}
    refused = names.intersection(_REFUSED)
    if refused:
        raise FhirError(
            400, "not-supported", f"{NAME} takes no '{min(refused)}': it has an order and size of its own"
        )
    if not names & {"patient", "subject"}:
        raise FhirError(400, "required", f"{NAME} needs a 'patient' or 'subject'")
    if not any(name == "category" or "code" in name.split("-") for name in names):
        raise FhirError(400, "required", f"{NAME} needs a 'category' or a parameter with a code")


def latest(found: Sequence[tuple[Row, int]], most: int) -> list[Row]:
    """Return those of `found` (newest first, each with its time) that are among the latest of their group.

    Shape:  codes that occur together in one observation are the same group, and so are theirs; without a code the text
            counts, as it is written
    """
    keys = [_keys(row) for row, _ in found]
    groups = _Groups()
    for each in keys:
        groups.join(each)
    times: dict[Key, list[int]] = defaultdict(list)
    kept = []
    for (row, moment), each in zip(found, keys, strict=True):
        seen = times[groups.of(each[0])]
        if len(seen) < most or moment == seen[most - 1]:
            kept.append(row)
        seen.append(moment)
    return kept


def _keys(row: Row) -> list[Key]:
    concept = msgspec.json.decode(row.json(), type=_Coded).code
    coded: list[Key] = [(one.system, one.code) for one in concept.coding if one.code]
    return coded or [concept.text]


class _Groups:
    """Keys that belong together, directly or through others (a disjoint-set forest)."""

    def __init__(self) -> None:
        self._up: dict[Key, Key] = {}

    def of(self, key: Key) -> Key:
        """Return the key that stands for the group of `key`."""
        up = self._up
        up.setdefault(key, key)
        while up[key] != key:
            up[key] = up[up[key]]
            key = up[key]
        return key

    def join(self, keys: Sequence[Key]) -> None:
        """Put `keys` into one group."""
        first = self.of(keys[0])
        for key in keys[1:]:
            self._up[self.of(key)] = first


register(
    Operation(
        NAME,
        lastn,
        "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        frozenset({"type"}),
        frozenset({"Observation"}),
    )
)
