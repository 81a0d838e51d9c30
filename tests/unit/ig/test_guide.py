"""Our own guide: what it defines holds together, and our own validator finds no error in it.

Source: http://hl7.org/fhir/R4/implementationguide.html, profiling.html
"""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from fhir_server.operations.fhirpath import JSON_VALUE
from fhir_server.operations.published import definition
from fhir_server.operations.registered import __all__ as registered
from fhir_server.search.named import TEMPLATE
from fhir_server.version import CANONICAL, VERSION
from ig.guide import examples, files, manifest, resources
from ig.offline import Offline
from ig.render import PAGES, links, pages
from resources.outcome import Issue
from resources.validate.validator import Options, validate

Json = dict[str, Any]
EXTENSION = f"{CANONICAL}/StructureDefinition/"
NOT_LOADED = {"code-unknown-system", "valueset-unknown"}
"""RxNorm and LOINC are not shipped."""

ALL = [*resources(), *examples()]


def name(resource: Json) -> str:
    """Return 'Type/id'."""
    return f"{resource['resourceType']}/{resource['id']}"


@cache
def asks() -> Offline:
    """Return what knows the guide, and nothing else beyond R4."""
    return Offline(resources=resources(), targets={name(each): each for each in ALL})


def found(resource: Json) -> list[Issue]:
    """Return what the validator says, but for code systems that are not loaded."""
    issues = validate(resource, asks(), Options(references="exists"))
    return [issue for issue in issues if issue.id not in NOT_LOADED]


def errors(resource: Json) -> list[tuple[str, str]]:
    """Return (message id, expression) of each error."""
    return [(i.id, i.expression[0]) for i in found(resource) if i.severity == "error"]


@pytest.mark.parametrize("resource", ALL, ids=map(name, ALL))
def test_the_validator_finds_nothing(resource: Json) -> None:
    assert [one for one in found(resource) if not _of_our_own(one)] == []


def _of_our_own(one: Issue) -> bool:
    """Whether a warning is of a purpose that v3-ActReason has no code for, which an extensible binding lets us add."""
    return one.id == "binding-extensible" and "CodeSystem/privacy-purpose#ai-processing" in one.text


def test_every_profile_has_an_example() -> None:
    claimed = {url for each in examples() for url in each.get("meta", {}).get("profile", ())}
    profiles = {
        each["url"]
        for each in resources()
        if each["resourceType"] == "StructureDefinition" and each["type"] != "Extension"
    }
    assert claimed == profiles


def test_canonicals_ids_and_files_agree() -> None:
    for each in resources():
        assert each["url"] == f"{CANONICAL}/{name(each)}"
        assert each["version"] == VERSION
        assert f"package/{each['resourceType']}-{each['id']}.json" in files()
    for each in examples():
        assert f"package/example/{each['resourceType']}-{each['id']}.json" in files()
    assert len(files()) == len(ALL) + 1


def test_the_guide_lists_all_it_has() -> None:
    guide = next(each for each in resources() if each["resourceType"] == "ImplementationGuide")
    listed = [each["reference"]["reference"] for each in guide["definition"]["resource"]]
    assert sorted(listed) == sorted(name(each) for each in ALL if each is not guide)
    assert manifest()["name"] == guide["packageId"]
    assert (manifest()["version"], manifest()["canonical"]) == (VERSION, CANONICAL)


def test_operations_are_as_the_server_tells_them() -> None:
    assert "fhirpath" in registered
    ours = [each for each in resources() if each["resourceType"] == "OperationDefinition"]
    assert len(ours) == 10
    for each in ours:
        assert each == definition(each["id"], CANONICAL)


def test_extensions_that_the_server_uses_are_defined() -> None:
    urls = {each["url"] for each in resources()}
    assert {JSON_VALUE, TEMPLATE} <= urls


# ------------------------------------------------------------------------------ what the profiles forbid


def example(which: str) -> Json:
    """Return an example of one's own to break."""
    return deepcopy(next(each for each in examples() if name(each) == which))


def required() -> list[tuple[str, str]]:
    """Return (example, element) for each element that a profile, not R4, demands at the top of an example."""
    rows = []
    for each in examples():
        for url in each.get("meta", {}).get("profile", ()):
            profile = next(one for one in resources() if one["url"] == url)
            for element in profile["differential"]["element"]:
                steps = element["path"].split(".")
                if element.get("min") and len(steps) == 2 and "sliceName" not in element:
                    rows.append((name(each), steps[1]))
    return rows


@pytest.mark.parametrize(("which", "element"), required())
def test_what_a_profile_demands_cannot_be_left_out(which: str, element: str) -> None:
    broken = example(which)
    stem = element.removesuffix("[x]")
    gone = [key for key in broken if key == stem or (element.endswith("[x]") and key.startswith(stem))]
    assert gone
    for key in gone:
        del broken[key]
    assert ("cardinality-min", f"{broken['resourceType']}.{stem}") in errors(broken) or (
        "cardinality-min",
        broken["resourceType"],
    ) in errors(broken)
    del broken["meta"]
    assert errors(broken) == [] or (which, element) == ("Provenance/letter-metformin", "agent")


def _without(url: str) -> Any:
    def change(resource: Json) -> None:
        resource["extension"] = [e for e in resource["extension"] if e["url"] != EXTENSION + url]
        if not resource["extension"]:
            del resource["extension"]

    return change


