"""Where a resource stands, for its references: in which resource contained, in which Bundle, under which fullUrl.

Source: http://hl7.org/fhir/R4/references.html, http://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, NamedTuple

from resources.references import parse_reference, root_of

Json = dict[str, Any]
Place = Literal["contained", "bundled", "referenced"]


class Found(NamedTuple):
    """What a reference points at, as far as the text before us says; `type` may be empty, `resource` None."""

    place: Place
    type: str = ""
    resource: Json | None = None
    missing: bool = False
    apparent: bool = False
    entry: int = -1


class Entries:
    """The entries of a Bundle by what names them."""

    def __init__(self, bundle: Json) -> None:
        self.type: str = bundle.get("type", "")
        self.by_url: dict[str, list[int]] = {}
        self.by_name: dict[str, list[int]] = {}
        self.resources: list[Json | None] = []
        for index, entry in enumerate(_dicts(bundle.get("entry"))):
            resource = entry.get("resource")
            resource = resource if type(resource) is dict else None
            self.resources.append(resource)
            if type(entry.get("fullUrl")) is str and resource is not None:
                self.by_url.setdefault(entry["fullUrl"], []).append(index)
            if resource is not None and "id" in resource:
                self.by_name.setdefault(f"{resource.get('resourceType')}/{resource['id']}", []).append(index)

    def find(self, text: str, full_url: str) -> list[int]:
        """Return the entries that answer a reference made from the entry of `full_url`."""
        parsed = parse_reference(text.partition("#")[0])
        url = text.partition("#")[0].partition("/_history/")[0]
        if not parsed.absolute and ":" not in url:
            root = root_of(full_url)
            if root is None:
                return []
            url = root + url
        found = self.by_url.get(url, [])
        if parsed.version is not None:
            exact = [i for i in found if self._version(i) == parsed.version]
            return exact or [i for i in found if self._version(i) == ""]
        return found

    def _version(self, index: int) -> str:
        meta = (self.resources[index] or {}).get("meta")
        return str(meta.get("versionId", "")) if type(meta) is dict else ""

    def seemingly(self, text: str) -> list[int]:
        """Return the entries whose resource has the type and id of a reference, whatever their fullUrl."""
        parsed = parse_reference(text)
        return self.by_name.get(f"{parsed.type}/{parsed.id}", []) if parsed.type else []


def _dicts(value: Any) -> list[Json]:
    return [one if type(one) is dict else {} for one in value] if type(value) is list else []


class Scope:
    """One resource as the walk enters it.

    Shape:  `path` its FHIRPath location, `parent` the scope that its path lies in; `full_url` of its entry, where the
            parent is a Bundle; `container` the scope of the resource that it is contained in, else None; `entries`
            those of the Bundle that it is an entry of
    """

    def __init__(self, resource: Json, path: str, parent: Scope | None = None, full_url: str = "") -> None:
        self.resource, self.path, self.full_url = resource, path, full_url
        self.container: Scope | None = None
        self.entries: Entries | None = None
        if parent is None:
            return
        inside = path[len(parent.path) + 1 :]
        if inside.startswith("contained["):
            self.container, self.entries, self.full_url = parent.root, parent.entries, parent.full_url
        elif inside.startswith("entry[") and parent.resource.get("resourceType") == "Bundle":
            self.entries = parent.own_entries

    @cached_property
    def own_entries(self) -> Entries:
        """The entries of this Bundle."""
        return Entries(self.resource)

    @property
    def root(self) -> Scope:
        """The resource whose contained ones a '#id' names."""
        return self.container or self

    @cached_property
    def _contained(self) -> dict[str, Json]:
        return {
            one["id"]: one for one in _dicts(self.resource.get("contained")) if type(one.get("id")) is str
        }

    def contained(self, name: str) -> Json | None:
        """Return the contained resource of an id ('' for the container itself), None where there is none."""
        return self.root._contained.get(name) if name else self.root.resource

    def resolve(self, text: str) -> Found:
        """Return what `text` points at without asking anybody."""
        if text.startswith("#"):
            resource = self.contained(text[1:])
            if resource is None:
                return Found("contained", missing=True)
            return Found("contained", str(resource.get("resourceType", "")), resource)
        if self.entries is not None:
            found = self.entries.find(text, self.full_url)
            if found:
                target = self.entries.resources[found[0]] or {}
                return Found("bundled", str(target.get("resourceType", "")), target, entry=found[0])
            apparent = bool(self.entries.seemingly(text))
            return Found("referenced", parse_reference(text).type or "", apparent=apparent)
        return Found("referenced", parse_reference(text).type or "")

    def find(self, text: str) -> Json | None:
        """Return the resource that a reference from inside of this one means, where it is before us."""
        return self.resolve(text).resource
