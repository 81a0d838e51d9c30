"""Ways to break codes, references and values of data types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resources.definitions import definitions
from resources.definitions.vocabulary import published
from tests.conformance.validate.mutations import BLANK, BREAKERS, SCRIPT, SYSTEMS, Break, breaker, inside
from tests.conformance.validate.places import Json, Place, put

__all__ = ["BREAKERS"]

R4 = "http://hl7.org/fhir/StructureDefinition/"
GERMAN = '<div xmlns="http://www.w3.org/1999/xhtml" lang="de">Guten Tag</div>'


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


@breaker("text where a code is required")
def _only_text(place: Place) -> Iterator[Break]:
    if place.type == "CodeableConcept" and place.element.binding:
        strength, valueset = place.element.binding
        # where R4 lists the codes, the structural part says that there is no coding of them
        if strength == "required" and not definitions().valueset_codes(valueset):
            yield Break(put({"text": "x"}), "binding-text-only", place.path)
        elif strength == "extensible":
            yield Break(put({"text": "x"}), "binding-text-only-extensible", place.path)


@breaker("code not of the value set")
def _other(place: Place) -> Iterator[Break]:
    """Yield a code of R4's own that is none of the value set, which R4 lists whole."""
    wrong = {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}]}
    if place.type != "CodeableConcept" or not place.element.binding:
        return
    strength, valueset = place.element.binding
    compose = (published("ValueSet", valueset.partition("|")[0]) or {}).get("compose", {}).get("include", ())
    if compose and all("system" in rule for rule in compose):
        message = {"extensible": "binding-extensible", "preferred": "binding-preferred"}.get(strength)
        if message:
            yield Break(put(wrong), message, place.path)


@breaker("code not in use")
def _inactive(place: Place) -> Iterator[Break]:
    if place.type == "Coding":
        old = {"system": SYSTEMS + "v3-ActCode", "code": "BOOSTER"}
        yield Break(put(old), "code-inactive", f"{place.path}.code")
        abstract = {"system": SYSTEMS + "v3-ActCode", "code": "_ActAccountCode"}
        yield Break(put(abstract), "code-abstract", f"{place.path}.code")


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
        yield Break(inside(code="bogus-code"), "code-unknown", f"{place.path}.code")


@breaker("wrong display")
def _display(place: Place) -> Iterator[Break]:
    if _is_known(place) and "display" in place.value:
        yield Break(inside(display="No such name"), "display-wrong", f"{place.path}.display")


