"""The places of elements in a JSON text, found without reading what nobody asks for."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from json.decoder import JSONDecodeError

from resources.codec.places import Wanted

_SPACE = re.compile(r"[ \t\r\n]*")
_skip = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).raw_decode
"""Reads a value at the speed of C; all that is wanted of it is where it ends."""


def json_places(data: bytes, root: Wanted) -> None:
    """Set the places of what is below `root`; a text that is no JSON gives as many as stand before its fault."""
    try:
        text = data.decode("utf-8")
        _Scanner(text).object(_gap(text, 0), root)
    except (JSONDecodeError, UnicodeDecodeError, IndexError, StopIteration, RecursionError):
        return


def _gap(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Scanner:
    """Walks through the objects and arrays that hold something wanted; each method returns where the value ends."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, at: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        line = bisect_right(self.lines, at)
        return line, at - self.lines[line - 1] + 1

    def value(self, at: int, wanted: Wanted | None) -> int:
        """Walk through the value that begins at `at`."""
        char = self.text[at]
        if wanted is not None and char == "{" and (wanted.steps or wanted.items):
            inside = wanted.items.get(0)  # an index on what does not repeat here
            if inside is not None and inside.place is None:
                inside.place = self.place(at)
            return self.object(at, wanted, inside)
        if wanted is not None and char == "[" and (wanted.items or wanted.steps):
            return self.array(at, wanted)
        return int(_skip(self.text, at)[1])

    def object(self, at: int, *wanted: Wanted | None) -> int:
        """Walk through an object whose members `wanted` name."""
        text = self.text
        if wanted[0] is not None and wanted[0].place is None:
            wanted[0].place = self.place(at)
        at = _gap(text, at + 1)
        while text[at] == '"':
            key, end = _skip(text, at)
            found = self._member(key, at, wanted)
            at = _gap(text, _gap(text, end) + 1)  # past the colon
            at = _gap(text, self.value(at, found))
            if text[at] != ",":
                break
            at = _gap(text, at + 1)
        return at + 1

    def _member(self, key: str, at: int, wanted: tuple[Wanted | None, ...]) -> Wanted | None:
        name = key.removeprefix("_")
        for one in wanted:
            found = one.named(name) if one is not None else None
            if found is not None:
                if found.place is None or name == key:
                    found.place = self.place(at)
                return found
        return None

    def array(self, at: int, wanted: Wanted) -> int:
        """Walk through an array; without an index its only element is meant."""
        text = self.text
        at = _gap(text, at + 1)
        index = 0
        while text[at] != "]":
            item = wanted.items.get(index)
            if item is not None and (item.place is None or text[at] in '"{'):
                item.place = self.place(at)
            inside = item if item is not None else wanted if index == 0 and text[at] == "{" else None
            at = _gap(text, self.value(at, inside))
            index += 1
            if text[at] == ",":
                at = _gap(text, at + 1)
        return at + 1
