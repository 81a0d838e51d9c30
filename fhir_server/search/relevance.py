"""How well matches answer `_text` and `_content`: the order by it, and what is to be said about its limits.

Source: http://hl7.org/fhir/R4/search.html#score and #_sort
"""

from __future__ import annotations

import re
from typing import Any

from psycopg import AsyncConnection

from fhir_server.search import plan
from fhir_server.search.fulltext import CUT
from fhir_server.search.param import Param
from fhir_server.search.query import Query, SortKey
from fhir_server.search.registry import TEXTS
from fhir_server.search.run import run
from fhir_server.search.sql import Sql, all_of
from fhir_server.storage.rows import type_number
from resources.outcome import FhirError, Issue

NAME = "_score"
SCORE = Param("", NAME, "number", "", 0, "score")
"""What `_sort=_score` sorts by: the best first, as "to sort by relevance" asks for; `-_score` is the reverse."""


def settle(query: Query) -> None:
    """Sort a search for words by how well they are found, unless it asks for another order.

    Errors: 400 invalid where `_score` is asked for and no words are
    """
    if query.words and not query.sort:
        query.sort = [SortKey(SCORE, False)]
    elif not query.words and any(key.param is SCORE for key in query.sort):
        text = "'_score' sorts by how well _text or _content are answered, and this search has neither"
        raise FhirError(400, "invalid", text)


async def warnings(conn: AsyncConnection[Any], query: Query) -> list[Issue]:
    """Return what a search for words has to say: that some resource is too long to be found by all of its words."""
    asked = {name.rpartition(".")[2].rpartition(":")[2] for name, _ in query.pairs}
    asked |= {name.rpartition(".")[2].partition(":")[0] for name, _ in query.pairs}
    if not asked & TEXTS:
        return []
    sql = Sql()
    seen = plan.visible("", "r", sql)
    conditions = [f"i.words @@ {sql.cast(repr(CUT), 'tsquery')}", plan.LIVE, *([seen] if seen else [])]
    if _only_matches(query):
        conditions.append(f"r.type IN ({', '.join(str(type_number(name)) for name in query.types)})")
    text = f"SELECT FROM idx_text i JOIN resource r ON r.rid = i.rid WHERE {all_of(conditions)} LIMIT 1"
    if not await run(conn, text, sql.args):
        return []
    said = "There are resources too long to be indexed whole: words and phrases late in them are not found"
    return [Issue("incomplete", said, (), "warning")]


def _only_matches(query: Query) -> bool:
    """Whether words are asked of the matches alone: not of what they refer to, nor of what they contain."""
    names = [name for name, _ in query.pairs if TEXTS & set(re.split("[.:]", name))]
    return query.contained == "false" and all(name.partition(":")[0] in TEXTS for name in names)
