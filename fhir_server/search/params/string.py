"""Strings: normalized for prefix and substring search, kept as written for `:exact`.

Source: http://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, any_of
from fhir_server.search.values import bad_value, unescape

INDEXED = 500
"""How many characters of a normalized string the prefix index holds."""
WHOLE = "i.exact <> ''"
"""The condition that a row `i` is a string as it stands, not the end of a family name."""
LAST_CHARACTER = "\U0010ffff"

NAME_PARTS = ("text", "family", "given", "prefix", "suffix")
ADDRESS_PARTS = ("text", "line", "city", "district", "state", "postalCode", "country")


def normalize(text: str) -> str:
    """Return `text` without case, accents and runs of white space.

    Shape:  composed (NFC), so that a syllable of Hangul is one letter and no prefix of another; marks that make another
            letter stay (virama, voicing of kana); dotless i is i, which case alone tells apart in Turkish
    Source: Unicode CaseFolding.txt (full folding, and the pair T; 0049 0131), UAX #15, UAX #44 (combining classes)
    """
    if text.isascii():
        return " ".join(text.lower().split()).replace("\0", "")
    folded = _bare(_bare(text.casefold()).casefold()).replace("ı", "i")
    return unicodedata.normalize("NFC", " ".join(folded.split())).replace("\0", "")


LETTERS = frozenset({0, 8, 9})
"""Combining classes of what is no accent: letters; the voicing marks of kana; virama."""


def _bare(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if unicodedata.combining(char) in LETTERS)


def index(param: int, value: Any, type_name: str, sink: Sink, covered: frozenset[str] = frozenset()) -> None:
    """Add every part of one value to `sink`, except the `covered` elements, which other parameters file."""
    if type_name == "HumanName":
        _parts(param, value, NAME_PARTS, covered, sink)
    elif type_name == "Address":
        _parts(param, value, ADDRESS_PARTS, covered, sink)
    elif type_name == "Extension":
        _text(param, next((v for k, v in value.items() if k.startswith("value")), None), sink)
    else:
        _text(param, value, sink)


MOST_WORDS = 16
"""How many words of a family name are searched independently."""


def index_family(param: int, value: Any, _type_name: str, sink: Sink) -> None:
    """Add a family name to `sink`, and its further words: rows that have no text of their own.

    Source: http://hl7.org/fhir/R4/search.html#string ("should search the parts of a family name independently")
    """
    _text(param, value, sink)
    if value.__class__ is str and not value.isalpha():
        words = normalize(value).split()
        for start in range(1, min(len(words), MOST_WORDS)):
            sink.strings.add((param, " ".join(words[start:]), ""))


def _parts(param: int, value: Any, names: tuple[str, ...], covered: frozenset[str], sink: Sink) -> None:
    for name in names:
        part = None if name in covered else value.get(name)
        if name == "family":
            index_family(param, part, "string", sink)
            continue
        if part.__class__ is list:
            for item in part:
                _text(param, item, sink)
        elif part is not None:
            _text(param, part, sink)


def _text(param: int, value: Any, sink: Sink) -> None:
    if value.__class__ is str:
        sink.strings.add((param, normalize(value), value))
        sink.present.add(param)


def test(param: Param, modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes: a prefix, with `contains` any part, with `exact` the whole.

    Errors: 400 value
    """
    wanted = [asked(param.code, unescape(value), modifier) for value in values]
    ids = ", ".join(str(part.id) for part in param.parts)

    def rows(sql: Sql) -> str:
        found = any_of([matches(sql, modifier, *one) for one in wanted])
        return f"SELECT i.rid FROM idx_string i WHERE i.param IN ({ids}) AND {found}"

    rank = {"exact": 25, "contains": 40}.get(modifier, 30)
    return Test(lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)", rank, rows)


def asked(code: str, text: str, modifier: str) -> tuple[str, str]:
    """Return a search value, normalized and as written.

    Errors: 400 value
    """
    plain = normalize(text)
    if modifier != "exact" and not plain:
        raise bad_value(code, text, "a text with letters, digits or signs in it")
    return plain, text


def matches(sql: Sql, modifier: str, plain: str, text: str) -> str:
    """Return the condition on a row `i` of stored strings; what is longer than the index holds is compared whole."""
    if modifier == "contains":
        pattern = plain.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return f"i.norm LIKE {sql.text('%' + pattern + '%')}"
    head = 'left(i.norm, 500) COLLATE "C"'
    if modifier == "exact":
        return f"({head} = {sql.text(plain[:INDEXED])} AND i.exact = {sql.text(text)})"
    if len(plain) >= INDEXED:
        return f"({head} = {sql.text(plain[:INDEXED])} AND starts_with(i.norm, {sql.text(plain)}))"
    return f"({head} >= {sql.text(plain)} AND {head} < {sql.text(plain + LAST_CHARACTER)})"
