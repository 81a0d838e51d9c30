"""What a request reads: references of one level in one statement, and searches, each asked once.

Everything is read here and nowhere else, by the storage's reads and the server's own search.
Source: http://hl7.org/fhir/R4/graphql.html#references, #searching
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fhir_server.access import seen
from fhir_server.exchange import Session
from fhir_server.operations.graphql.limits import Budget, too_costly
from fhir_server.operations.graphql.plan import Json, Search
from fhir_server.search.context import Context
from fhir_server.search.find import find
from fhir_server.search.page import Page
from fhir_server.search.registry import registry
from fhir_server.storage import read as storage
from fhir_server.storage.rows import Row
from resources import fhirpath
from resources.codec.json import parse_json
from resources.fhirpath import Expression
from resources.outcome import FhirError
from resources.references import parse_reference

Key = tuple[str, str]
Pairs = tuple[tuple[str, str], ...]
_CURSOR = "_cursor"
AT_ONCE = 100
"""Resources whose reverse lookups go by one search: their addresses have to fit into one parameter."""


@dataclass(slots=True)
class Found:
    """What a search found: resources with the mode and score that the Bundle would give them."""

    resources: list[Json]
    scores: list[Decimal | None]
    members: Json


class Token(msgspec.Struct, array_like=True):
    """What a cursor holds: the search, its page size, the matches before the page, and search's own cursor."""

    type: str
    pairs: list[tuple[str, str]]
    count: int
    offset: int
    place: str = ""


class Reader:
    """Reads for one request."""

    def __init__(self, session: Session, base: str, budget: Budget) -> None:
        self.session = session
        self.base = base
        self.budget = budget
        self._read: dict[Key, Json | None] = {}
        self._pages: dict[tuple[str, Pairs], Page] = {}

    async def several(self, keys: Iterable[Key]) -> dict[Key, Json | None]:
        """Return the current versions of (type, id) keys, None for what is unknown or deleted: one statement."""
        wanted = list(dict.fromkeys(keys))
        missing = [key for key in wanted if key not in self._read]
        if missing:
            self.budget.spend("resources", len(missing))
            async with self.session.connection() as conn:
                rows = await seen.several(conn, missing)
            self._read.update((key, _json(rows.get(key))) for key in missing)
        return {key: self._read[key] for key in wanted}

    async def version(self, type_name: str, id_: str, number: str) -> Json | None:
        """Return one version, None where there is none."""
        if not storage.VERSION.fullmatch(number):
            return None
        self.budget.spend("resources")
        async with self.session.connection() as conn:
            return _json(await seen.version(conn, type_name, id_, int(number)))

    async def matches(self, search: Search, pairs: Pairs, lists: int = 1) -> list[Json]:
        """Return up to as many matches as `lists` lists may have, in order, and no fewer than there are.

        Errors: 400 too-costly where there are more
        """
        limits = self.budget.limits
        most = min(limits.matches * lists, limits.resources)
        counted = search.count is not None and search.path is None
        needed = search.offset + (search.count or 0) if counted else most + 1
        if not needed:
            return []
        size = ("_count", str(min(needed, limits.matches, Context.page_size_max)))
        found: list[Json] = []
        place = ""
        while True:
            page = await self._page(search.type, (*pairs, size, *(((_CURSOR, place),) if place else ())))
            found += [_parsed(row) for row in page.rows]
            place = _places(page).get("next", "")
            if not place or len(found) >= needed:
                return found
            if len(found) >= most:
                name = f"{search.type}List"
                raise too_costly(
                    f"{name} finds more than {most}: narrow it, or page by {search.type}Connection"
                )

    async def around(self, search: Search, owners: Sequence[Key]) -> dict[Key, list[Json]]:
        """Return the matches of a reverse lookup by the resource that they refer to, for many by one search.

        Shape:  an owner is left out where the search has to be made for it alone: by count and offset, or since a
                match does not tell whom it names
        """
        found: dict[Key, list[Json]] = {}
        if search.count is not None or search.offset:
            return found
        for start in range(0, len(owners), AT_ONCE):
            found.update(await self._around(search, owners[start : start + AT_ONCE]))
        return found

    async def _around(self, search: Search, owners: Sequence[Key]) -> dict[Key, list[Json]]:
        found: dict[Key, list[Json]] = {owner: [] for owner in owners}
        addresses = ",".join("/".join(owner) for owner in owners)
        pairs = ((search.reference, addresses), *search.pairs)
        expression = fhirpath.compile(registry(search.type).params[search.reference].expression, lenient=True)
        for resource in await self.matches(search, pairs, len(owners)):
            named = self._named(expression, resource) & found.keys()
            if not named:
                return {}
            for owner in named:
                found[owner].append(resource)
        most = self.budget.limits.matches
        if any(len(matches) > most for matches in found.values()):
            raise too_costly(f"{search.type}List finds more than {most} around one resource: narrow it")
        return found

    def _named(self, expression: Expression, resource: Json) -> set[Key]:
        """Return the (type, id) that the references found by `expression` name."""
        texts = (
            one.get("reference") if isinstance(one, dict) else one for one in expression.evaluate(resource)
        )
        parsed = (parse_reference(text, self.base) for text in texts if isinstance(text, str))
        return {
            (one.type, one.id) for one in parsed if one.type is not None and one.id is not None and one.local
        }

    async def connection(self, search: Search, pairs: Pairs, members: frozenset[str]) -> Found:
        """Return one page of a search with what a connection tells of it."""
        token = Token(
            search.type, list(pairs), search.count if search.count is not None else Context.page_size, 0
        )
        if search.cursor:
            token = _token(search.cursor, search.type, self.budget.limits.matches)
        asked: Pairs = (*((name, value) for name, value in token.pairs), ("_count", str(token.count)))
        place = ((_CURSOR, token.place),) if token.place else ()
        page = await self._page(token.type, (*asked, *place))
        total = page.total
        if total is None and "count" in members:
            total = (await self._page(token.type, (*asked, ("_summary", "count")))).total
        return Found([_parsed(row) for row in page.rows], _scores(page), _members(token, page, total))

    async def _page(self, type_name: str, pairs: Pairs) -> Page:
        key = (type_name, pairs)
        page = self._pages.get(key)
        if page is None:
            self.budget.spend("searches")
            page = await find(self.session, type_name, pairs, base=self.base, strict=True)
            self.budget.spend("resources", len(page.rows))
            self._pages[key] = page
        return page


