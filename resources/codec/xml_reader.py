"""Read FHIR XML in one pass, checking names and order against the definitions."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from xml.parsers import expat

from resources.codec.json_problem import MAX_DEPTH, MAX_EXPONENT
from resources.codec.xml_div import rebuilt, stands_alone
from resources.codec.xml_plan import FHIR, XHTML, Plan, Slot, is_resource, plan
from resources.outcome import FhirError, Issue

_SCHEMA_HINTS = "http://www.w3.org/2001/XMLSchema-instance "
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,4000})(?:\.[0-9]{1,4000})?(?:[eE][+-]?[0-9]{1,9})?")
_INTEGERS = frozenset({"integer", "positiveInt", "unsignedInt"})
_BOOLEANS = {"true": True, "false": False}
_PRIMITIVE = frozenset({"id", "value"})


class _Frame:
    """An element that is open: what is read of it so far, and where it stands."""

    __slots__ = ("content", "index", "last", "lists", "plan", "primitive", "slot", "tag")

    def __init__(
        self, tag: str, slot: Slot | None, plan: Plan | None, content: dict[str, Any], index: int
    ) -> None:
        self.tag = tag
        self.slot = slot
        self.plan = plan  # None: a place where a resource stands
        self.content = content
        self.index = index
        self.last = -1
        self.lists: set[str] = set()
        self.primitive: Any = None


class XmlReader:
    """One document; `read` may be called once."""

    def __init__(self, data: bytes) -> None:
        self._data = data.removeprefix(b"\xef\xbb\xbf")
        self._stack: list[_Frame] = []
        self._resource: dict[str, Any] | None = None
        self._div_depth = 0
        self._div_start = 0
        self._spaces: dict[str | None, list[str]] = {}
        self._parser = parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration
        parser.StartNamespaceDeclHandler = self._space_opened
        parser.EndNamespaceDeclHandler = self._space_closed

    def read(self) -> dict[str, Any]:
        """Return the resource; raises FhirError 400 with line and column."""
        if not self._data.strip():
            raise FhirError(400, "structure", "The body is empty; an XML resource is expected")
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            text = f"Malformed XML: {expat.ErrorString(error.code)}"
            raise FhirError(
                400, issues=[Issue("structure", text, line=error.lineno, column=error.offset + 1)]
            ) from None
        assert self._resource is not None
        return self._resource

    def _refuse(self, text: str, name: str = "", code: str = "structure") -> FhirError:
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        path = _path(self._stack) + (f".{name}" if name and self._stack else name)
        return FhirError(400, issues=[Issue(code, text, (path,) if path else (), line=line, column=column)])

    def _doctype(self, *_: object) -> None:
        raise self._refuse("Malformed XML: a document type is not allowed")

    def _declaration(self, _: str, encoding: str | None, __: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "us-ascii", "utf8"):
            raise self._refuse(f"Malformed XML: FHIR is UTF-8, not {encoding}")

    def _space_opened(self, prefix: str | None, uri: str | None) -> None:
        self._spaces.setdefault(prefix, []).append(uri or "")

    def _space_closed(self, prefix: str | None) -> None:
        self._spaces[prefix].pop()

    def _text(self, text: str) -> None:
        if not self._div_depth and not text.isspace():
            raise self._refuse(f"Text {text.strip()[:40]!r} stands where only elements are allowed")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._div_depth:
            self._div_depth += 1
            return
        space, _, name = tag.rpartition(" ")
        if len(self._stack) > MAX_DEPTH + 1:
            raise self._refuse(f"Elements are nested more than {MAX_DEPTH} levels deep")
        if not self._stack or self._stack[-1].plan is None:
            self._open_resource(space, name, attributes)
            return
        slot = self._slot(space, name)
        if slot.kind == "xhtml":
            self._div_depth, self._div_start = 1, self._parser.CurrentByteIndex
            return
        holder = self._stack[-1].content
        index = len(holder.get(slot.key) or holder.get("_" + slot.key) or ()) if slot.many else -1
        if slot.kind == "object":
            child = _Frame(name, slot, plan(slot.type_name), {}, index)
        else:
            child = _Frame(name, slot, plan("Element") if slot.kind == "primitive" else None, {}, index)
        self._stack.append(child)
        if attributes:
            self._attributes(child, attributes)

    def _open_resource(self, space: str, name: str, attributes: dict[str, str]) -> None:
        if self._stack and self._stack[-1].content:
            raise self._refuse(f"Only one resource may stand in <{self._stack[-1].tag}>", name)
        if space != FHIR:
            raise self._refuse(f"<{name}> is not in the namespace {FHIR}", name)
        if not is_resource(name):
            raise self._refuse(f"Unknown resource type {name[:60]!r}", name)
        for attribute in attributes:
            if self._stack or not attribute.startswith(_SCHEMA_HINTS):
                raise self._refuse(f"Unknown attribute {attribute[:60]!r} of <{name}>", name)
        self._stack.append(_Frame(name, None, plan(name), {"resourceType": name}, -1))

    def _slot(self, space: str, name: str) -> Slot:
        frame = self._stack[-1]
        assert frame.plan is not None
        slot = frame.plan.slots.get(name)
        if slot is None:
            raise self._refuse(f"Unknown element <{name[:60]}> in <{frame.tag}>", name[:60])
        if space != (XHTML if slot.kind == "xhtml" else FHIR):
            raise self._refuse(f"<{name}> is in the wrong namespace {space!r}", name)
        if slot.order < frame.last:
            raise self._refuse(
                f"<{name}> stands too late in <{frame.tag}>: the order of elements is fixed", slot.name
            )
        if slot.order == frame.last and (not slot.many or slot.key not in frame.lists):
            raise self._refuse(f"Only one {slot.name!r} is allowed in <{frame.tag}>", slot.name)
        frame.last = slot.order
        if slot.many:
            frame.lists.add(slot.key)
        return slot

    def _attributes(self, frame: _Frame, attributes: dict[str, str]) -> None:
        assert frame.slot is not None
        primitive = frame.slot.kind == "primitive"
        known = _PRIMITIVE if primitive else frame.plan.attributes if frame.plan else frozenset()
        for name, value in attributes.items():
            if name not in known:
                raise self._refuse(f"Unknown attribute {name[:60]!r} of <{frame.tag}>")
            if primitive and name == "value":
                frame.primitive = self._value(value, frame.slot.type_name)
            else:
                frame.content[name] = value

    def _value(self, text: str, type_name: str) -> Any:
        if type_name == "boolean":
            value: Any = _BOOLEANS.get(text)
        elif type_name in _INTEGERS:
            value = int(text) if _INTEGER.fullmatch(text) and text != "-0" else None
        elif type_name == "decimal":
            value = _decimal(text)
        else:
            return text
        if value is None:
            raise self._refuse(f"{text[:60]!r} is not a value of type {type_name}", code="value")
        return value

    def _end(self, _: str) -> None:
        if self._div_depth:
            self._div_depth -= 1
            if not self._div_depth:
                self._stack[-1].content["div"] = self._div()
            return
        frame = self._stack.pop()
        if frame.lists:
            _drop_empty(frame)
        if frame.slot is None:
            self._close_resource(frame)
        elif frame.slot.kind == "primitive":
            self._close_primitive(frame, frame.slot)
        elif frame.slot.kind == "resource":
            if not frame.content:
                raise self._refuse(f"<{frame.tag}> holds no resource", frame.slot.name)
            _put(self._stack[-1].content, frame.slot, frame.content["resource"])
        else:
            _put(self._stack[-1].content, frame.slot, frame.content)

    def _close_resource(self, frame: _Frame) -> None:
        if self._stack:
            self._stack[-1].content["resource"] = frame.content
        else:
            self._resource = frame.content

    def _close_primitive(self, frame: _Frame, slot: Slot) -> None:
        holder, value, beside = self._stack[-1].content, frame.primitive, frame.content or None
        if value is None and beside is None:
            raise self._refuse(f"<{frame.tag}> has neither a value nor extensions", slot.name)
        if slot.many:
            holder.setdefault(slot.key, []).append(value)
            holder.setdefault("_" + slot.key, []).append(beside)
            return
        if value is not None:
            holder[slot.key] = value
        if beside is not None:
            holder["_" + slot.key] = beside

    def _div(self) -> str:
        """Return the narrative as it stands in the text, with line ends and references untouched."""
        div = self._div_source().decode()
        if stands_alone(div):
            return div
        spaces = {prefix: uris[-1] for prefix, uris in self._spaces.items() if uris and prefix != "xml"}
        try:
            return rebuilt(div, spaces)
        except (ValueError, expat.ExpatError) as error:
            raise self._refuse(f"The narrative is not XHTML: {error}", "div") from None

    def _div_source(self) -> bytes:
        data, start, end = self._data, self._div_start, self._parser.CurrentByteIndex
        name = re.compile(rb"<([^\s/>]+)").match(data, start)
        closer = b"</" + (name.group(1) if name else b"div")
        if data.startswith(closer, end):
            end = data.index(b">", end) + 1
        return data[start:end]


def _decimal(text: str) -> int | Decimal | None:
    if not _DECIMAL.fullmatch(text):
        return None
    if "." not in text and "e" not in text.lower() and text != "-0":
        return int(text)
    value = Decimal(text)
    return value if -MAX_EXPONENT <= value.adjusted() <= MAX_EXPONENT else None


def _put(holder: dict[str, Any], slot: Slot, value: Any) -> None:
    if slot.many:
        holder.setdefault(slot.key, []).append(value)
    else:
        holder[slot.key] = value


def _drop_empty(frame: _Frame) -> None:
    """Remove arrays of nulls only: values without any extension beside them, or the other way round."""
    for key in frame.lists:
        for name in (key, "_" + key):
            values = frame.content.get(name)
            if values is not None and values.count(None) == len(values):
                del frame.content[name]


def _path(stack: list[_Frame]) -> str:
    parts: list[str] = []
    for frame in stack:
        if frame.slot is not None:
            parts.append(frame.slot.name + (f"[{frame.index}]" if frame.index >= 0 else ""))
        elif not parts:
            parts.append(frame.tag)
    return ".".join(parts)
