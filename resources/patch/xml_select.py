"""The selectors of XML Patch: the XPath subset of RFC 5261, evaluated in time linear in the document.

Full XPath would let a patch multiply scans of the document without bound; a selector here is one path of child steps
(after an optional leading `//`), each with positions or comparisons of short child paths to literals:

    f:Patient/f:identifier[f:system/@value='urn:x' and f:use/@value='usual'][1]/f:value/@value

Source: RFC 5261, section 4.1
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from lxml import etree

from resources.outcome import FhirError
from resources.patch.xml_nodes import Attribute, Element, Namespace, Node, Text, is_element, texts

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
KNOWN_PREFIXES = {"f": FHIR, "fhir": FHIR, "h": XHTML, "xhtml": XHTML}
"""Prefixes that a patch may use without declaring them."""

MAX_LENGTH = 2_000
MAX_STEPS = 60

_TOKEN = re.compile(
    r"""\s*(?: (?P<literal>"[^"]*"|'[^']*') | (?P<number>[0-9]{1,9}) | (?P<slashes>//?)
        | (?P<namespace>namespace::) | (?P<function>(?:text|comment|processing-instruction|position|last)\s*\()
        | (?P<name>(?:[^\W\d][\w.\-]*:)?(?:[^\W\d][\w.\-]*|\*)) | (?P<symbol>[@.=()\[\]*]) )""",
    re.VERBOSE,
)


class Condition(NamedTuple):
    """`path = 'literal'`, or that `path` is there at all; `path` are child names, then an attribute or nothing."""

    path: tuple[str, ...]
    attribute: str | None
    literal: str | None


Predicate = int | tuple[Condition, ...]
"""A position (1-based; 0 means last()), or conditions that must all hold."""


class Step(NamedTuple):
    """One step: `kind` is element, attribute, namespace, text, comment or instruction."""

    kind: str
    name: str
    predicates: tuple[Predicate, ...] = ()


def select(root: Element, selector: str, namespaces: Mapping[str | None, str]) -> Node:
    """Return the one node that `selector` finds below (or at) `root`.

    Errors: FhirError 400 for a selector that cannot be read, 422 where it finds no node or several
    """
    anywhere, steps = _Parser(selector, namespaces).selector()
    nodes: list[Node] = []
    for index, step in enumerate(steps):
        if index:
            nodes = [n for parent in nodes if isinstance(parent, Element) for n in _step(parent, step)]
        elif anywhere:
            nodes = [
                *_first(root, step),
                *(n for parent in root.iter(etree.Element) for n in _step(parent, step)),
            ]
        else:
            nodes = _first(root, step)
        if not nodes:
            break
    if len(nodes) != 1:
        found = "no node" if not nodes else f"{len(nodes)} nodes"
        raise FhirError(
            422, "not-found" if not nodes else "multiple-matches", f"the selector finds {found}, not one"
        )
    return nodes[0]


# --------------------------------------------------------------------------------------------------- evaluation


def _first(root: Element, step: Step) -> list[Node]:
    """Return the root element where the first step (a child of the document) selects it."""
    named = step.kind == "element" and _is_named(root, step.name)
    return _filtered([root], step.predicates) if named else []


def _step(parent: Element, step: Step) -> list[Node]:
    if not is_element(parent):
        return []
    return _filtered(_AXES[step.kind](parent, step.name), step.predicates)


def _elements(parent: Element, name: str) -> list[Node]:
    return [child for child in parent if _is_named(child, name)]


def _is_named(node: Element, name: str) -> bool:
    return is_element(node) and (
        name in ("*", node.tag) or (name.endswith("}*") and node.tag.startswith(name[:-1]))
    )


def _attributes(parent: Element, name: str) -> list[Node]:
    return [Attribute(parent, str(key)) for key in parent.attrib if name in ("*", key)]


def _namespaces(parent: Element, name: str) -> list[Node]:
    return [Namespace(parent, name)] if name in parent.nsmap else []


def _instructions(parent: Element, name: str) -> list[Node]:
    found = [c for c in parent if isinstance(c, etree._ProcessingInstruction)]
    return [c for c in found if name in ("", c.target)]


def _texts(parent: Element, _name: str) -> list[Node]:
    return list(texts(parent))


def _comments(parent: Element, _name: str) -> list[Node]:
    return [c for c in parent if isinstance(c, etree._Comment)]


_AXES: dict[str, Callable[[Element, str], list[Node]]] = {
    "element": _elements,
    "attribute": _attributes,
    "namespace": _namespaces,
    "text": _texts,
    "comment": _comments,
    "instruction": _instructions,
}


def _filtered(nodes: list[Node], predicates: tuple[Predicate, ...]) -> list[Node]:
    for predicate in predicates:
        if isinstance(predicate, int):
            nodes = nodes[predicate - 1 : predicate or None]
        else:
            nodes = [n for n in nodes if all(_holds(n, condition) for condition in predicate)]
    return nodes


def _holds(node: Node, condition: Condition) -> bool:
    values = _values(node, condition)
    return any(True for _ in values) if condition.literal is None else condition.literal in values


def _values(node: Node, condition: Condition) -> Iterator[str]:
    if isinstance(node, Text):
        if not condition.path and condition.attribute is None:
            yield node.value
        return
    if not isinstance(node, Element):
        return
    found: list[Node] = [node]
    for name in condition.path:
        found = [
            child for parent in found if isinstance(parent, Element) for child in _elements(parent, name)
        ]
    for element in found:
        if not isinstance(element, Element):
            continue
        if condition.attribute is None:
            yield "".join(map(str, element.itertext())) if is_element(element) else element.text or ""
        elif is_element(element) and condition.attribute in element.attrib:
            yield str(element.attrib[condition.attribute])


# ------------------------------------------------------------------------------------------------------ reading


class _Parser:
    def __init__(self, selector: str, namespaces: Mapping[str | None, str]) -> None:
        if len(selector) > MAX_LENGTH:
            raise FhirError(400, "too-long", f"a selector has at most {MAX_LENGTH} characters")
        self.namespaces = {**KNOWN_PREFIXES, **{prefix or "": uri for prefix, uri in namespaces.items()}}
        self.text = selector.strip()
        self.tokens = self._tokens()
        self.at = 0

    def _tokens(self) -> list[tuple[str, str]]:
        found, position = [], 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self._unreadable()
            kind = match.lastgroup or ""
            found.append((kind, match[kind].rstrip("( \t\r\n") if kind == "function" else match[kind]))
            position = match.end()
        return [*found, ("end", ""), ("end", "")]

    def _unreadable(self) -> FhirError:
        return FhirError(
            400, "invalid", f"the selector {self.text[:200]!r} is none of RFC 5261, or not supported"
        )

    def take(self, kind: str, text: str | None = None) -> str | None:
        """Return the next token's text and go on where it is of `kind` (and `text`), else None."""
        found = self.tokens[self.at]
        if found[0] != kind or (text is not None and found[1] != text):
            return None
        self.at += 1
        return found[1]

    def need(self, kind: str, text: str | None = None) -> str:
        found = self.take(kind, text)
        if found is None:
            raise self._unreadable()
        return found

    def selector(self) -> tuple[bool, list[Step]]:
        """Return whether the path starts anywhere (`//`), and its steps."""
        anywhere = self.take("slashes") == "//"
        steps = [self.step()]
        while self.take("slashes", "/"):
            steps.append(self.step())
        self.need("end")
        if len(steps) > MAX_STEPS or any(s.kind != "element" for s in steps[:-1]):
            raise self._unreadable()
        return anywhere, steps

    def step(self) -> Step:
        if self.take("symbol", "@"):
            return Step("attribute", self.attribute_name())
        if self.take("namespace"):
            return Step("namespace", self.need("name"))
        function = self.take("function")
        if function is not None:
            return self.node_test(function)
        return Step("element", self.element_name(), self.predicates())

    def node_test(self, function: str) -> Step:
        name = self.take("literal") if function == "processing-instruction" else None
        self.need("symbol", ")")
        if function not in ("text", "comment", "processing-instruction"):
            raise self._unreadable()
        kind = "instruction" if function == "processing-instruction" else function
        return Step(kind, name[1:-1] if name else "", self.predicates())

    def predicates(self) -> tuple[Predicate, ...]:
        found: list[Predicate] = []
        while self.take("symbol", "["):
            found.append(self.predicate())
            self.need("symbol", "]")
        return tuple(found)

    def predicate(self) -> Predicate:
        if self.take("function", "position"):
            self.need("symbol", ")")
            self.need("symbol", "=")
        number = self.take("number")
        if number is not None:
            if int(number) == 0:
                raise self._unreadable()
            return int(number)
        if self.take("function", "last"):
            self.need("symbol", ")")
            return 0
        conditions = [self.condition()]
        while self.take("name", "and"):
            conditions.append(self.condition())
        return tuple(conditions)

    def condition(self) -> Condition:
        path, attribute = self.condition_path()
        literal = self.need("literal")[1:-1] if self.take("symbol", "=") else None
        return Condition(tuple(path), attribute, literal)

    def condition_path(self) -> tuple[list[str], str | None]:
        if self.take("symbol", "."):
            return [], None
        path: list[str] = []
        while True:
            if self.take("symbol", "@"):
                return path, self.attribute_name()
            path.append(self.element_name())
            if not self.take("slashes", "/"):
                return path, None

    def element_name(self) -> str:
        """Return the name in Clark notation; a name without namespace is one of FHIR's."""
        prefix, colon, local = self.need("name").rpartition(":")
        if local == "*" and not colon:
            return "*"
        return f"{{{self.uri(prefix) if colon else self.namespaces.get('') or FHIR}}}{local}"

    def attribute_name(self) -> str:
        prefix, colon, local = self.need("name").rpartition(":")
        return f"{{{self.uri(prefix)}}}{local}" if colon else local

    def uri(self, prefix: str) -> str:
        if prefix not in self.namespaces:
            raise FhirError(400, "invalid", f"the namespace prefix {prefix!r} is not declared")
        return self.namespaces[prefix]
