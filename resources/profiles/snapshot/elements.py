"""ElementDefinitions as a tree: what a differential is laid over, and what a snapshot is written from.

Source: http://hl7.org/fhir/R4/elementdefinition.html#path, #id
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from resources.outcome import FhirError

Json = dict[str, Any]

_PLACE = frozenset({"id", "path", "sliceName", "slicing"})


@dataclass(slots=True, eq=False)
class Branch:
    """One element: its definition (never changed in place), its children by name ('value[x]'), its slices.

    Shape:  `slices` are in order, reslices ('a/b') behind their slice in the same list
    """

    name: str
    json: Json
    children: dict[str, Branch] = field(default_factory=dict)
    slices: list[Branch] = field(default_factory=list)

    @property
    def slice_name(self) -> str:
        """The name of the slice, empty for an element that is none."""
        return str(self.json.get("sliceName", ""))

    def slice(self, name: str) -> Branch | None:
        """Return the slice called `name`."""
        return next((each for each in self.slices if each.slice_name == name), None)

    def copy(self) -> Branch:
        """Return the same tree again; definitions are shared."""
        children = {name: child.copy() for name, child in self.children.items()}
        return Branch(self.name, self.json, children, [each.copy() for each in self.slices])

    def size(self) -> int:
        """Return how many elements the tree has."""
        return 1 + sum(each.size() for each in (*self.children.values(), *self.slices))

    def types(self) -> list[Json]:
        """Return the types of the element."""
        return list(self.json.get("type", ()))

    @property
    def choice(self) -> bool:
        """Whether the element is written with its type ('valueQuantity')."""
        return self.name.endswith("[x]")


def planted(elements: Iterable[Json]) -> Branch:
    """Return the tree of a snapshot's elements.

    Errors: FhirError(422) where an element stands without its parent
    """
    nodes: dict[str, Branch] = {}
    plain: dict[str, Branch] = {}
    root: Branch | None = None
    for json in elements:
        path: str = json["path"]
        above, _, name = path.rpartition(".")
        own = Branch(name, json)
        if root is None:
            root = own
        elif above not in nodes:
            raise FhirError(422, "invalid", f"{path} stands in the snapshot without its parent")
        else:
            parent = nodes[above]
            unsliced = parent.children.get(name)
            if "sliceName" in json and unsliced is not None:
                unsliced.slices.append(own)
            else:
                parent.children[name] = plain[path] = own
        nodes[path] = own
    if root is None:
        raise FhirError(422, "invalid", "the snapshot has no element")
    return root


def written(root: Branch) -> list[Json]:
    """Return the elements of the tree in the order of a snapshot, with paths and ids made."""
    return list(_written(root, root.name, root.name))


def _written(own: Branch, path: str, id_: str) -> Iterator[Json]:
    placed: Json = {"id": id_, "path": path}
    for key in ("sliceName", "slicing"):
        if key in own.json:
            placed[key] = own.json[key]
    placed |= {key: value for key, value in own.json.items() if key not in _PLACE}
    yield placed
    for name, child in own.children.items():
        yield from _written(child, f"{path}.{name}", f"{id_}.{name}")
        for each in child.slices:
            yield from _written(each, f"{path}.{name}", f"{id_}.{name}:{each.slice_name}")
