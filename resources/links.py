"""The links of a resource, found by the definitions: rewritten in transactions, listed for checks.

A link is `Reference.reference`, an element of type uri, url, oid or uuid, or a narrative's `a@href` / `img@src`.
Never a link: canonical elements, ids, strings (`Identifier.value`), and uri elements that carry an identity or a
namespace instead of a location (`_IDENTITIES`): rewritten, `Coding.system` would lose its meaning, and a definition's
own `url` would part from the canonicals that name it.

Source: http://hl7.org/fhir/R4/http.html#trules, http://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from resources.definitions import Element, TypeDef, definitions
from resources.references import is_conditional

Json = dict[str, Any]
_LINK_TYPES = frozenset({"uri", "url", "oid", "uuid"})
_RESOURCES = frozenset({"Resource", "DomainResource"})
_IDENTITIES = frozenset(
    {
        "Extension.url",
        "Reference.type",
        "StructureDefinition.type",
        "ElementDefinition.type.code",
        "CodeSystem.property.uri",
        "ConceptMap.group.source",
        "ConceptMap.group.target",
        "ConceptMap.group.element.target.dependsOn.property",
    }
)
_NETWORK_ADDRESSES = frozenset({"Device.url", "DeviceDefinition.url"})
"""The `url` elements at the root of a resource that are not its canonical identity."""

_URI, _REFERENCE, _NARRATIVE, _CHILD, _RESOURCE, _BUNDLE = range(6)


class Slot(NamedTuple):
    """A place that holds a link: `holder[key]`; a list's key is the index."""

    holder: Any
    key: Any


class _Table:
    """The keys of one type that are, or lead to, links: {JSON key: (kind, table of the child)}."""

    __slots__ = ("skip", "steps")

    def __init__(self) -> None:
        self.steps: dict[str, tuple[int, _Table | None]] = {}
        self.skip: Callable[[Iterable[Any]], bool] = frozenset[str]().isdisjoint


class _Found(NamedTuple):
    references: list[Json]
    uris: list[Slot]
    narratives: list[Json]


# ---------------------------------------------------------------------------------------------------- rewriting


def rewrite(
    resource: Json,
    targets: Mapping[str, str],
    *,
    root: str | None = None,
    versions: Mapping[str, str] | None = None,
) -> Json | None:
    """Return `resource`, changed in place so that its links follow `targets`, or None where no link matched.

    Shape:  `targets` maps a fullUrl (`urn:uuid:…`, `urn:oid:…`, absolute) to the new reference (`Patient/1`);
            `root` (see `references.root_of`) is the root of the resource's own fullUrl: relative references are
            matched below it;
            `versions` maps a new reference to its new version id, which a version-specific link then gets; without an
            entry it keeps the version that it names. Fragments are kept. Links inside of a nested Bundle that its own
            entries answer are left alone.
    Source: http://hl7.org/fhir/R4/http.html#trules
    """
    if not targets:
        return None
    found = _Found([], [], [])
    _gather_resource(resource, found)
    resolve = _resolver(targets, root, versions or {})
    get = targets.get
    changed = False
    for holder in found.references:
        text = holder["reference"]
        new = get(text) or resolve(text)
        if new is not None:
            holder["reference"] = new
            changed = True
    for holder, key in found.uris:
        new = get(holder[key]) or resolve(holder[key])
        if new is not None:
            holder[key] = new
            changed = True
    for holder in found.narratives:
        changed = _rewrite_narrative(holder, resolve) or changed
    return resource if changed else None


def _resolver(
    targets: Mapping[str, str], root: str | None, versions: Mapping[str, str]
) -> Callable[[str], str | None]:
    """Return the look-up of a link's text: exact, or by its parts (fragment, version, root, case of a urn)."""

    def resolve(text: str) -> str | None:
        url, hash_sign, fragment = text.partition("#")
        if not url:
            return None
        url, history, version = url.partition("/_history/")
        new = targets.get(url)
        if new is None and url[:4].lower() == "urn:":
            new = targets.get(url.lower())
        elif new is None and root is not None and ":" not in url:
            new = targets.get(root + url)
        if new is None:
            return None
        return f"{new}{history}{versions.get(new, version) if history else ''}{hash_sign}{fragment}"

    return resolve


_TAG = re.compile(r"""<(?:a|img)\s(?:[^<>"']|"[^"<]*"|'[^'<]*')*+>""", re.ASCII)
_LINK_ATTRIBUTE = re.compile(r"""(\s(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""", re.ASCII)


def _rewrite_narrative(holder: Json, resolve: Callable[[str], str | None]) -> bool:
    def attribute(match: re.Match[str]) -> str:
        quoted = match[2]
        new = resolve(quoted[1:-1])
        return match[0] if new is None else f"{match[1]}{quoted[0]}{new}{quoted[0]}"

    div = holder["div"]
    new_div = _TAG.sub(lambda tag: _LINK_ATTRIBUTE.sub(attribute, tag[0]), div)
    holder["div"] = new_div
    return bool(new_div != div)


# ------------------------------------------------------------------------------------------------------ listing


def reference_holders(resource: Json) -> list[Json]:
    """Return every Reference (a dict with a `reference` text), contained resources included.

    Shape:  entries of a Bundle are not entered: their references belong to them
    """
    found = _Found([], [], [])
    _gather_resource(resource, found, bundles=False)
    return found.references


def references(resource: Json) -> Iterator[tuple[Json, str]]:
    """Yield every Reference of `reference_holders` with its FHIRPath location ('Observation.performer[0]')."""
    yield from _trace(
        resource, _table_of(resource.get("resourceType")), str(resource.get("resourceType", ""))
    )


