"""Read a snapshot into a tree of nodes, every rule of it kept.

Source: http://hl7.org/fhir/R4/elementdefinition.html, profiling.html#slicing
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from resources.definitions import Element, definitions
from resources.outcome import FhirError
from resources.profiles.nodes import Binding, Constraint, Discriminator, Node, Slicing, Structure, TypeRef
from resources.validate.elements import is_primitive

Json = dict[str, Any]
EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"
_FHIR_TYPE = EXTENSIONS + "structuredefinition-fhir-type"
_LARGEST = EXTENSIONS + "elementdefinition-maxValueSet"
_BEST_PRACTICE = EXTENSIONS + "elementdefinition-bestpractice"
_EXTENSIONS = ("extension", "modifierExtension")
DEEPEST = 40
"""The most dots that a path may have."""
DEFAULT_SLICE = "@default"

_type_ref = lru_cache(16384)(TypeRef)
_constraint = lru_cache(16384)(Constraint)
_binding = lru_cache(16384)(Binding)
_discriminator = lru_cache(4096)(Discriminator)

BY_URL = (Discriminator("value", "url"),)
BY_TYPE = (Discriminator("type", "$this"),)


def read(definition: Json) -> Structure:
    """Return the tree of a StructureDefinition with snapshot.

    Errors: FhirError(422) where it has no snapshot, or the paths of its elements make no tree
    """
    elements = definition.get("snapshot", {}).get("element") or ()
    if not elements:
        raise FhirError(422, "invalid", f"{definition.get('url', 'The StructureDefinition')} has no snapshot")
    url, type_name = definition["url"], definition["type"]
    reader = _Reader(url, type_name if type_name in definitions().package.types else "")
    for json in elements:
        reader.add(json)
    return Structure(
        url=url,
        version=definition.get("version", ""),
        name=definition.get("name", ""),
        type=type_name,
        kind=definition["kind"],
        derivation=definition.get("derivation", ""),
        abstract=definition.get("abstract", False),
        base=definition.get("baseDefinition", ""),
        root=reader.nodes[elements[0]["path"]],
        context=tuple((c["type"], c["expression"]) for c in definition.get("context", ())),
        context_invariants=tuple(definition.get("contextInvariant", ())),
        size=len(elements),
    )


class _Reader:
    """Adds element by element: `nodes` is the last node of each path, `inside` the R4 type of its children."""

    def __init__(self, url: str, type_name: str) -> None:
        self.url = url
        self.type = type_name
        self.nodes: dict[str, Node] = {}
        self.inside: dict[str, str] = {}

    def add(self, json: Json) -> None:
        path: str = json["path"]
        above, dot, last = path.rpartition(".")
        if not self.nodes:
            self.nodes[path] = node(json, path, None)
            self.inside[path] = self.type
            return
        parent = self.nodes.get(above) if path.count(".") <= DEEPEST else None
        if parent is None or not dot:
            raise FhirError(422, "invalid", f"{self.url}: {path} stands in the snapshot without its parent")
        element, code = self._element(above, last)
        own = node(json, element.name + "[x]" if element and element.choice else last, element)
        if code and not own.slice_name:
            own.slice_name = last
        self._place(parent, own, code)
        self.nodes[path] = own
        self.inside[path] = own.holder or code or _only_type(own, element)

    def _element(self, above: str, last: str) -> tuple[Element | None, str]:
        """Return the R4 element, and its type where the path names it ('valueQuantity')."""
        typedef = definitions().package.types.get(self.inside.get(above, ""))
        if typedef is None:
            return None, ""
        found = typedef.elements.get(last.removesuffix("[x]"))
        if found is not None:
            return found, ""
        found, code = typedef.by_json.get(last, (None, ""))
        return found, code

    def _place(self, parent: Node, own: Node, code: str) -> None:
        plain = parent.children.get(own.name)
        if plain is None and not (code or own.choice or own.slicing or own.name in _EXTENSIONS):
            own.slice_name = ""  # nothing is sliced: but a name
        if not own.slice_name:
            if plain is not None:
                raise FhirError(422, "invalid", f"{self.url}: {own.path} stands in the snapshot twice")
            parent.children[own.name] = own
            return
        if plain is None:
            plain = Node(id=own.id, path=own.path, name=own.name, many=own.many, choice=own.choice)
            parent.children[own.name] = plain
        if code or own.choice:
            own.types = _narrowed(own, code)
        holder = _sliced(plain, own.slice_name)
        if holder.slicing is None:
            holder.slicing = Slicing(_implied(own), "open", False)
        holder.slicing.slices.append(own)


def _sliced(plain: Node, slice_name: str) -> Node:
    """Return the node that the slice is a slice of: the element, or the slice that a reslice 'a/b' slices again."""
    above = slice_name.rpartition("/")[0]
    while above:
        for found in slices(plain):
            if found.slice_name == above:
                return found
        above = above.rpartition("/")[0]
    return plain


def slices(plain: Node) -> list[Node]:
    """Return all slices and reslices of an element, in order."""
    if plain.slicing is None:
        return []
    return [each for own in plain.slicing.slices for each in (own, *slices(own))]


def _implied(own: Node) -> tuple[Discriminator, ...]:
    if own.name in _EXTENSIONS:
        return BY_URL
    return BY_TYPE if own.choice else ()


def _narrowed(own: Node, code: str) -> tuple[TypeRef, ...]:
    """Return the types of a type slice: where it lists several, the one that its name says ('valueQuantity')."""
    if len(own.types) == 1:
        return own.types
    ending = own.slice_name.removeprefix(own.name)
    named = tuple(t for t in own.types if t.code == code or t.code[:1].upper() + t.code[1:] == ending)
    return named or ((_type_ref(code),) if code else own.types)


def _only_type(own: Node, element: Element | None) -> str:
    """Return the R4 type of the children: the only type of the node, or of the element that it constrains."""
    codes = {t.code for t in own.types} or (set(element.types) if element else set())
    return codes.pop() if len(codes) == 1 else ""


def node(json: Json, last: str, element: Element | None) -> Node:
    """Return the node of one ElementDefinition; `last` is the end of its path, `element` what R4 says of it."""
    path: str = json["path"]
    name = json.get("sliceName", "")
    rules = _values(json)
    return Node(
        id=json.get("id", path),
        path=path,
        name=last.removesuffix("[x]"),
        min=json.get("min", 0),
        max=_max(json),
        many=element.many if element else _max(json.get("base", json)) != 1,
        choice=last.endswith("[x]"),
        types=tuple(_type(t, element) for t in json.get("type", ())),
        holder=_holder(json, element),
        fixed=rules.get("fixed"),
        pattern=rules.get("pattern"),
        least=rules.get("minValue"),
        greatest=rules.get("maxValue"),
        longest=json.get("maxLength"),
        binding=_bound(json.get("binding")),
        constraints=tuple(_invariant(c) for c in json.get("constraint", ())),
        must_support=json.get("mustSupport", False),
        modifier=json.get("isModifier", False),
        default_slice=name == DEFAULT_SLICE,
        slice_name=name,
        slicing=_slicing(json.get("slicing")),
    )


def _max(json: Json) -> int | None:
    text = json.get("max", "*")
    if text == "*":
        return None
    if not text.isascii() or not text.isdecimal():
        raise FhirError(422, "invalid", f"{json.get('path', '')}: max is a number or *, not {text!r}")
    return int(text)


def _holder(json: Json, element: Element | None) -> str:
    if element is not None:
        return element.type_name
    return str(json.get("contentReference", "#").rpartition("#")[2])


def _type(json: Json, element: Element | None) -> TypeRef:
    return _type_ref(
        _code(json, element),
        tuple(json.get("profile", ())),
        tuple(json.get("targetProfile", ())),
        tuple(json.get("aggregation", ())),
        json.get("versioning", ""),
    )


def _code(json: Json, element: Element | None) -> str:
    """Return the FHIR type: System types carry theirs in an extension, which R4 has wrong for resources' ids."""
    code: str = json["code"]
    if not code.startswith("http://hl7.org/fhirpath/"):
        return code
    if element is not None:
        return element.types[0]
    for extension in json.get("extension", ()):
        if extension["url"] == _FHIR_TYPE:
            return str(extension.get("valueUrl") or extension.get("valueUri") or code)
    return code


