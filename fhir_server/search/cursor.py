"""Paging cursors: a place in the order, signed, so that nobody but us makes them and no state is kept.

A cursor belongs to one search and to whom it was given: its signature covers the type, every other parameter, the
client, the user and the patient in context. What may be seen is asked anew on every page.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fhir_server.access import current
from fhir_server.search.context import Context
from fhir_server.search.order import Place
from resources.outcome import FhirError

_SIGNATURE = 16


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts: the order it goes by (sort, d0, pid, rid), beyond which row, and in which direction."""

    order: str
    place: Place
    backward: bool


def encode(cursor: Cursor, search: str) -> str:
    """Return the text of a cursor of the search `search` (its type and parameters)."""
    body = msgspec.json.encode(
        [cursor.order, int(cursor.backward), cursor.place.rid, list(cursor.place.values)]
    )
    return base64.urlsafe_b64encode(_sign(body, search) + body).decode().rstrip("=")


def decode(text: str, search: str) -> Cursor:
    """Return the cursor that `text` stands for.

    Errors: 400 invalid for what we did not make, or made for another search
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise _foreign() from None
    signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _sign(body, search)):
        raise _foreign()
    order, backward, rid, values = msgspec.json.decode(body, type=tuple[str, int, int, list[str | None]])
    return Cursor(order, Place(tuple(values), rid), bool(backward))


def _foreign() -> FhirError:
    return FhirError(
        400, "invalid", "'_cursor' is not a page of this search: follow the links of a page as they are"
    )


def _sign(body: bytes, search: str) -> bytes:
    grant = current.policy().grant
    whose = msgspec.json.encode([grant.client, grant.user, grant.patient])
    data = len(body).to_bytes(4, "big") + body + whose + search.encode(errors="surrogatepass")
    return hmac.digest(Context.cursor_key, data, "sha256")[:_SIGNATURE]


def search_text(type_name: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return one text for a search: what its cursors are bound to."""
    return msgspec.json.encode([type_name, [list(pair) for pair in pairs]]).decode()
