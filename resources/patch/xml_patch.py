"""XML Patch: add, replace and remove over the XML form of a resource.

Source: RFC 5261, http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from lxml import etree

from resources.codec.xml import dump_xml, parse_xml
from resources.outcome import FhirError, Issue
from resources.patch.xml_nodes import (
    Attribute,
    Element,
    Namespace,
    Text,
    insert_nodes,
    is_element,
    remove_node,
    text_before,
    with_namespace,
)
from resources.patch.xml_order import put_in_order
from resources.patch.xml_select import FHIR, select

MAX_OPERATIONS = 1_000


def xml_patch(resource: dict[str, Any], diff: bytes) -> dict[str, Any]:
    """Return a patched copy of `resource`.

    Shape:  `diff` is an XML document whose root (any name) holds `add`, `replace` and `remove` elements; names
            without a namespace, in selectors and in content, are FHIR's; prefixes f, fhir, h and xhtml need no
            declaration; what is added ends up where FHIR's order of elements wants it. Comments and processing
            instructions may be patched, yet a resource keeps none
    Errors: FhirError 400 for a malformed diff or selector; 422 where an operation does not select exactly one node or
            cannot be applied, or where the result is no readable resource
    """
    root = etree.fromstring(dump_xml(resource), _parser())
    untouched = _rewritten_narratives(resource, root)
    patched = apply_diff(root, parse_diff(diff))
    put_in_order(patched)
    try:
        result = parse_xml(etree.tostring(patched, encoding="utf-8"))
    except FhirError as error:
        issues = [msgspec.structs.replace(i, text=f"the result of the patch: {i.text}") for i in error.issues]
        raise FhirError(422, issues=issues) from None
    for narrative in _narratives(result):
        narrative["div"] = untouched.get(narrative["div"], narrative["div"])
    return result


def _rewritten_narratives(resource: dict[str, Any], root: Element) -> dict[str, str]:
    """Return {a narrative as lxml writes it: as it stood}, so that an untouched one keeps every letter."""
    if not any(True for _ in _narratives(resource)):
        return {}
    written = parse_xml(etree.tostring(root, encoding="utf-8"))
    pairs = zip(_narratives(written), _narratives(resource), strict=True)
    return {after["div"]: before["div"] for after, before in pairs}


def _narratives(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in `value` with a `div`, in an order that the order of keys does not change."""
    if isinstance(value, dict):
        if isinstance(value.get("div"), str):
            yield value
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list):
        for child in value:
            yield from _narratives(child)


def parse_diff(data: bytes) -> Element:
    """Return the root of the diff document; FhirError 400 where it is not well-formed or has a DTD."""
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        line, column = getattr(error, "position", None) or (None, None)
        what = (getattr(error, "msg", None) or str(error)).rpartition(", line ")
        text = f"the XML Patch is not well-formed: {what[0] or what[2]}"
        raise FhirError(400, issues=[Issue("structure", text, line=line, column=column)]) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise FhirError(400, "structure", "a document type definition is not allowed")
    return root


def apply_diff(root: Element | None, diff: Element) -> Element:
    """Return the root of the document after all operations of `diff` (the tree of `root` is changed)."""
    if root is None:
        raise FhirError(422, "not-found", "there is no document to patch")
    operations = [child for child in diff if is_element(child)]
    if not operations:
        raise FhirError(400, "required", "the XML Patch holds no operation")
    if len(operations) > MAX_OPERATIONS:
        raise FhirError(422, "too-costly", f"an XML Patch has at most {MAX_OPERATIONS} operations")
    for index, operation in enumerate(operations):
        try:
            root = _apply(root, operation)
        except FhirError as error:
            raise _located(error, index, operation) from None
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _located(error: FhirError, index: int, operation: Element) -> FhirError:
    name = etree.QName(operation).localname
    what = f"operation {index} ({name} {operation.get('sel', '')[:200]})"
    issues = [msgspec.structs.replace(issue, text=f"{what}: {issue.text}") for issue in error.issues]
    return FhirError(error.status, issues=issues)


def _apply(root: Element, operation: Element) -> Element:
    """Return the root after one operation (it may be another element than before)."""
    name = etree.QName(operation).localname
    action = _ACTIONS.get(name)
    if action is None:
        raise _malformed(f"{name!r} is none of " + ", ".join(_ACTIONS))
    selector = operation.get("sel")
    if not selector:
        raise _malformed("the attribute 'sel' is missing")
    node = select(root, selector, operation.nsmap)
    return action(root, node, operation)


# ---------------------------------------------------------------------------------------------------------- add


def _add(root: Element, node: Any, operation: Element) -> Element:
    """Source: RFC 5261, section 4.3."""
    kind, position = operation.get("type"), operation.get("pos")
    if kind is not None and position is None and is_element(node):
        return _add_named(root, node, kind, operation)
    if kind is not None or position not in (None, "prepend", "before", "after"):
        raise _malformed("'type' goes with an element and without 'pos'; 'pos' is prepend, before or after")
    lead, nodes = _content(operation)
    if position in ("before", "after"):
        _add_beside(node, position, lead, nodes)
    elif not is_element(node):
        raise _refused("only an element has children")
    elif position == "prepend":
        rest, node.text = node.text, None
        insert_nodes(node, 0, lead, nodes)
        _text_after(node, nodes, rest or "")
    else:
        insert_nodes(node, len(node), lead, nodes)
    return root


def _text_after(parent: Element, nodes: list[Element], text: str) -> None:
    if nodes:
        nodes[-1].tail = (nodes[-1].tail or "") + text or None
    else:
        parent.text = (parent.text or "") + text or None


