"""References and addresses.

Source: http://hl7.org/fhir/R4/search.html#reference, #versions and #uri
"""

from __future__ import annotations

import re

from tests.oracle.codes import identifier_matches
from tests.oracle.definitions import resource_types
from tests.oracle.extract import Value
from tests.oracle.text import plain, split

BASE = "http://server.example/fhir"
"""The address of the server that is tested."""

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(/_history/[A-Za-z0-9.-]{1,64})?\Z")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}\Z")


def local(text: str) -> str | None:
    """Return 'Type/id' of a literal reference to this server, None for any other."""
    found = _LOCAL.match(text.removeprefix(BASE + "/"))
    if found is None or found[1] not in resource_types():
        return None
    return f"{found[1]}/{found[2]}"


def target(value: Value) -> str | None:
    """Return 'Type/id' of what a value refers to on this server."""
    if value.type == "Reference":
        return local(value.data.get("reference", ""))
    if isinstance(value.data, dict) and "resourceType" in value.data:
        return f"{value.data['resourceType']}/{value.data['id']}" if "id" in value.data else None
    return None


def matches(value: Value, modifier: str, text: str, targets: tuple[str, ...] = ()) -> bool:
    """Whether a reference passes id, Type/id or an address.

    Shape:  `modifier` is '' or the type that is referred to; an id alone is of one of `targets`, the parameter's types
    """
    asked = plain(text)
    if isinstance(value.data, str):
        return uri_matches(value.data, asked)
    own = target(value)
    if own is None:
        return isinstance(value.data, dict) and value.data.get("reference") == asked and ":" in asked
    name, _, id_ = own.partition("/")
    if modifier and name != modifier:
        return False
    wanted = local(asked)
    if wanted:
        return own == wanted
    return bool(_ID.match(asked)) and id_ == asked and (bool(modifier) or not targets or name in targets)


def by_identifier(value: Value, text: str) -> bool:
    """Whether a Reference has the identifier of `:identifier`."""
    pieces = [plain(piece) for piece in split(text, "|")]
    system, wanted = pieces if len(pieces) == 2 else (None, pieces[0])
    if value.type != "Reference" or "identifier" not in value.data:
        return False
    return identifier_matches(value.data["identifier"], system, wanted)


def uri_matches(stored: str, asked: str) -> bool:
    """Whether an address is the one asked for, to the letter; a version may be left out of the search."""
    return stored == asked or ("|" not in asked and stored.partition("|")[0] == asked)


def uri_below(stored: str, asked: str) -> bool:
    """Whether an address lies below the one asked for: URLs by segments of their path."""
    return stored == asked or (_is_url(asked) and stored.startswith(asked.rstrip("/") + "/"))


def uri_above(stored: str, asked: str) -> bool:
    """Whether an address lies above the one asked for."""
    return stored == asked or (_is_url(stored) and asked.startswith(stored.rstrip("/") + "/"))


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))
