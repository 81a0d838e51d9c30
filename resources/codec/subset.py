"""Parts of a resource, as `_summary` and `_elements` ask for them, marked so that nobody takes them for the whole.

Source: http://hl7.org/fhir/R4/search.html#summary, search.html#elements
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from resources.definitions import Element, TypeDef, definitions
from resources.outcome import FhirError

Mode = Literal["true", "text", "data"]
Keep = Callable[[Element], bool]

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
_ALWAYS = frozenset({"id", "meta"})


def summarize(resource: dict[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the summary of `resource`; the resource itself stays as it is.

    Shape:  'true' keeps the elements marked as summary, at every level, with the mandatory and modifier ones that
            keep it valid and safe; 'text' the narrative, id, meta and mandatory elements; 'data' all but the narrative
    """
    typedef = _type(resource)
    if mode == "data":
        return _marked({key: value for key, value in resource.items() if key != "text"})
    if mode == "text":
        return _marked(_top(resource, typedef, lambda e: e.name == "text" or e.name in _ALWAYS or e.min > 0))
    return _marked(_summary(resource, typedef))


def select_elements(resource: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return `resource` with the named top-level elements, its id and meta, mandatory and modifier elements.

    Shape:  a name may be plain ('value'), with its type ('Observation.value'), a JSON key ('valueQuantity') or deeper
            ('name.family', which keeps all of name); names that the type does not have change nothing
    """
    typedef = _type(resource)
    wanted = {_top_name(name, typedef) for name in names}
    return _marked(_top(resource, typedef, lambda e: e.name in wanted or e.name in _ALWAYS or _must_stay(e)))


def _type(resource: dict[str, Any]) -> TypeDef:
    name = resource.get("resourceType")
    if not definitions().is_resource(name):
        raise FhirError(400, "structure", f"Unknown resource type {str(name)[:60]!r}")
    return definitions().type(str(name))


def _top_name(name: str, typedef: TypeDef) -> str:
    first = name.strip().removeprefix(f"{typedef.name}.").split(".", 1)[0].removesuffix("[x]")
    known = typedef.by_json.get(first)
    return known[0].name if known else first


def _must_stay(element: Element) -> bool:
    return element.min > 0 or element.modifier


def _element(key: str, typedef: TypeDef) -> tuple[Element, str] | None:
    return typedef.by_json.get(key[1:] if key[:1] == "_" else key)


def _top(resource: dict[str, Any], typedef: TypeDef, keep: Keep) -> dict[str, Any]:
    kept = {}
    for key, value in resource.items():
        found = _element(key, typedef)
        if key == "resourceType" or (found and keep(found[0])):
            kept[key] = value
    return kept


def _summary(value: dict[str, Any], typedef: TypeDef) -> dict[str, Any]:
    """Return the summary elements of one object; extensions beside a primitive stay where it has no value."""
    kept: dict[str, Any] = {}
    for key, child in value.items():
        found = _element(key, typedef)
        if key == "resourceType" or found is None:
            kept.update({key: child} if key == "resourceType" else {})
            continue
        element, code = found
        if not (element.summary or _must_stay(element)):
            continue
        if key[:1] != "_":
            kept[key] = _nested(child, code)
        elif value.get(key[1:]) is None or isinstance(child, list):
            kept[key] = child
    return kept


def _nested(value: Any, code: str) -> Any:
    """Return the summary of an element's value; what would be left empty, and extensions, stay whole."""
    if isinstance(value, list):
        return [_nested(item, code) for item in value]
    if not isinstance(value, dict) or code in ("Resource", "Extension"):
        return value
    return _summary(value, definitions().type(code)) or value


def _marked(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the resource with the SUBSETTED tag, once, `meta` after `resourceType` and `id`."""
    meta = dict(resource.get("meta") or {})
    tags = list(meta.get("tag") or [])
    if not any(tag.get("code") == "SUBSETTED" and tag.get("system") == SUBSETTED["system"] for tag in tags):
        tags.append(dict(SUBSETTED))
    marked: dict[str, Any] = {key: resource[key] for key in ("resourceType", "id") if key in resource}
    marked["meta"] = {**meta, "tag": tags}
    return marked | {key: value for key, value in resource.items() if key not in marked}
