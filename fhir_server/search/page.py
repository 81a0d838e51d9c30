"""One page of matches, and the links to those around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from fhir_server.search.cursor import Cursor, encode, search_text
from fhir_server.search.order import Place
from fhir_server.search.query import Query
from fhir_server.storage.rows import Row
from resources.outcome import Issue


@dataclass(slots=True)
class Page:
    """What a search answers.

    Shape:  `links` are (relation, absolute url); `issues` say what was not understood; `total` None: not counted;
            `scores` by row number say how well a match answers a search for words
    """

    rows: list[Row]
    included: list[Row] = field(default_factory=list)
    total: int | None = None
    links: list[tuple[str, str]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    scores: dict[int, str] = field(default_factory=dict)


def links(
    query: Query, base: str, order: str, places: Sequence[Place], *, earlier: bool, later: bool
) -> list[tuple[str, str]]:
    """Return the links of a page whose rows lie at `places`: self, first, previous and next where there is one."""
    pairs = [pair for pair in query.pairs if pair[0] != "_cursor"]
    if any(name == "_count" for name, _ in pairs):
        pairs = [(name, str(query.count) if name == "_count" else value) for name, value in pairs]
    path = query.scope.path
    first = url(base, path, pairs)
    following = first + ("&" if pairs else "?") + "_cursor="

    def at(place: Place, backward: bool) -> str:
        return following + encode(Cursor(order, place, backward), search_text(path, pairs))

    found = [("self", following + quote(query.cursor, safe="") if query.cursor else first)]
    if query.only_count or query.count == 0:
        return found
    found.append(("first", first))
    if earlier and places:
        found.append(("prev", at(places[0], True)))
    if later and places:
        found.append(("next", at(places[-1], False)))
    return found


def url(base: str, path: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the address of a search."""
    query = "&".join(f"{quote(name, safe=':.')}={quote(value, safe=_PLAIN)}" for name, value in pairs)
    return (f"{base}/{path}" if path else base) + (f"?{query}" if query else "")


_PLAIN = ":/,$-._~*"
