"""Content negotiation: what the client sent, and in which form it wants the answer.

Source: http://hl7.org/fhir/R4/http.html#mime-type, http://hl7.org/fhir/R4/http.html#parameters
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from fhir_server.exchange import Pairs, only
from fhir_server.subset import WHOLE, Subset, subset_of
from resources.outcome import FhirError

JSON, XML = "application/fhir+json", "application/fhir+xml"

OFFERED = (
    JSON,
    XML,
    "application/json",
    "text/json",
    "application/xml",
    "text/xml",
    "application/json+fhir",
    "application/xml+fhir",
)
"""What we can answer with, our preference first; the last two are the DSTU2 names."""

_FORMATS = {"json": JSON, "xml": XML, **{name: name for name in OFFERED}}
_BODIES = {name: "xml" if "xml" in name else "json" for name in OFFERED}
CONTROLS = frozenset({"_format", "_pretty", "_summary", "_elements"})
"""Parameters that shape the answer and never select resources."""

_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+\-]{1,127}/[A-Za-z0-9!#$&^_.+\-]{1,127}")


class MediaType(msgspec.Struct, frozen=True):
    """A parsed media type; names and parameter names in lower case."""

    name: str
    params: dict[str, str]


class Answer(msgspec.Struct, frozen=True):
    """The form of the answer: `native` where no FHIR format was asked for by name (raw Binary content may go)."""

    mime: str = JSON
    pretty: bool = False
    subset: Subset = WHOLE

    @property
    def xml(self) -> bool:
        """Whether the answer is XML."""
        return "xml" in self.mime


PLAIN = Answer()


def negotiate(accept: str | None, query: Pairs) -> Answer:
    """Return how to answer.

    Errors: 406 not-supported, 400 value for a malformed control parameter
    """
    chosen = accepted(accept) if accept else JSON
    controls = [pair for pair in query if pair[0] in CONTROLS]
    if not controls:
        if chosen is None:
            raise _not_acceptable("Accept")
        return PLAIN if chosen == JSON else Answer(chosen)
    wanted = only(controls, "_format")
    if wanted:
        chosen = _FORMATS.get(_media_type(wanted.replace(" ", "+")).name)
    if chosen is None:
        raise _not_acceptable("_format" if wanted else "Accept")
    return Answer(chosen, _flag(controls, "_pretty"), subset_of(controls))


def _flag(controls: Pairs, name: str) -> bool:
    value = only(controls, name) or "false"
    if value not in ("true", "false"):
        raise FhirError(400, "value", f"{name} must be true or false")
    return value == "true"


@lru_cache(512)
def accepted(accept: str) -> str | None:
    """Return the offered type that an Accept header likes best, None where it takes none of ours."""
    ranges = media_ranges(accept)
    best: tuple[float, int, int] = (0.0, 0, 0)
    chosen = None
    for order, name in enumerate(OFFERED):
        q, specificity = quality(name, ranges)
        if q > 0 and (q, specificity, -order) > best:
            best, chosen = (q, specificity, -order), name
    return chosen


def quality(name: str, ranges: tuple[tuple[MediaType, float], ...]) -> tuple[float, int]:
    """Return (q, specificity 0-3) that `ranges` give to a media type; the most specific range decides."""
    best_q, best_specificity = 0.0, 0
    main = name.partition("/")[0] + "/*"
    for media, q in ranges:
        specificity = (
            3 if media.name == name else 2 if media.name == main else 1 if media.name == "*/*" else 0
        )
        if specificity > best_specificity and _version_known(media):
            best_q, best_specificity = q, specificity
    return best_q, best_specificity


@lru_cache(512)
def media_ranges(accept: str) -> tuple[tuple[MediaType, float], ...]:
    """Return the ranges of an Accept header with their q; what cannot be read is left out."""
    found = []
    for item in accept.split(",")[:64]:
        media = _media_type(item)
        try:
            q = float(media.params.get("q", "1"))
        except ValueError:
            continue
        if 0 <= q <= 1 and "/" in media.name:
            found.append((media, q))
    return tuple(found)


@lru_cache(256)
def _media_type(value: str) -> MediaType:
    name, *params = value.split(";")
    pairs = (param.partition("=") for param in params)
    return MediaType(
        name.strip().lower(),
        {key.strip().lower(): text.strip().strip('"') for key, separator, text in pairs if separator},
    )


def content_type(value: str | None) -> MediaType:
    """Return the media type of a request body.

    Errors: 415 where it is missing or malformed, not UTF-8, or of another FHIR version
    """
    media = _media_type(value or "")
    if not _MIME.fullmatch(media.name):
        raise FhirError(415, "not-supported", "The Content-Type header is missing or malformed")
    return media


def body_format(media: MediaType, others: tuple[str, ...] = ()) -> str:
    """Return 'json' or 'xml' for a body that holds a resource.

    Errors: 415 for any other type; its text names `others` too, which are taken besides
    """
    form = _BODIES.get(media.name)
    if form is None:
        text = f"Content-Type '{media.name[:80]}' is not supported; send {' or '.join((JSON, XML, *others))}"
        raise FhirError(415, "not-supported", text)
    require_utf8(media)
    if not _version_known(media):
        raise FhirError(415, "not-supported", "This server speaks FHIR R4 (fhirVersion=4.0)")
    return form


def require_utf8(media: MediaType) -> None:
    """Raise FhirError 415 where a body claims an encoding other than UTF-8."""
    charset = media.params.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise FhirError(415, "not-supported", f"FHIR bodies are UTF-8, not '{charset[:40]}'")


def _version_known(media: MediaType) -> bool:
    return media.params.get("fhirversion", "4.0") in ("4.0", "4.0.1")


def _not_acceptable(name: str) -> FhirError:
    return FhirError(406, "not-supported", f"{name} takes none of what this server can send: {JSON}, {XML}")