def _value(url: str, **value: Any) -> Any:
    def change(resource: Json) -> None:
        for each in resource["extension"]:
            if each["url"] == EXTENSION + url:
                each.update(value)

    return change


def _set(**values: Any) -> Any:
    def change(resource: Json) -> None:
        resource |= values

    return change


def _region(part: str, value: Decimal | None) -> Any:
    def change(resource: Json) -> None:
        region = resource["entity"][0]["extension"][0]
        kept = [each for each in region["extension"] if each["url"] != part]
        region["extension"] = kept if value is None else [*kept, {"url": part, "valueDecimal": value}]

    return change


def _first(element: str, **values: Any) -> Any:
    def change(resource: Json) -> None:
        resource[element][0] |= values

    return change


def _drop(element: str, number: int) -> Any:
    def change(resource: Json) -> None:
        del resource[element][number]

    return change


OTHER = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": "alert"}]
}

FORBIDDEN: list[tuple[str, Any, str]] = [
    ("CommunicationRequest/metformin-reminder", _without("reminder-schedule"), "slice-min"),
    ("CommunicationRequest/metformin-reminder", _set(category=[OTHER]), "pattern-missing"),
    (
        "CommunicationRequest/metformin-reminder",
        _set(about=[{"reference": "Patient/ann"}]),
        "reference-target-type",
    ),
    (
        "CommunicationRequest/metformin-reminder",
        _set(payload=[{"contentReference": {"reference": "DocumentReference/letter"}}]),
        "type-not-allowed",
    ),
    ("MedicationAdministration/dose-taken", _without("dose-outcome"), "slice-min"),
    ("MedicationAdministration/dose-taken", _value("dose-outcome", valueCode="lost"), "binding-required"),
    ("MedicationAdministration/dose-taken", _value("dose-outcome", valueCode="skipped"), "invariant-failed"),
    ("MedicationAdministration/dose-skipped", _set(status="completed"), "invariant-failed"),
    ("MedicationAdministration/dose-taken", _set(status="in-progress"), "binding-required"),
    (
        "MedicationAdministration/dose-taken",
        _first("performer", actor={"reference": "Device/watch"}),
        "reference-target-type",
    ),
    ("Observation/pain", _without("capture-channel"), "slice-min"),
    ("Observation/pain", _set(performer=[{"reference": "Practitioner/moreau"}]), "reference-target-type"),
    ("Observation/heart-rate", _without("measurement-origin"), "slice-min"),
    (
        "Observation/heart-rate",
        _set(valueQuantity={"value": 71, "system": "urn:x", "code": "/min"}),
        "fixed-value",
    ),
    ("Observation/heart-rate", _set(valueQuantity={"value": 71, "unit": "/min"}), "cardinality-min"),
    ("Provenance/letter-metformin", _without("review-status"), "slice-min"),
    ("Provenance/letter-metformin", _value("extraction-confidence", valueDecimal=2), "value-too-large"),
    ("Provenance/letter-metformin", _value("review-status", valueCode="unreviewed"), "invariant-failed"),
    ("Provenance/letter-metformin", _drop("agent", 0), "slice-min"),
    ("Provenance/letter-metformin", _drop("agent", 1), "invariant-failed"),
    ("Provenance/letter-metformin", _region("left", None), "invariant-failed"),
    ("Provenance/letter-metformin", _region("left", Decimal("0.7")), "invariant-failed"),
    ("Provenance/letter-metformin", _region("page", None), "slice-min"),
    ("Provenance/letter-metformin", _first("entity", role="revision"), "fixed-value"),
    ("Communication/question", _set(subject={"reference": "Practitioner/moreau"}), "reference-target-type"),
    ("AuditEvent/emergency", _without("access-justification"), "slice-min"),
    (
        "AuditEvent/emergency",
        _value("access-expires", valueDateTime="2026-11-21T09:00:00+01:00"),
        "invariant-failed",
    ),
    ("AuditEvent/emergency", _set(type={"system": "urn:x", "code": "x"}), "pattern-missing"),
    ("AuditEvent/emergency", _first("entity", what={"reference": "Device/watch"}), "reference-target-type"),
]


@pytest.mark.parametrize(("which", "change", "said"), FORBIDDEN)
def test_each_profile_rejects_what_it_forbids(which: str, change: Any, said: str) -> None:
    broken = example(which)
    change(broken)
    assert said in [id_ for id_, _ in errors(broken)]


def test_an_answer_of_the_assistant_should_name_its_sources() -> None:
    answer = example("Communication/answer")
    del answer["extension"]
    assert [(i.severity, i.id) for i in found(answer)] == [("warning", "invariant-failed")]


def test_a_late_dose_should_have_a_reason() -> None:
    late = example("MedicationAdministration/dose-late")
    _without("late-reason")(late)
    assert [(i.severity, i.id) for i in found(late)] == [("warning", "invariant-failed")]


def test_an_extension_stands_only_where_it_belongs() -> None:
    patient = example("Patient/ann")
    patient["extension"] = [{"url": EXTENSION + "dose-outcome", "valueCode": "taken"}]
    assert [id_ for id_, _ in errors(patient)] == ["extension-context"]


# ------------------------------------------------------------------------------------------------ pages


def test_the_pages_are_up_to_date() -> None:
    """`python -m ig.render` writes them."""
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    assert written == pages()


def test_links_lead_to_pages() -> None:
    made = pages()
    for text in made.values():
        assert set(links(text)) <= made.keys()