def _add_named(root: Element, node: Element, kind: str, operation: Element) -> Element:
    value = _only_text(operation)
    if kind.startswith("@"):
        name = _attribute_name(kind[1:], operation)
        if name in node.attrib:
            raise _refused(f"the attribute {kind} is already there")
        _set_attribute(node, name, value)
        return root
    prefix = kind.removeprefix("namespace::")
    if prefix == kind or not prefix:
        raise _malformed("'type' is '@name' or 'namespace::prefix'")
    if prefix in node.nsmap:
        raise _refused(f"the namespace prefix {prefix!r} is already declared")
    try:
        new = with_namespace(node, prefix, value)
    except ValueError:
        raise _malformed("the namespace declaration cannot be written") from None
    return new if node is root else root


def _add_beside(node: Any, position: str, lead: str, nodes: list[Element]) -> None:
    if isinstance(node, Text):
        _add_beside_text(node, position, lead, nodes)
        return
    parent = node.getparent() if isinstance(node, Element) else None
    if parent is None:
        raise _refused("nothing can be put beside the root or an attribute")
    index = parent.index(node)
    if position == "before":
        insert_nodes(parent, index, lead, nodes)
        return
    rest, node.tail = node.tail or "", None
    insert_nodes(parent, index + 1, lead, nodes)
    last = nodes[-1] if nodes else node
    last.tail = (last.tail or "") + rest or None


def _add_beside_text(node: Text, position: str, lead: str, nodes: list[Element]) -> None:
    parent = node.owner.getparent() if node.tail else node.owner
    if parent is None:
        raise _refused("nothing can be put beside this text")
    index = parent.index(node.owner) + 1 if node.tail else 0
    if position == "after":
        insert_nodes(parent, index, lead, nodes)
        return
    text = node.value
    node.set(None)
    insert_nodes(parent, index, lead, nodes)
    last = nodes[-1] if nodes else None
    if last is None:
        node.set(lead + text)
    else:
        last.tail = (last.tail or "") + text


# ----------------------------------------------------------------------------------------------- replace, remove


def _replace(root: Element, node: Any, operation: Element) -> Element:
    """Source: RFC 5261, section 4.4."""
    if isinstance(node, Attribute):
        _set_attribute(node.owner, node.name, _only_text(operation))
    elif isinstance(node, Text):
        node.set(_only_text(operation) or None)
    elif isinstance(node, Namespace):
        raise _refused("a namespace declaration cannot be replaced here: a resource has FHIR's alone")
    else:
        return _replace_node(root, node, operation)
    return root


def _replace_node(root: Element, node: Element, operation: Element) -> Element:
    lead, nodes = _content(operation)
    if lead.strip() or len(nodes) != 1 or (nodes[0].tail or "").strip() or type(nodes[0]) is not type(node):
        raise _malformed("one node of the kind that it replaces is needed, and nothing beside it")
    new = nodes[0]
    new.tail = node.tail
    parent = node.getparent()
    if parent is None:
        return new
    parent.replace(node, new)
    return root


def _remove(root: Element, node: Any, operation: Element) -> Element:
    """Source: RFC 5261, section 4.5."""
    spaces = operation.get("ws")
    if spaces is not None and (spaces not in ("before", "after", "both") or not isinstance(node, Element)):
        raise _malformed("'ws' is before, after or both, and goes with elements, comments and instructions")
    if isinstance(node, Attribute):
        del node.owner.attrib[node.name]
    elif isinstance(node, Text):
        node.set(None)
    elif isinstance(node, Namespace):
        raise _refused("a namespace declaration cannot be removed here: a resource has FHIR's alone")
    elif node is root:
        raise _refused("the whole resource cannot be removed: delete it")
    else:
        _remove_spaces(node, spaces)
        remove_node(node)
    return root


def _remove_spaces(node: Element, spaces: str | None) -> None:
    places: list[Text | None] = []
    if spaces in ("before", "both"):
        places.append(text_before(node))
    if spaces in ("after", "both"):
        places.append(Text(node, tail=True))
    for place in places:
        if place is None or not place.value or place.value.strip():
            raise _refused(f"there is no white space {spaces} the node")
        place.set(None)


_ACTIONS: dict[str, Callable[[Element, Any, Element], Element]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}


# ------------------------------------------------------------------------------------------------------- content


def _content(operation: Element) -> tuple[str, list[Element]]:
    """Return the operation's leading text, and its nodes detached (each with its tail)."""
    nodes = list(operation)
    return operation.text or "", [_in_fhir(node, operation) for node in nodes]


def _in_fhir(node: Element, operation: Element) -> Element:
    """Return `node` on its own, elements without namespace moved into FHIR's."""
    tail = node.tail
    operation.remove(node)
    node.tail = tail
    for element in node.iter(etree.Element):
        if etree.QName(element).namespace is None:
            element.tag = f"{{{FHIR}}}{element.tag}"
    return node


def _only_text(operation: Element) -> str:
    if len(operation):
        raise _malformed("text alone is expected as content")
    return operation.text or ""


def _attribute_name(name: str, operation: Element) -> str:
    prefix, colon, local = name.rpartition(":")
    if colon and prefix not in operation.nsmap:
        raise _malformed(f"the namespace prefix {prefix!r} is not declared")
    return f"{{{operation.nsmap[prefix]}}}{local}" if colon else local


def _set_attribute(node: Element, name: str, value: str) -> None:
    try:
        node.set(name, value)
    except ValueError:
        raise _malformed(f"{name!r} is not the name of an attribute") from None


def _malformed(text: str) -> FhirError:
    return FhirError(400, "structure", text)


def _refused(text: str) -> FhirError:
    return FhirError(422, "processing", text)
