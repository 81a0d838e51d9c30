"""HTTP header values: reading what clients send, writing what R4 asks for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import msgspec

from fhir_server.changes.conditions import entity_tags

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Prefer(msgspec.Struct, frozen=True):
    """What the Prefer header asks for. Source: http://hl7.org/fhir/R4/http.html#ops, RFC 7240"""

    content: str = "representation"
    handling: str = ""
    respond_async: bool = False


@lru_cache(256)
def prefer(value: str) -> Prefer:
    """Return the preferences of a Prefer header; unknown ones are ignored, as RFC 7240 section 2 asks."""
    content, handling, respond_async = "representation", "", False
    for item in re.split(r"[,;]", value):
        name, _, wanted = (part.strip().strip('"').lower() for part in item.partition("="))
        if name == "return" and wanted in ("minimal", "representation", "operationoutcome"):
            content = wanted
        elif name == "handling" and wanted in ("strict", "lenient"):
            handling = wanted
        elif name == "respond-async":
            respond_async = True
    return Prefer(content, handling, respond_async)


def http_date(moment: datetime) -> str:
    """Return `moment` (aware) as an IMF-fixdate. Source: RFC 9110 section 5.6.7"""
    d = moment.astimezone(UTC)
    return (
        f"{_DAYS[d.weekday()]}, {d.day:02d} {_MONTHS[d.month - 1]} {d.year:04d} "
        f"{d.hour:02d}:{d.minute:02d}:{d.second:02d} GMT"
    )


def parse_http_date(value: str) -> datetime | None:
    """Return the instant of an HTTP date, None where it is none (RFC 9110 section 13.1.3: then it is ignored)."""
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def not_modified(headers: dict[str, str], version: int | None, updated: datetime | None) -> bool:
    """Whether a conditional read may answer 304. Source: http://hl7.org/fhir/R4/http.html#cread"""
    tags = headers.get("if-none-match")
    if tags is not None:
        wanted = entity_tags("If-None-Match", tags)
        return version is not None and (wanted == ("*",) or str(version) in wanted)
    since = headers.get("if-modified-since")
    if since is None or updated is None:
        return False
    parsed = parse_http_date(since)
    return parsed is not None and updated.replace(microsecond=0) <= parsed


def sane_request_id(value: str | None) -> str | None:
    """Return the client's request id where it can be logged and echoed as it is."""
    return value if value is not None and _REQUEST_ID.fullmatch(value) else None
