"""Is a narrative's div safe, well-formed XHTML with only what R4 allows?

Source: http://hl7.org/fhir/R4/narrative.html#Narrative (txt-1, txt-2)
"""

from __future__ import annotations

import re
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"
MAX_DEPTH = 250
"""Elements inside each other: common XML readers stop at 256."""

_TAG_NAMES = """
    a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5
    h6 hr i img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var
"""
_ATTRIBUTE_NAMES = """
    abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char
    charoff charset cite class colspan compact coords dir frame headers height href hreflang hspace id
    lang longdesc name nowrap rel rev rowspan rules scope shape span src start style summary tabindex
    title type valign value vspace width
"""
_TAGS = frozenset(f"{XHTML} {name}" for name in _TAG_NAMES.split())
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split()) | {"http://www.w3.org/XML/1998/namespace lang"}
_LINKS = frozenset({"href", "src", "cite", "longdesc"})
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f]+")
_ACTIVE_URL = re.compile(
    r"(?:javascript|vbscript|data:(?!image/(?:png|jpe?g|gif|webp|bmp|tiff)\b)).*", re.IGNORECASE | re.DOTALL
)
_ACTIVE_STYLE = re.compile(
    r"expression\s*\(|javascript:|vbscript:|@import|-moz-binding|behavior\s*:", re.IGNORECASE
)
_COMMON = ("p", "b", "td", "tr", "span", "div", "li", "i", "br", "ul")


def _rarity(tag: str) -> int:
    """Return the place of `tag` among the alternatives: the regex tries them in turn."""
    return _COMMON.index(tag) if tag in _COMMON else len(_COMMON)


_PLAIN = re.compile(
    f'<div xmlns="{XHTML}">'
    f"(?:[^<]++|</[a-z1-6]+>|<(?:{'|'.join(sorted(_TAG_NAMES.split(), key=_rarity))})"
    '(?: +(?:class|title|colspan|rowspan|border|lang|id|align|valign|width)="[^"<]*+")*+ *+/?>)*+'
)
"""A div whose tags and attributes are all harmless ones, as most are: only its nesting is left to check."""
_SHOWS_TEXT = re.compile(r">[^<]*[^\s<]")


class _RefusedError(Exception):
    """The reason why the div is not allowed."""


class _Reader:
    """The events of one div; raises `_RefusedError` at the first that is not allowed."""

    depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in _TAGS:
            raise _RefusedError(_not_allowed(tag))
        if not self.depth and tag != f"{XHTML} div":
            raise _RefusedError("the outermost element must be <div>")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _RefusedError(f"elements are nested more than {MAX_DEPTH} deep")
        if attributes:
            self._attributes(attributes)

    def end(self, _: str) -> None:
        self.depth -= 1

    def _attributes(self, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            if name not in _ATTRIBUTES:
                raise _RefusedError(f"the attribute {name.rpartition(' ')[2]!r} is not allowed")
            if name in _LINKS and _ACTIVE_URL.match(_IGNORED_IN_URLS.sub("", value)):
                raise _RefusedError(f"the attribute {name!r} must not hold active content")
            if name == "style" and _ACTIVE_STYLE.search(value):
                raise _RefusedError("the attribute 'style' must not hold active content")

    def doctype(self, *_: object) -> None:
        raise _RefusedError("a document type is not allowed")


def _not_allowed(tag: str) -> str:
    space, _, name = tag.rpartition(" ")
    if space != XHTML:
        return f"<{name}> is not in the namespace {XHTML}"
    return f"the element <{name}> is not allowed"


def div_problem(div: str) -> str:
    """Return why `div` is not allowed as a narrative, or the empty string where it is."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartDoctypeDeclHandler = reader.doctype
    if div.count("</") > MAX_DEPTH or not _PLAIN.fullmatch(div):
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end
    try:
        parser.Parse(div, True)
    except _RefusedError as refused:
        return str(refused)
    except expat.ExpatError as error:
        where = f"line {error.lineno}, column {error.offset + 1}"
        return f"not well-formed: {expat.ErrorString(error.code)} ({where} of the div)"
    except UnicodeEncodeError:
        return "not well-formed: half of a surrogate pair"
    if div[0] != "<" or div[-1] != ">" or div.startswith("<?xml"):
        return "it must begin with <div and end with </div>"
    return ""


def is_blank(div: str) -> bool:
    """Whether an allowed div shows nothing (txt-2: four official examples break it, so it only warns)."""
    return not _SHOWS_TEXT.search(div) and "<img" not in div


def is_div(value: object) -> bool:
    """Whether `value` is an allowed narrative div."""
    return type(value) is str and not div_problem(value)
