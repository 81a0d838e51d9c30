"""The places of elements in an XML text, by the reader that also reads resources (expat): no entities, no fetching."""

from __future__ import annotations

from xml.parsers import expat

from resources.codec.places import Wanted


class _RefusedError(Exception):
    """A document type: nothing is read that declares entities."""


class _Frame:
    """An open element: what is wanted of it, and how often each name has stood in it."""

    __slots__ = ("counts", "wanted")

    def __init__(self, wanted: tuple[Wanted, ...]) -> None:
        self.wanted = wanted
        self.counts: dict[str, int] = {}


def xml_places(data: bytes, root: Wanted) -> None:
    """Set the places of what is below `root`; a text that is no XML gives as many as stand before its fault."""
    parser = expat.ParserCreate("utf-8", " ")
    stack: list[_Frame] = []

    def start(tag: str, _attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        place = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        if not stack:
            root.place = place
            stack.append(_Frame((root,)))
            return
        above = stack[-1]
        if name[:1].isupper():  # a resource in `contained`, `resource` …: expressions do not name its type
            stack.append(_Frame(above.wanted))
            return
        index = above.counts[name] = above.counts.get(name, -1) + 1
        stack.append(_Frame(_found(above.wanted, name, index, place)))

    def end(_tag: str) -> None:
        stack.pop()

    def refuse(*_: object) -> None:
        raise _RefusedError

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, _RefusedError):
        return


def _found(wanted: tuple[Wanted, ...], name: str, index: int, place: tuple[int, int]) -> tuple[Wanted, ...]:
    """Return what is wanted of an element, its place noted: the element by name, and the one with its index."""
    found: list[Wanted] = []
    for one in wanted:
        named = one.named(name)
        if named is None:
            continue
        if index == 0 and named.place is None:
            named.place = place
        item = named.items.get(index)
        if item is not None:
            item.place = place
            found.append(item)
        if index == 0:
            found.append(named)
    return tuple(found)
