"""Narrative divs between JSON and XML: kept letter for letter wherever they can stand alone."""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from resources.codec.xml_plan import XHTML

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


class _NotAloneError(Exception):
    """The text is no XHTML div by itself."""


def stands_alone(div: str) -> bool:
    """Whether `div` is one well-formed element in the XHTML namespace, without prolog or document type."""
    roots: list[str] = []

    def start(tag: str, _: dict[str, str]) -> None:
        roots.append(tag)
        parser.StartElementHandler = None

    def prolog(*_: object) -> None:
        raise _NotAloneError

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = prolog
    parser.XmlDeclHandler = prolog
    try:
        parser.Parse(div, True)
    except (expat.ExpatError, UnicodeEncodeError, _NotAloneError):
        return False
    return roots == [f"{XHTML} div"]


def rebuilt(div: str, prefixes: Mapping[str | None, str]) -> str:
    """Return a div that leans on namespace `prefixes` declared around it, written anew in the XHTML namespace.

    Errors: ValueError where an element is outside that namespace
    """
    parts: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition(" ")
        if not depth and name == "wrap":
            depth.append(name)
            return
        if space != XHTML:
            raise ValueError(f"<{name}> is not in the namespace {XHTML}")
        written = {
            key.replace("http://www.w3.org/XML/1998/namespace ", "xml:"): v for key, v in attributes.items()
        }
        if len(depth) == 1:
            written = {"xmlns": XHTML, **written}
        depth.append(name)
        parts.append("<" + name + "".join(f" {key}={quoteattr(v)}" for key, v in written.items()) + ">")

    def end(_: str) -> None:
        name = depth.pop()
        if depth:
            parts.append(f"</{name}>")

    depth: list[str] = []
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda text: parts.append(text.translate(_TEXT))
    declared = "".join(f" xmlns{':' + p if p else ''}={quoteattr(uri)}" for p, uri in prefixes.items())
    parser.Parse(f"<wrap{declared}>{div}</wrap>", True)
    return "".join(parts)
