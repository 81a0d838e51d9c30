"""`_text` and `_content`: which resources hold the words, and how well each of them answers.

A score is PostgreSQL's `ts_rank` over the whole query, divided by the logarithm of the resource's length: 0 to 1, a
function of the stored words and the query alone, so that pages can be cut by it.

Source: http://hl7.org/fhir/R4/search.html#content and #score
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fhir_server.search.context import Context
from fhir_server.search.fulltext import document, has_narrative, kind
from fhir_server.search.param import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, negated
from fhir_server.search.text_query import Not, holds_without_words, parse, tsquery
from fhir_server.storage.rows import param_id

NARRATIVE, CONTENT = "_text", "_content"
_WEIGHT = {NARRATIVE: "A", CONTENT: ""}
_WEIGHTS = "'{0.4, 0.4, 0.6, 1}'"
"""How much a word counts by its weight, D to A: one of the narrative two and a half times one of anything else."""
_BY_LENGTH = 1
"""`ts_rank` divides by 1 + the logarithm of how many words there are."""
_RANK = 40
_MOST_TYPES = 20
"""Up to so many types are looked for by their words; of more, every row will do."""


def index(resource: dict[str, Any], sink: Sink, *, contained: bool = False) -> None:
    """Add the words of a resource to `sink`."""
    if "text" not in Context.in_clear:
        return
    sink.text = document(resource, contained=contained)
    if sink.text:
        sink.present.add(param_id(resource["resourceType"], CONTENT))
        if has_narrative(sink.text):
            sink.present.add(param_id(resource["resourceType"], NARRATIVE))


def test(param: Param, value: str) -> Test:
    """Return the test that a resource holds what `value` asks for.

    Errors: 400 value, too-costly
    """
    weight = _WEIGHT[param.code]
    asked = parse(param.code, value)
    if holds_without_words(asked):
        return negated(_holding(param.types, tsquery(Not(asked), weight)))
    query = tsquery(asked, weight)
    return replace(_holding(param.types, query), words=query)


def _holding(types: Sequence[str], query: str) -> Test:
    """Return the test that a resource's words satisfy `query`; where it leads, only words of `types` count."""
    kinds = " | ".join(f"'{kind(name)}'" for name in types)
    typed = f"({kinds}) & {query}" if len(types) <= _MOST_TYPES else query

    def rids(sql: Sql) -> str:
        return f"SELECT i.rid FROM idx_text i WHERE i.words @@ {sql.cast(typed, 'tsquery')}"

    def where(sql: Sql, row: str) -> str:
        matches = f"i.words @@ {sql.cast(query, 'tsquery')}"
        return f"EXISTS (SELECT FROM idx_text i WHERE i.rid = {row}.rid AND {matches})"

    return Test(where, _RANK, rids)


def score(sql: Sql, wanted: Sequence[str], row: str) -> str:
    """Return the expression of a row's score: the mean of its scores for each tsquery of `wanted`."""
    ranks = [f"ts_rank({_WEIGHTS}, i.words, {sql.cast(one, 'tsquery')}, {_BY_LENGTH})" for one in wanted]
    mean = ranks[0] if len(ranks) == 1 else f"(({' + '.join(ranks)}) / {len(ranks)})::real"
    return f"coalesce((SELECT {mean} FROM idx_text i WHERE i.rid = {row}.rid), 0::real)"
