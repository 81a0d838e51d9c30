"""Strings: normalized for prefix and substring search, kept as written for `:exact`.

Source: http://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import unicodedata
from typing import Any

from fhir_server.search.sink import Sink

NAME_PARTS = ("text", "family", "given", "prefix", "suffix")
ADDRESS_PARTS = ("text", "line", "city", "district", "state", "postalCode", "country")


def normalize(text: str) -> str:
    """Return `text` without case, accents and runs of white space."""
    if text.isascii():
        return " ".join(text.lower().split()).replace("\0", "")
    plain = unicodedata.normalize("NFKD", text)
    folded = "".join(char for char in plain if not unicodedata.combining(char)).casefold()
    again = unicodedata.normalize("NFKD", folded)
    return " ".join("".join(char for char in again if not unicodedata.combining(char)).split()).replace("\0", "")


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add every part of one value to `sink`."""
    if type_name == "HumanName":
        _parts(param, value, NAME_PARTS, sink)
    elif type_name == "Address":
        _parts(param, value, ADDRESS_PARTS, sink)
    elif type_name == "Extension":
        _text(param, next((v for k, v in value.items() if k.startswith("value")), None), sink)
    else:
        _text(param, value, sink)


def _parts(param: int, value: Any, names: tuple[str, ...], sink: Sink) -> None:
    for name in names:
        part = value.get(name)
        if part.__class__ is list:
            for item in part:
                _text(param, item, sink)
        elif part is not None:
            _text(param, part, sink)


def _text(param: int, value: Any, sink: Sink) -> None:
    if value.__class__ is str:
        sink.strings.add((param, normalize(value), value))
        sink.present.add(param)