@breaker("code without system")
def _no_system(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value and "system" in place.value:
        yield Break(inside(system=None), "coding-without-system", place.path)


@breaker("relative system")
def _relative(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value and "system" in place.value:
        yield Break(inside(system="local"), "coding-relative-system", f"{place.path}.system")


@breaker("unknown code system")
def _no_such_system(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value and "version" not in place.value:
        yield Break(inside(system="http://nowhere.test/cs"), "code-unknown-system", place.path)


@breaker("value set for a code system")
def _valueset(place: Place) -> Iterator[Break]:
    if place.type == "Coding" and "code" in place.value:
        system = "http://hl7.org/fhir/ValueSet/observation-status"
        yield Break(inside(system=system), "coding-valueset-as-system", f"{place.path}.system")


@breaker("unit")
def _unit(place: Place) -> Iterator[Break]:
    if (
        type(place.value) is dict
        and place.value.get("system") == "http://unitsofmeasure.org"
        and "code" in place.value
    ):
        yield Break(inside(code="bogus/unit"), "unit-invalid", f"{place.path}.code")


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
        yield Break(inside(reference="somebody"), "reference-format", f"{place.path}.reference")


@breaker("type of a reference")
def _reference_type(place: Place) -> Iterator[Break]:
    if _is_reference(place) and place.value["reference"][0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        yield Break(inside(type="Linkage"), "reference-type-disagrees", f"{place.path}.type")


@breaker("no type of a reference")
def _no_type(place: Place) -> Iterator[Break]:
    if _is_reference(place):
        yield Break(inside(type="Pacient"), "reference-type-unknown", f"{place.path}.type")


@breaker("contained resource not there")
def _no_contained(place: Place) -> Iterator[Break]:
    if _is_reference(place):
        yield Break(inside(reference="#nowhere"), "contained-unresolved", f"{place.path}.reference")


@breaker("target not there")
def _not_found(place: Place) -> Iterator[Break]:
    targets = place.element.targets
    if _is_reference(place) and targets:
        name = targets[0].rpartition("/")[2]
        if definitions().is_resource(name):
            text = f"{name}/not-there"
            change = inside(reference=text, type=None)
            yield Break(change, "reference-not-found", f"{place.path}.reference", {"references": "exists"})


# ----------------------------------------------------------------------------------------- types and extensions


@breaker("period backwards")
def _period(place: Place) -> Iterator[Break]:
    if place.type == "Period":
        yield Break(inside(start="2024-02-01", end="2024-01-01"), "invariant-failed", place.path)


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
        yield Break(inside(system="local"), "identifier-system-relative", f"{place.path}.system")
        wrong = inside(system="urn:ietf:rfc:3986", value="1.2.3")
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


@breaker("modifier extension")
def _modifier(place: Place) -> Iterator[Break]:
    if place.element.name == "text" and place.type == "Narrative":
        one = {"url": "http://nowhere.test/x", "valueString": "x"}

        def change(holder: Any, _: Any) -> None:
            holder["modifierExtension"] = [one]

        yield Break(change, "extension-modifier-unknown", f"{place.above}.modifierExtension[0]")


@breaker("extension out of place")
def _misplaced(place: Place) -> Iterator[Break]:
    if place.element.name != "text" or place.type != "Narrative" or "extension" in place.around:
        return
    birth = {"url": f"{R4}patient-birthPlace", "valueAddress": {"city": "x"}}
    profile = {"url": f"{R4}Patient", "valueString": "x"}
    where = f"{place.above}.extension[0]"
    for one, message, at in ((birth, "extension-context", where), (profile, "extension-not-one", where)):
        if not (place.holder.name == "Patient" and message == "extension-context"):

            def change(holder: Any, _: Any, one: Json = one) -> None:
                holder["extension"] = [one]

            yield Break(change, message, at)


@breaker("language of the narrative")
def _other_language(place: Place) -> Iterator[Break]:
    if place.element.name == "text" and place.type == "Narrative" and not place.above.count("."):

        def change(holder: Any, key: Any) -> None:
            holder["language"] = "en"
            holder[key] = {"status": "generated", "div": GERMAN}

        yield Break(change, "language-disagrees", f"{place.path}.div")


@breaker("canonical")
def _canonical(place: Place) -> Iterator[Break]:
    if place.type == "canonical" and place.element.targets:
        yield Break(put("#nowhere"), "canonical-fragment-unresolved", place.path)
        other = "http://hl7.org/fhir/CompartmentDefinition/patient"
        if not any("Resource" in target for target in place.element.targets):
            yield Break(put(other), "canonical-target-type", place.path)


@breaker("extension")
def _extension(place: Place) -> Iterator[Break]:
    if place.type == "Extension" and "extension" not in place.value and place.element.name == "extension":
        yield Break(put({"url": place.value["url"]}), "extension-value-or-children", place.path)
        if place.holder.name != "Extension":
            unknown = {"url": "http://nowhere.test/x", "valueString": "x"}
            yield Break(put(unknown), "extension-unknown", place.path)
            yield Break(inside(url="local"), "extension-url-relative", place.path)


@breaker("narrative")
def _narrative(place: Place) -> Iterator[Break]:
    if place.type == "Narrative":
        yield Break(inside(div=SCRIPT), "narrative-forbidden", f"{place.path}.div")
        yield Break(inside(div=BLANK), "narrative-blank", f"{place.path}.div")
        yield Break(inside(status=None), "cardinality-min", f"{place.path}.status")


@breaker("claimed profile")
def _profile(place: Place) -> Iterator[Break]:
    if place.type == "Meta":
        yield Break(inside(profile=["local"]), "meta-profile-relative", f"{place.path}.profile[0]")
        unknown = ["http://nowhere.test/StructureDefinition/x"]
        yield Break(inside(profile=unknown), "profile-unknown", f"{place.path}.profile[0]")
