"""The values of a FHIRPath Patch: parameter parts turned into the JSON of the element that they are meant for.

Source: http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from resources.definitions import Element, TypeDef, definitions
from resources.outcome import FhirError
from resources.patch.tree import read_list, read_primitives, write_primitives

Json = dict[str, Any]
_QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})
_NUMBERS = frozenset({"integer", "positiveInt", "unsignedInt"})


class Content(NamedTuple):
    """The JSON of an element: its value, the `_` sibling of a primitive, and the key to write both under."""

    key: str
    value: Any
    extra: Any


def find_element(parent: TypeDef, name: str) -> Element:
    """Return the child of `parent` called `name`: plain ('value'), with '[x]', or with its type ('valueQuantity')."""
    plain = name.removesuffix("[x]")
    element = parent.elements.get(plain)
    if element is None and name in parent.by_json:
        element = parent.by_json[name][0]
    if element is None or (parent.kind == "primitive" and plain == "value"):
        raise refused("structure", f"{parent.name} has no element {name[:80]!r}")
    return element


def content_of(parent: TypeDef, name: str, part: Json) -> Content:
    """Return what `part` (its value[x], resource or nested parts) says for the child `name` of `parent`.

    Errors: FhirError 422 where the types do not go together, 400 where the part is malformed
    """
    element = find_element(parent, name)
    typed = [key for key in part if key.removeprefix("_").startswith("value")]
    forms = bool(typed) + ("part" in part) + ("resource" in part)
    if forms != 1:
        raise malformed(f"the value of {name[:80]!r} is needed once: value[x], parts or a resource")
    if typed:
        return _from_value(parent, element, name, part, typed)
    key, expected = _expected(parent, element, name)
    if "resource" in part:
        return Content(key, _resource(element, part["resource"]), None)
    return Content(key, _from_parts(expected, part["part"]), None)


def _from_value(parent: TypeDef, element: Element, name: str, part: Json, typed: list[str]) -> Content:
    keys = {key.removeprefix("_") for key in typed}
    given_key = keys.pop()
    known = definitions().type("Parameters.parameter").by_json.get(given_key)
    if keys or known is None:
        raise malformed(f"{', '.join(typed)[:80]!r} is not one value[x] of Parameters")
    given, value, extra = known[1], part.get(given_key), part.get("_" + given_key)
    if value is None and extra is None:
        raise malformed(f"the value of {name[:80]!r} is null")
    key = _typed_key(parent, element, name, given)
    return Content(key, value, extra if given[0].islower() else None)


def _typed_key(parent: TypeDef, element: Element, name: str, given: str) -> str:
    """Return the JSON key under which a value of type `given` is written."""
    if element.choice and name not in parent.by_json:
        if given not in element.types:
            raise refused(
                "structure", f"{element.path} takes no {given}, only {', '.join(element.types)[:300]}"
            )
        return element.name + given[0].upper() + given[1:]
    key, expected = _expected(parent, element, name)
    if not _compatible(expected, given):
        raise refused("structure", f"{element.path} is of type {expected}, not {given}")
    return key


def _expected(parent: TypeDef, element: Element, name: str) -> tuple[str, str]:
    """Return the JSON key and type of an element that is no choice, or is a choice named with its type."""
    found = parent.by_json.get(name if element.choice else element.name)
    if found is None:
        raise refused("structure", f"{element.path}[x] has many types: say which by a value[x]")
    return (name if element.choice else element.name), found[1]


def _compatible(expected: str, given: str) -> bool:
    if expected == given or (expected in _QUANTITIES and given in _QUANTITIES):
        return True
    if not (given[0].islower() and (expected[0].islower() or expected.startswith("http:"))):
        return False
    return _json_kind(expected) == _json_kind(given) or (expected == "decimal" and given in _NUMBERS)


def _json_kind(primitive: str) -> str:
    if primitive in _NUMBERS:
        return "integer"
    return primitive if primitive in ("boolean", "decimal") else "string"


def _resource(element: Element, resource: Any) -> Json:
    if not {"Resource", "DomainResource"}.intersection(element.types):
        raise refused("structure", f"{element.path} holds no resource")
    if not isinstance(resource, dict) or not definitions().is_resource(resource.get("resourceType")):
        raise malformed("'resource' is not a resource")
    return resource


def _from_parts(type_name: str, parts: Any) -> Json:
    """Return the object of type `type_name` whose members `parts` name."""
    if type_name.startswith("http:") or definitions().type(type_name).kind == "primitive":
        raise refused("structure", f"a {type_name.rpartition('.')[2]} has no parts: use a value[x]")
    typedef = definitions().type(type_name)
    built: Json = {}
    for part in parts_of(parts):
        name = part["name"]
        put(built, find_element(typedef, name), content_of(typedef, name, part))
    if not built:
        raise malformed("a value without parts")
    return built


def parts_of(parts: Any) -> list[Json]:
    """Return `parts` where it is a list of named parts; FhirError 400 where not."""
    if not isinstance(parts, list) or not all(
        isinstance(p, dict) and isinstance(p.get("name"), str) for p in parts
    ):
        raise malformed("parts are an array of objects with a name")
    return parts


def put(holder: Json, element: Element, content: Content) -> None:
    """Append `content` to a repeating element of `holder`, or set one that is not there yet.

    Errors: FhirError 422 where an element that does not repeat is there already
    """
    keys = [key for key, _ in element.json_keys()]
    if not element.many:
        if any(key in holder or "_" + key in holder for key in keys):
            raise refused("processing", f"{element.path} is there already and does not repeat")
        set_single(holder, content)
    elif is_primitive(element):
        write_primitives(
            holder, content.key, [*read_primitives(holder, content.key), (content.value, content.extra)]
        )
    else:
        holder[content.key] = [*read_list(holder, content.key), content.value]


def set_single(holder: Json, content: Content) -> None:
    """Write value and `_` sibling of an element that does not repeat."""
    if content.value is not None:
        holder[content.key] = content.value
    if content.extra is not None:
        holder["_" + content.key] = content.extra


def is_primitive(element: Element) -> bool:
    """Whether a (repeating, hence no choice) element is written with a `_` sibling."""
    return not element.type_name and definitions().type(element.types[0]).kind == "primitive"


def malformed(text: str) -> FhirError:
    """Return the error for a patch that cannot be read."""
    return FhirError(400, "structure", text)


def refused(code: str, text: str) -> FhirError:
    """Return the error for an operation that cannot be applied."""
    return FhirError(422, code, text)