def _json(row: Row | None) -> Json | None:
    return _parsed(row) if row is not None and row.live else None


def _parsed(row: Row) -> Json:
    return parse_json(row.json())


def _scores(page: Page) -> list[Decimal | None]:
    found = (page.scores.get(row.rid) for row in page.rows)
    return [None if score is None else Decimal(score) for score in found]


def _places(page: Page) -> dict[str, str]:
    """Return {relation: search's own cursor} of the page's links."""
    return {relation: dict(parse_qsl(urlsplit(url).query)).get(_CURSOR, "") for relation, url in page.links}


def _members(token: Token, page: Page, total: int | None) -> Json:
    places = _places(page)
    told: Json = {"offset": token.offset, "pagesize": token.count}
    if total is not None:
        told["count"] = total
    if token.count == 0:
        return told
    told["first"] = _written(Token(token.type, token.pairs, token.count, 0))
    if "prev" in places:
        before = max(token.offset - token.count, 0)
        told["previous"] = _written(Token(token.type, token.pairs, token.count, before, places["prev"]))
    if "next" in places:
        after = token.offset + len(page.rows)
        told["next"] = _written(Token(token.type, token.pairs, token.count, after, places["next"]))
    else:
        told["last"] = _written(token)
    return told


def _written(token: Token) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode().rstrip("=")


def _token(text: str, type_name: str, most: int) -> Token:
    """Return what a cursor of ours holds.

    Errors: 400 invalid for any other text; search itself refuses a place that it has not signed
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        token = msgspec.msgpack.decode(raw, type=Token)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise FhirError(400, "invalid", "GraphQL: the cursor is none of a page of this server") from None
    if token.type != type_name or not 0 <= token.count <= most or not 0 <= token.offset < 2**53:
        raise FhirError(400, "invalid", f"GraphQL: the cursor is of no search of {type_name}")
    return token
