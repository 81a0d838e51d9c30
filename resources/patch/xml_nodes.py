"""XML nodes as RFC 5261 sees them, over lxml: text is a node of its own, and nothing beside a change is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml import etree

Element = etree._Element


class Text(NamedTuple):
    """A text node: the text of `owner` (before its first child), or its tail (after it)."""

    owner: Element
    tail: bool

    @property
    def value(self) -> str:
        """The characters, '' where there are none."""
        return (self.owner.tail if self.tail else self.owner.text) or ""

    def set(self, value: str | None) -> None:
        """Replace the characters."""
        if self.tail:
            self.owner.tail = value
        else:
            self.owner.text = value


class Attribute(NamedTuple):
    """An attribute of `owner`; `name` in Clark notation ('{namespace}local')."""

    owner: Element
    name: str


class Namespace(NamedTuple):
    """A namespace declaration in the scope of `owner`."""

    owner: Element
    prefix: str


Node = Element | Text | Attribute | Namespace


def is_element(node: object) -> bool:
    """Whether `node` is an element: no comment, no processing instruction, no text."""
    return isinstance(node, Element) and isinstance(node.tag, str)


def texts(parent: Element) -> Iterator[Text]:
    """Yield the text nodes among the children of `parent`."""
    if parent.text:
        yield Text(parent, tail=False)
    for child in parent:
        if child.tail:
            yield Text(child, tail=True)


def text_before(node: Element) -> Text | None:
    """Return the place of the text right before `node`, None before the root."""
    parent = node.getparent()
    if parent is None:
        return None
    previous = node.getprevious()
    return Text(parent, tail=False) if previous is None else Text(previous, tail=True)


def insert_nodes(parent: Element, index: int, lead: str, nodes: list[Element]) -> None:
    """Insert the text `lead`, then `nodes` with their tails, before the child number `index`.

    Shape:  the text that stood right before that child stays before what is inserted
    """
    before = Text(parent[index - 1], tail=True) if index else Text(parent, tail=False)
    before.set(before.value + lead or None)
    for offset, node in enumerate(nodes):
        tail = node.tail
        parent.insert(index + offset, node)
        node.tail = tail


def remove_node(node: Element) -> None:
    """Take `node` out of its parent; the text after it stays."""
    parent, before = node.getparent(), text_before(node)
    if parent is None or before is None:
        raise ValueError("the root has no parent")
    before.set(before.value + (node.tail or "") or None)
    node.tail = None
    parent.remove(node)


def with_namespace(node: Element, prefix: str, uri: str) -> Element:
    """Return the element that replaces `node`, with one more namespace declaration (lxml cannot add one)."""
    declared: dict[Any, str] = dict(node.nsmap)
    declared[prefix] = uri
    new = etree.Element(node.tag, nsmap=declared)
    new.attrib.update(node.attrib)
    new.text, new.tail = node.text, node.tail
    new.extend(list(node))
    parent = node.getparent()
    if parent is not None:
        parent.replace(node, new)
    return new
