"""Conditions on a write: the version a client has seen, and criteria that name a resource by search."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import msgspec

from fhir_server.exchange import Pairs, Request, Session
from fhir_server.search.match import match_rows
from fhir_server.storage.read import Old
from resources.outcome import FhirError

_TAG = r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"|([A-Za-z0-9\-.]{1,64})'
_ONE = re.compile(_TAG)
_TAGS = re.compile(rf"\s*(?:{_TAG})\s*(?:,\s*(?:{_TAG})\s*)*")


class Criteria(msgspec.Struct, frozen=True):
    """A search that names the resource to write."""

    type: str
    pairs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return one text for all spellings of the same search: what its lock is made of."""
        return self.type + "?" + "&".join(f"{name}={value}" for name, value in sorted(self.pairs))

    async def match(self, session: Session) -> Old | None:
        """Return the one resource that matches, None where none does.

        Errors: 412 multiple-matches where several match
        """
        found = await match_rows(session, self.type, list(self.pairs), limit=2)
        if len(found) > 1:
            raise FhirError(412, "multiple-matches", f"'{self}' matches several resources, so it names none")
        return found[0] if found else None


def criteria(type_name: str, pairs: Pairs) -> Criteria:
    """Return the criteria in a request's query; raises FhirError 412 where there are none."""
    kept = tuple((name, value) for name, value in pairs if name not in ("_format", "_pretty") and value)
    if not kept:
        raise FhirError(
            412, "invalid", f"A conditional request on {type_name} needs search criteria in its URL"
        )
    return Criteria(type_name, kept)


def if_none_exist(request: Request, type_name: str) -> Criteria | None:
    """Return the criteria of a conditional create, None where the header was not sent."""
    value = request.header("if-none-exist")
    return None if value is None else parse_criteria(type_name, value)


def parse_criteria(type_name: str, text: str) -> Criteria:
    """Return the criteria in `text`: a query with or without `Type?` before it.

    Errors: 400 where another type is named or nothing is said
    """
    head, mark, query = text.partition("?")
    if not mark or "=" in head:  # the mark is part of a value
        head, query = "", text
    if head.rsplit("/", 1)[-1] not in ("", type_name):
        raise FhirError(400, "invalid", f"The criteria '{text[:200]}' are not about {type_name}")
    pairs = parse_qsl(query, keep_blank_values=True)
    if not pairs:
        raise FhirError(400, "invalid", f"'{text[:200]}' holds no search criteria")
    return criteria(type_name, pairs)


def entity_tags(name: str, value: str) -> tuple[str, ...]:
    """Return the version ids of an If-Match or If-None-Match header, ('*',) for the star.

    Shape:  weak, strong and unquoted tags are read alike, since FHIR clients send all three
    Errors: 400 value
    """
    if value.strip() == "*":
        return ("*",)
    if len(value) > 4096 or not _TAGS.fullmatch(value):
        raise FhirError(400, "value", f'The header {name} must hold ETags such as W/"3"')
    return tuple(quoted or bare for quoted, bare in _ONE.findall(value))


class Precondition(msgspec.Struct, frozen=True):
    """Which versions a client will write over: the one it has seen, or none that it names as unwanted.

    Source: http://hl7.org/fhir/R4/http.html#concurrency, RFC 9110 sections 13.1.1 and 13.1.2
    """

    wanted: str | None = None
    unwanted: tuple[str, ...] = ()


ANY_VERSION = Precondition()


def precondition(request: Request) -> Precondition:
    """Return what If-Match and If-None-Match ask of the current version.

    Errors: 400 for headers that hold no ETags, or an If-Match that holds several
    """
    wanted, unwanted = request.header("if-match"), request.header("if-none-match")
    if wanted is None and unwanted is None:
        return ANY_VERSION
    tags = entity_tags("If-Match", wanted) if wanted is not None else ()
    if len(tags) > 1:
        raise FhirError(400, "value", 'The header If-Match must hold one ETag such as W/"3"')
    others = entity_tags("If-None-Match", unwanted) if unwanted is not None else ()
    return Precondition(tags[0] if tags else None, others)


def expect(asked: Precondition, version: int | None, what: str) -> None:
    """Raise FhirError 412 unless the current `version` (None: there is none) is one that the client will write over."""
    wanted = asked.wanted
    if version is not None and {"*", str(version)}.intersection(asked.unwanted):
        raise FhirError(
            412, "conflict", f"{what} exists, at version {version}, which If-None-Match rules out"
        )
    if wanted is None:
        return
    if version is None:
        raise FhirError(412, "conflict", f"{what} does not exist, so it has no version {wanted}")
    if wanted not in ("*", str(version)):
        raise FhirError(412, "conflict", f"{what} is at version {version} now, not {wanted}")
