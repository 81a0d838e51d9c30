"""Functions that ask what an element is defined as: `elementDefinition()` and `slice()`.

Source: http://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

from resources.fhirpath.environment import Environment, single
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.registry import function
from resources.fhirpath.model import Json, kind_of
from resources.fhirpath.ports import PORTS
from resources.fhirpath.slicing import Slice
from resources.fhirpath.values import Item, Items, Node

_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"


@function("elementDefinition")
def _element_definition(env: Environment, items: Items) -> Items:
    """Return the ElementDefinition of each element, as its type's own definition has it."""
    kind = kind_of("ElementDefinition")
    found: Items = []
    for item in items:
        env.spend(1)
        if type(item) is Node:
            definition = _defined(item)
            if definition is not None:
                found.append(Node(definition, kind))
    return found


def _defined(node: Node) -> Json | None:
    holder, name = (
        (node.kind.name, "") if node.up is None or node.slot is None else (node.up.kind.name, node.slot.name)
    )
    path = f"{holder}.{name}" if name else holder
    elements = _elements(_STRUCTURE + holder.partition(".")[0])
    return next((each for each in elements if each["path"] in (path, path + "[x]")), None)


def _elements(url: str) -> list[Json]:
    structure = PORTS.structure(url)
    if structure is None:
        raise evaluation_error(f"the structure {url} is not known")
    elements: list[Json] = structure.get("snapshot", {}).get("element", [])
    if not elements:
        raise evaluation_error(f"the structure {url} has no snapshot")
    return elements


@function("slice", 2)
def _slice(env: Environment, items: Items, structure: Items, name: Items) -> Items:
    """Return the items that belong to a slice of a profile."""
    url, wanted = single(structure, "slice()"), single(name, "slice()")
    if not (isinstance(url, str) and isinstance(wanted, str)):
        raise evaluation_error("slice() takes the url of a structure and the name of a slice")
    found = Slice(_elements(url), wanted)
    return [item for item in items if _placed(item, found.path) and found.holds(env, item)]


def _placed(item: Item, path: str) -> bool:
    """Whether an item lies where the slice does."""
    if type(item) is not Node or item.up is None or item.slot is None:
        return False
    names = [item.slot.name]
    node = item.up
    while node.up is not None and node.slot is not None:
        names.insert(0, node.slot.name)
        node = node.up
    return ".".join([node.kind.name, *names]) == path.removesuffix("[x]")