def _values(json: Json) -> dict[str, tuple[str, Any]]:
    """Return {'fixed' | 'pattern' | 'minValue' | 'maxValue': (type, value)}."""
    found: dict[str, tuple[str, Any]] = {}
    for key, value in json.items():
        for kind in ("fixed", "pattern", "minValue", "maxValue"):
            if key.startswith(kind) and key != kind:
                code = key.removeprefix(kind)
                small = code[0].lower() + code[1:]
                found[kind] = (small if is_primitive(small) else code, value)
    return found


def _bound(json: Json | None) -> Binding | None:
    if json is None:
        return None
    largest = ""
    for extension in json.get("extension", ()):
        if extension["url"] == _LARGEST:
            largest = extension.get("valueCanonical") or extension.get("valueUri") or ""
    valueset = json.get("valueSet", "")
    return _binding(json["strength"], valueset, largest) if valueset or largest else None


def _invariant(json: Json) -> Constraint:
    best = any(e["url"] == _BEST_PRACTICE and e.get("valueBoolean") for e in json.get("extension", ()))
    expression = json.get("expression", "")
    return _constraint(json["key"], json["severity"], json["human"], expression, json.get("source", ""), best)


def _slicing(json: Json | None) -> Slicing | None:
    if json is None:
        return None
    told = tuple(_discriminator(d["type"], d["path"]) for d in json.get("discriminator", ()))
    return Slicing(told, json["rules"], json.get("ordered", False))