def conditional_references(resource: Json) -> list[tuple[Json, str]]:
    """Return every Reference whose text is conditional, with that text (`Patient?identifier=…`)."""
    return [(h, h["reference"]) for h in reference_holders(resource) if is_conditional(h["reference"])]


def _trace(value: Any, table: _Table | None, path: str) -> Iterator[tuple[Json, str]]:
    if type(value) is list:
        for index, item in enumerate(value):
            yield from _trace(item, table, f"{path}[{index}]")
    if type(value) is not dict or table is None:
        return
    for key, child in value.items():
        kind, below = table.steps.get(key, (_URI, None))
        if kind == _REFERENCE and type(child) is str:
            yield value, path
        elif kind == _CHILD:
            yield from _trace(child, below, f"{path}.{key.removeprefix('_')}")
        elif kind == _RESOURCE:
            for index, item in enumerate(child if type(child) is list else [child]):
                if type(item) is dict:
                    place = f"{path}.{key}[{index}]" if type(child) is list else f"{path}.{key}"
                    yield from _trace(item, _table_of(item.get("resourceType")), place)


# ------------------------------------------------------------------------------------------------------ walking


def _gather_resource(value: Any, found: _Found, bundles: bool = True) -> None:
    if type(value) is list:
        for item in value:
            _gather_resource(item, found, bundles)
    elif type(value) is dict:
        _gather(value, _table_of(value.get("resourceType")), found, bundles)


def _gather(value: Any, table: _Table | None, found: _Found, bundles: bool = True) -> None:
    """Add the links of `value` (of any shape: nothing is validated yet) to `found`."""
    if type(value) is list:
        for item in value:
            _gather(item, table, found, bundles)
        return
    if type(value) is not dict or table is None or table.skip(value):
        return
    steps = table.steps
    for key, child in value.items():
        step = steps.get(key)
        if step is None:
            continue
        kind, below = step
        if kind == _CHILD:
            _gather(child, below, found, bundles)
        elif kind == _REFERENCE:
            if type(child) is str:
                found.references.append(value)
        else:
            _gather_other(value, key, kind, found, bundles)


def _gather_other(holder: Json, key: str, kind: int, found: _Found, bundles: bool) -> None:
    child = holder[key]
    if kind == _URI:
        _gather_uri(holder, key, child, found)
    elif kind == _NARRATIVE:
        if type(child) is str and ("href" in child or "src" in child):
            found.narratives.append(holder)
    elif kind == _RESOURCE:
        _gather_resource(child, found, bundles)
    elif bundles:
        _gather_bundle(child, found)


def _gather_uri(holder: Json, key: str, value: Any, found: _Found) -> None:
    if type(value) is str:
        found.uris.append(Slot(holder, key))
    elif type(value) is list:
        found.uris.extend(Slot(value, index) for index, item in enumerate(value) if type(item) is str)


def _gather_bundle(entries: Any, found: _Found) -> None:
    """Add the links of a nested Bundle's resources, except those that the Bundle's own entries answer."""
    entries = [e for e in entries if type(e) is dict] if type(entries) is list else []
    own = {e["fullUrl"] for e in entries if type(e.get("fullUrl")) is str}
    inner = _Found([], [], [])
    for entry in entries:
        _gather_resource(entry.get("resource"), inner)
    found.references.extend(h for h in inner.references if _bare(h["reference"]) not in own)
    found.uris.extend(s for s in inner.uris if _bare(s.holder[s.key]) not in own)
    found.narratives.extend(h for h in inner.narratives if not any(url in h["div"] for url in own))


def _bare(text: str) -> str:
    return text.partition("#")[0].partition("/_history/")[0]


# ------------------------------------------------------------------------------------------------- compiling


def _table_of(resource_type: object) -> _Table | None:
    if type(resource_type) is str and definitions().is_resource(resource_type):
        return _table(resource_type)
    return None


@cache
def _tables() -> dict[str, _Table]:
    return {}


def _table(type_name: str) -> _Table:
    """Return the table of a type, compiled at first use (types refer to each other in circles)."""
    known = _tables().get(type_name)
    if known is None:
        known = _tables()[type_name] = _Table()
        typedef = definitions().type(type_name)
        for key, (element, code) in typedef.by_json.items():
            known.steps.update(_steps(typedef, key, element, code))
        known.skip = frozenset(known.steps).isdisjoint
    return known


def _steps(
    typedef: TypeDef, key: str, element: Element, code: str
) -> Iterator[tuple[str, tuple[int, _Table | None]]]:
    if typedef.name == "Bundle" and key in ("entry", "link"):
        if key == "entry":
            yield key, (_BUNDLE, None)
    elif typedef.name == "Reference" and key == "reference":
        yield key, (_REFERENCE, None)
        yield "_" + key, (_CHILD, _table("Element"))
    elif code in _RESOURCES:
        yield key, (_RESOURCE, None)
    elif code == "xhtml":
        yield key, (_NARRATIVE, None)
    elif definitions().type(code).kind != "primitive":
        yield key, (_CHILD, _table(code))
    elif element.xml != "attribute":
        if code in _LINK_TYPES and _is_link(typedef, element):
            yield key, (_URI, None)
        yield "_" + key, (_CHILD, _table("Element"))


def _is_link(typedef: TypeDef, element: Element) -> bool:
    path = f"{typedef.name}.{element.name}"
    if element.name == "system" or path in _IDENTITIES:
        return False
    return not (typedef.kind == "resource" and element.name == "url" and path not in _NETWORK_ADDRESSES)
