"""Compile a definitions package into the compact `Package` that every process loads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resources.definitions.model import (
    Element,
    Kind,
    Operation,
    OperationParam,
    Package,
    SearchParam,
    TypeDef,
)
from resources.definitions.package import read_package
from resources.definitions.valuesets import enumerate_valuesets

Json = dict[str, Any]
_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
_KINDS: dict[str, Kind] = {"resource": "resource", "complex-type": "complex", "primitive-type": "primitive"}


def compile_package(path: Path) -> Package:
    """Return the compiled content of the package file at `path`."""
    by_type: dict[str, list[Json]] = {}
    name, version = "", ""
    for resource in read_package(path):
        if "resourceType" in resource:
            by_type.setdefault(resource["resourceType"], []).append(resource)
        else:
            name, version = resource["name"], resource["version"]
    types = _types(by_type.get("StructureDefinition", []))
    return Package(
        name=name,
        version=version,
        types=types,
        search=tuple(_search_param(r) for r in by_type.get("SearchParameter", []) if not _is_example(r)),
        compartments=dict(
            _compartment(r) for r in by_type.get("CompartmentDefinition", []) if not _is_example(r)
        ),
        operations=tuple(_operation(r) for r in by_type.get("OperationDefinition", []) if not _is_example(r)),
        valuesets=enumerate_valuesets(
            _required_bindings(types), by_type.get("ValueSet", []), by_type.get("CodeSystem", [])
        ),
    )


def _is_example(resource: Json) -> bool:
    return str(resource["url"]).startswith("http://hl7.org/fhir/") and (
        resource["id"] == "example" or resource["id"].startswith("example-")
    )


def _types(structures: list[Json]) -> dict[str, TypeDef]:
    types: dict[str, TypeDef] = {}
    for structure in structures:
        if structure["kind"] in _KINDS and structure.get("derivation") != "constraint":
            for typedef in _structure(structure):
                types[typedef.name] = typedef
    return dict(sorted(types.items()))


def _structure(structure: Json) -> Iterable[TypeDef]:
    """Yield the type of a StructureDefinition, then one backbone type for each element that has children."""
    root, *elements = structure["snapshot"]["element"]
    name = root["path"]
    children: dict[str, list[Json]] = {name: []}
    for element in elements:
        children.setdefault(element["path"].rsplit(".", 1)[0], []).append(element)
    base = structure.get("baseDefinition")
    is_resource = structure["kind"] == "resource"
    for path, own in children.items():
        is_root = path == name
        yield TypeDef(
            name=path,
            kind=_KINDS[structure["kind"]] if is_root else "backbone",
            base=_local(base) if is_root and base else (None if is_root else "BackboneElement"),
            abstract=structure["abstract"] and is_root,
            elements={e.name: e for e in (_element(json, children, is_resource) for json in own)},
            regex=_primitive_regex(own) if is_root else None,
        )


def _local(url: str) -> str:
    return url.rsplit("/", 1)[1]


def _element(json: Json, children: dict[str, list[Json]], in_resource: bool) -> Element:
    path: str = json["path"]
    last = path.rsplit(".", 1)[1]
    types = tuple(dict.fromkeys(_type_code(t, path, in_resource) for t in json.get("type", ())))
    binding = json.get("binding", {})
    valueset = binding.get("valueSet", "").split("|")[0]
    return Element(
        name=last.removesuffix("[x]"),
        path=path,
        types=types or ("BackboneElement",),
        min=json["min"],
        max=None if json["max"] == "*" else int(json["max"]),
        choice=last.endswith("[x]"),
        summary=json.get("isSummary", False),
        modifier=json.get("isModifier", False),
        binding=(binding["strength"], valueset) if valueset else None,
        targets=_targets(json),
        type_name=json.get("contentReference", "#").split("#", 1)[1] or (path if path in children else ""),
        xml=_xml(json, types),
    )


def _xml(json: Json, types: tuple[str, ...]) -> Any:
    if "xmlAttr" in json.get("representation", ()):
        return "attribute"
    return "xhtml" if types == ("xhtml",) else "element"


def _type_code(json: Json, path: str, in_resource: bool) -> str:
    """Return the FHIR type code; System types carry theirs in an extension (Resource.id's is wrong in 4.0.1)."""
    code: str = json["code"]
    if not code.startswith("http://hl7.org/fhirpath/"):
        return code
    if path.endswith(".value") and path[0].islower():
        return code
    if in_resource and path.count(".") == 1 and path.endswith(".id"):
        return "id"
    for extension in json.get("extension", ()):
        if extension["url"] == _FHIR_TYPE:
            return str(extension.get("valueUrl") or extension.get("valueUri"))
    return code


def _targets(json: Json) -> tuple[str, ...]:
    profiles = (p for t in json.get("type", ()) for p in t.get("targetProfile", ()))
    return tuple(dict.fromkeys(p.removeprefix(_STRUCTURE) for p in profiles))


def _primitive_regex(elements: list[Json]) -> str | None:
    for element in elements:
        if element["path"].endswith(".value"):
            for extension in element["type"][0].get("extension", ()):
                if extension["url"] == _REGEX:
                    return str(extension["valueString"])
    return None


def _search_param(json: Json) -> SearchParam:
    return SearchParam(
        url=json["url"],
        code=json["code"],
        type=json["type"],
        base=tuple(json.get("base", ())),
        expression=json.get("expression", ""),
        targets=tuple(json.get("target", ())),
        components=tuple((c["definition"], c["expression"]) for c in json.get("component", ())),
        description=json.get("description", ""),
    )


def _compartment(json: Json) -> tuple[str, dict[str, tuple[str, ...]]]:
    return json["code"], {r["code"]: tuple(r["param"]) for r in json["resource"] if r.get("param")}


def _operation(json: Json) -> Operation:
    return Operation(
        url=json["url"],
        code=json["code"],
        resources=tuple(json.get("resource", ())),
        system=json["system"],
        type=json["type"],
        instance=json["instance"],
        affects_state=json.get("affectsState", False),
        parameters=tuple(
            OperationParam(p["name"], p["use"], p["min"], p["max"], p.get("type", ""))
            for p in json.get("parameter", ())
        ),
    )


def _required_bindings(types: dict[str, TypeDef]) -> set[str]:
    bindings = (e.binding for t in types.values() for e in t.elements.values())
    return {b[1] for b in bindings if b is not None and b[0] == "required"}
