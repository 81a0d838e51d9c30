"""Ways to break a valid resource at one place, each with what must be said of it and where.

Only what R4 and its definitions say is used to choose a place; the message id and the expression are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from resources.definitions import definitions
from resources.definitions.vocabulary import published
from tests.conformance.validate.places import Json, Place, changed, places, put

SYSTEMS = "http://terminology.hl7.org/CodeSystem/"
SCRIPT = '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></div>'
BLANK = '<div xmlns="http://www.w3.org/1999/xhtml"> <p/></div>'
GERMAN = '<div xmlns="http://www.w3.org/1999/xhtml" lang="de">Guten Tag</div>'


class Mutation(NamedTuple):
    """A broken resource: the kind of break, and the message that must be there at `expression`.

    Shape:  `options` of the validation under which it is seen
    """

    kind: str
    resource: Json
    message: str
    expression: str
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)


class Break(NamedTuple):
    """One way to break a place: the value that takes its place, the message, and where it is said."""

    change: Callable[[Any, Any], None]
    message: str
    where: str
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)


Breaker = Callable[[Place], Iterator[Break]]
BREAKERS: dict[str, Breaker] = {}


def breaker(kind: str) -> Callable[[Breaker], Breaker]:
    """Register a way to break a place."""

    def register(function: Breaker) -> Breaker:
        BREAKERS[kind] = function
        return function

    return register


def mutations(resource: Json) -> Iterator[Mutation]:
    """Yield `resource` broken in every way that one of its places allows, the same element once for each way."""
    seen: set[tuple[str, str]] = set()
    for place in places(resource):
        for kind, break_it in BREAKERS.items():
            name = (kind, f"{place.holder.name}.{place.element.name}.{place.type}")
            if name in seen:
                continue
            for one in break_it(place):
                seen.add(name)
                broken = changed(resource, place.steps, one.change)
                yield Mutation(kind, broken, one.message, one.where, one.options)


def _take(holder: Any, key: Any) -> None:
    del holder[key]


def _inside(**values: Any) -> Callable[[Any, Any], None]:
    """Return the change that sets (or with None takes away) elements of the value."""

    def change(holder: Any, key: Any) -> None:
        for name, value in values.items():
            if value is None:
                holder[key].pop(name, None)
            else:
                holder[key][name] = value

    return change


# ------------------------------------------------------------------------------------------------ structure


@breaker("unknown element")
def _unknown(place: Place) -> Iterator[Break]:
    if type(place.value) is dict:
        yield Break(_inside(bogus="x"), "element-unknown", f"{place.path}.bogus")


@breaker("required element missing")
def _missing(place: Place) -> Iterator[Break]:
    element = place.element
    beside = "_" + str(place.steps[-1]) in place.around
    if element.min and not element.many and not element.choice and len(place.around) > 1 and not beside:
        yield Break(_take, "cardinality-min", f"{place.above}.{element.name}")


@breaker("array for a single value")
def _array(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and not place.element.many and place.type != "Resource":
        yield Break(put([place.value]), "object-expected", place.path)


@breaker("text for an object")
def _text(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and place.type != "Resource":
        yield Break(put("text"), "object-expected", place.path)


@breaker("empty object")
def _empty(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and place.type != "Resource":
        yield Break(put({}), "object-empty", place.path)


@breaker("only an id")
def _only_id(place: Place) -> Iterator[Break]:
    if type(place.value) is dict and place.type not in ("Resource", "Extension"):
        yield Break(put({"id": "x"}), "object-only-id", place.path)


@breaker("two choices")
def _choices(place: Place) -> Iterator[Break]:
    if place.element.choice:
        other = next(code for code in place.element.types if code != place.type)
        key = place.element.name + other[0].upper() + other[1:]
        values = {"Boolean": True, "Quantity": {"value": 1}, "CodeableConcept": {"text": "x"}}

        def change(holder: Any, _: Any) -> None:
            holder[key] = values.get(other[0].upper() + other[1:], "x")

        yield Break(change, "choice-multiple", place.path)


_WRONG: dict[str, Any] = {
    "boolean": "true",
    "integer": "1",
    "positiveInt": 0,
    "unsignedInt": -1,
    "decimal": "1.0",
    "date": "2024-02-30",
    "dateTime": "2024-13-01",
    "instant": "2024-01-01T10:00:00",
    "time": "25:00:00",
    "uri": "a b",
    "url": "a b",
    "canonical": "a b",
    "id": "a_b",
    "base64Binary": "a",
    "oid": "urn:oid:9.1",
    "uuid": "urn:uuid:1",
    "string": "",
    "markdown": "",
}


@breaker("wrong format")
def _format(place: Place) -> Iterator[Break]:
    bound = place.element.path == "Reference.reference" or place.element.path == "Extension.url"
    if place.type in _WRONG and not bound:
        yield Break(put(_WRONG[place.type]), "value-format", place.path)


@breaker("text of white space")
def _blank(place: Place) -> Iterator[Break]:
    if place.type in ("string", "markdown") and place.holder.name not in ("Coding", "Reference", "Quantity"):
        yield Break(put("  "), "value-blank", place.path)


# ---------------------------------------------------------------------------------------------------- codes


@breaker("code not of the required value set")
def _required(place: Place) -> Iterator[Break]:
    binding = place.element.binding
    if binding is None or binding[0] != "required":
        return
    if place.type == "code" and definitions().valueset_codes(binding[1]):
        yield Break(put("bogus"), "binding-required", place.path)
    elif place.type == "CodeableConcept" and definitions().valueset_codes(binding[1]):
        wrong = {"coding": [{"system": SYSTEMS + "nobody", "code": "bogus"}]}
        yield Break(put(wrong), "binding-required", place.path)


@breaker("media type")
def _media(place: Place) -> Iterator[Break]:
    if place.type == "code" and place.element.name == "contentType":
        yield Break(put("text"), "binding-required", place.path)


@breaker("language")
def _language(place: Place) -> Iterator[Break]:
    if place.type == "code" and place.element.name == "language" and place.holder.name != "Expression":
        yield Break(put("english language"), "language-malformed", place.path)


def _is_known(place: Place) -> bool:
    if place.type != "Coding" or "code" not in place.value or "version" in place.value:
        return False
    known = published("CodeSystem", place.value.get("system", ""))
    return known is not None and known.get("content") == "complete"


@breaker("code not in its code system")
def _code(place: Place) -> Iterator[Break]:
    if _is_known(place):
        yield Break(_inside(code="bogus-code"), "code-unknown", f"{place.path}.code")


@breaker("wrong display")
def _display(place: Place) -> Iterator[Break]:
    if _is_known(place) and "display" in place.value:
        yield Break(_inside(display="No such name"), "display-wrong", f"{place.path}.display")


@breaker("code without system")
def _no_system(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value and "system" in place.value:
        yield Break(_inside(system=None), "coding-without-system", place.path)


@breaker("relative system")
def _relative(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value and "system" in place.value:
        yield Break(_inside(system="local"), "coding-relative-system", f"{place.path}.system")


@breaker("unknown code system")
def _no_such_system(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value and "version" not in place.value:
        yield Break(_inside(system="http://nowhere.test/cs"), "code-unknown-system", place.path)


@breaker("value set for a code system")
def _valueset(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value:
        system = "http://hl7.org/fhir/ValueSet/observation-status"
        yield Break(_inside(system=system), "coding-valueset-as-system", f"{place.path}.system")


@breaker("unit")
def _unit(place: Place) -> Iterator[Break]:
    if (
        type(place.value) is dict
        and place.value.get("system") == "http://unitsofmeasure.org"
        and "code" in place.value
    ):
        yield Break(_inside(code="bogus/unit"), "unit-invalid", f"{place.path}.code")


# ----------------------------------------------------------------------------------------------- references


def _is_reference(place: Place) -> bool:
    return place.type == "Reference" and "reference" in place.value


@breaker("target of a wrong type")
def _target(place: Place) -> Iterator[Break]:
    targets = place.element.targets
    if _is_reference(place) and targets and not any("Resource" in target for target in targets):
        yield Break(put({"reference": "Linkage/1"}), "reference-target-type", place.path)


@breaker("reference without form")
def _no_reference(place: Place) -> Iterator[Break]:
    if _is_reference(place):
        yield Break(_inside(reference="somebody"), "reference-format", f"{place.path}.reference")


@breaker("type of a reference")
def _reference_type(place: Place) -> Iterator[Break]:
    if _is_reference(place) and place.value["reference"][0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        yield Break(_inside(type="Linkage"), "reference-type-disagrees", f"{place.path}.type")


@breaker("no type of a reference")
def _no_type(place: Place) -> Iterator[Break]:
    if _is_reference(place):
        yield Break(_inside(type="Pacient"), "reference-type-unknown", f"{place.path}.type")


@breaker("contained resource not there")
def _no_contained(place: Place) -> Iterator[Break]:
    if _is_reference(place):
        yield Break(_inside(reference="#nowhere"), "contained-unresolved", f"{place.path}.reference")


@breaker("target not there")
def _not_found(place: Place) -> Iterator[Break]:
    targets = place.element.targets
    if _is_reference(place) and targets:
        name = targets[0].rpartition("/")[2]
        if definitions().is_resource(name):
            text = f"{name}/not-there"
            change = _inside(reference=text, type=None)
            yield Break(change, "reference-not-found", f"{place.path}.reference", {"references": "exists"})


# ----------------------------------------------------------------------------------------- types and extensions


@breaker("period backwards")
def _period(place: Place) -> Iterator[Break]:
    if place.type == "Period":
        yield Break(_inside(start="2024-02-01", end="2024-01-01"), "invariant-failed", place.path)


@breaker("quantity code without system")
def _quantity(place: Place) -> Iterator[Break]:
    if place.type == "Quantity" and place.holder.name != "Ratio":
        yield Break(put({"value": 1, "code": "mg"}), "invariant-failed", place.path)


@breaker("ratio of one half")
def _ratio(place: Place) -> Iterator[Break]:
    if place.type == "Ratio":
        yield Break(put({"numerator": {"value": 1}}), "invariant-failed", place.path)


@breaker("range backwards")
def _range(place: Place) -> Iterator[Break]:
    if place.type == "Range":
        wrong = {"low": {"value": 9, "unit": "a"}, "high": {"value": 1, "unit": "a"}}
        yield Break(put(wrong), "invariant-failed", place.path)


@breaker("contact point without system")
def _contact(place: Place) -> Iterator[Break]:
    if place.type == "ContactPoint":
        yield Break(put({"value": "1"}), "invariant-failed", place.path)


@breaker("system of an identifier")
def _identifier(place: Place) -> Iterator[Break]:
    if place.type == "Identifier":
        yield Break(_inside(system="local"), "identifier-system-relative", f"{place.path}.system")
        wrong = _inside(system="urn:ietf:rfc:3986", value="1.2.3")
        yield Break(wrong, "identifier-urn-value", f"{place.path}.value")


@breaker("urn")
def _urn(place: Place) -> Iterator[Break]:
    if place.type == "uri" and place.holder.name in ("Coding", "Identifier"):
        yield Break(put("urn:oid:9.9"), "uri-oid-malformed", place.path)
        yield Break(put("urn:uuid:9-9"), "uri-uuid-malformed", place.path)


@breaker("attachment")
def _attachment(place: Place) -> Iterator[Break]:
    if place.type == "Attachment":
        yield Break(put({"data": "QUJD", "size": 4}), "attachment-size", f"{place.path}.size")
        wrong = {"data": "QUJD", "hash": "QUJD"}
        yield Break(put(wrong), "attachment-hash", f"{place.path}.hash")
        yield Break(put({"contentType": "text/plain"}), "attachment-empty", place.path)


@breaker("extension")
def _extension(place: Place) -> Iterator[Break]:
    if place.type == "Extension" and "extension" not in place.value and place.element.name == "extension":
        yield Break(put({"url": place.value["url"]}), "extension-value-or-children", place.path)
        if place.holder.name != "Extension":
            unknown = {"url": "http://nowhere.test/x", "valueString": "x"}
            yield Break(put(unknown), "extension-unknown", place.path)
            yield Break(_inside(url="local"), "extension-url-relative", place.path)


@breaker("narrative")
def _narrative(place: Place) -> Iterator[Break]:
    if place.type == "Narrative":
        yield Break(_inside(div=SCRIPT), "narrative-forbidden", f"{place.path}.div")
        yield Break(_inside(div=BLANK), "narrative-blank", f"{place.path}.div")
        yield Break(_inside(status=None), "cardinality-min", f"{place.path}.status")


@breaker("claimed profile")
def _profile(place: Place) -> Iterator[Break]:
    if place.type == "Meta":
        yield Break(_inside(profile=["local"]), "meta-profile-relative", f"{place.path}.profile[0]")
        unknown = ["http://nowhere.test/StructureDefinition/x"]
        yield Break(_inside(profile=unknown), "profile-unknown", f"{place.path}.profile[0]")
