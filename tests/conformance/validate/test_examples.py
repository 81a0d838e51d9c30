"""The examples of R4, US Core, IPS and CARIN BB are valid, but for those that are known to be wrong.

Source: http://hl7.org/fhir/R4/validation.html; packages hl7.fhir.us.core 6.1.0, hl7.fhir.uv.ips 1.1.0 and
hl7.fhir.us.carin-bb 2.0.0
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from ig.offline import Offline
from resources.codec.json import parse_json
from resources.outcome import Issue
from resources.validate.validator import validate
from tests.shared import r4_examples, shared_path

Json = dict[str, Any]

WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "narrative-blank": (
        "the narrative shows nothing (txt-2); HL7's validator says so too",
        (
            "ActivityDefinition-blood-tubes-supply",
            "ActivityDefinition-heart-valve-replacement",
            "EventDefinition-example",
            "Questionnaire-zika-virus-exposure-assessment",
        ),
    ),
    "extension-modifier-unknown": (
        "its modifier extensions are of example.org and defined nowhere",
        ("Basic-referral",),
    ),
    "bundle-fullurl-id": (
        "a fullUrl of a RESTful server has another id than the resource; HL7's validator says so too",
        (
            "Bundle-10bb101f-a121-4264-a920-67be9cb82c74",
            "Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe",
            "Bundle-lri-example",
        ),
    ),
    "bundle-reference-unresolved": (
        "a reference means an entry by type and id, but the fullUrls do not fit; HL7's validator says so too",
        (
            "Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe",
            "Bundle-father",
        ),
    ),
    "bundle-response-status": (
        "response.status is DELETE, and R4 asks for an HTTP status of three digits",
        ("Bundle-bundle-response",),
    ),
    "bundle-fullurl-missing": (
        "an entry of a searchset has no fullUrl; HL7's validator says so too",
        ("Bundle-bundle-search-warning",),
    ),
    "bundle-fullurl-duplicate": (
        "fullUrls stand twice (bdl-7); HL7's validator says so too",
        ("Bundle-dataelements",),
    ),
    "identifier-urn-value": (
        "an identifier of system urn:ietf:rfc:3986 has a value that is no URI; HL7's validator says so too",
        (
            "Bundle-dataelements",
            "Bundle-resources",
            "Organization-2.16.840.1.113883.19.5",
        ),
    ),
    "unit-invalid": (
        "codes that UCUM does not have; HL7's validator says so too",
        (
            "Bundle-father",
            "Claim-760151",
            "Claim-760152",
            "MedicationDispense-meddisp0309",
            "MedicationDispense-meddisp0313",
            "MedicationDispense-meddisp0318",
            "MedicationDispense-meddisp0324",
            "MedicationDispense-meddisp0327",
            "MedicationDispense-meddisp0328",
            "MedicationDispense-meddisp0329",
            "MedicationRequest-medrx0304",
            "MedicationRequest-medrx0314",
            "MedicationRequest-medrx0319",
            "MedicationRequest-medrx0322",
            "MedicationRequest-medrx0325",
            "MedicationRequest-medrx0326",
            "MedicationRequest-medrx0328",
            "MedicationRequest-medrx0329",
            "MedicationRequest-medrx0334",
            "MedicationRequest-medrx0335",
            "VisionPrescription-33124",
        ),
    ),
    "extension-nested-unknown": (
        "it uses uri inside of an extension that has no such part; HL7's validator says so too",
        ("Bundle-hla-1",),
    ),
    "extension-context": (
        "translation stands on expansion.contains, where its context does not allow it",
        ("Bundle-valueset-expansions",),
    ),
    "reference-target-type": (
        "it refers to a type that R4 does not allow there",
        (
            "DeviceMetric-example",
            "DeviceUseStatement-example",
            "MedicationRequest-medrx0301",
            "Observation-clinical-gender",
        ),
    ),
    "attachment-hash": (
        "the hash is not that of the data; HL7's validator says so too",
        ("DiagnosticReport-example-pgx",),
    ),
    "code-unknown": (
        "v3-orderableDrugForm has TAB and others in capitals only; HL7's validator says so too",
        (
            "Medication-med0304",
            "Medication-med0309",
            "MedicationAdministration-medadmin0312",
            "MedicationDispense-meddisp0301",
            "MedicationDispense-meddisp0325",
            "MedicationRequest-medrx0313",
            "MedicationRequest-medrx0314",
            "MedicationRequest-medrx0327",
            "MedicationStatement-example001",
            "MedicationStatement-example002",
            "MedicationStatement-example003",
        ),
    ),
    "canonical-fragment-unresolved": (
        "it names contained resources that it does not contain",
        ("PlanDefinition-example-cardiology-os",),
    ),
    "cardinality-min": (
        "32 of its items have no linkId; HL7's validator says so too",
        ("Questionnaire-qs1",),
    ),
}
"""By message: why examples of R4 break their own specification, and which."""

GUIDES: dict[str, tuple[tuple[str, ...], int]] = {
    "us-core-6.1.0": ((), 183),
    "ips-1.1.0": ((), 40),
    "carin-bb-2.0.0": (("us-core-6.1.0",), 18),
}
"""Of each guide: those it builds on, and the least number of its examples."""

WRONG_IN_GUIDES: dict[str, dict[str, tuple[str, ...]]] = {
    # a fullUrl of a RESTful server with another id than the resource; HL7's validator says so too
    "us-core-6.1.0": {
        "bundle-fullurl-id": ("Bundle-66c8856b-ba11-4876-8aa8-467aad8c11a2", "Bundle-docref-example-2"),
    },
    "ips-1.1.0": {
        # relative references beside fullUrls of urn:uuid; HL7's validator says so too
        "bundle-reference-unresolved": (
            "Bundle-IPS-examples-Bundle-01",
            "Bundle-IPS-examples-Bundle-with-immunization",
            "Bundle-bundle-minimal",
        ),
        # {wine glasses}/d: an annotation of UCUM has no blanks (characters 33 to 126 only)
        "unit-invalid": ("Observation-alcohol-use-example",),
    },
    # &reg;, which XML does not know; HL7's validator says so too
    "carin-bb-2.0.0": {
        "narrative-forbidden": (
            "ExplanationOfBenefit-EOBInpatient2",
            "ExplanationOfBenefit-EOBOutpatient2",
            "ExplanationOfBenefit-EOBProfessional1",
            "ExplanationOfBenefit-EOBProfessional2",
            "ExplanationOfBenefit-EOBProfessionalTransportation1",
        ),
    },
}
"""Of each guide: by message, the examples that are wrong."""


def _errors(issues: list[Issue]) -> set[str]:
    return {each.id for each in issues if each.severity == "error"}


def test_the_examples_of_r4_are_valid_but_for_the_known_ones() -> None:
    asks = Offline()
    wrong: dict[str, set[str]] = {}
    for name, data in r4_examples().items():
        for message in _errors(validate(parse_json(data), asks)):
            wrong.setdefault(message, set()).add(name.removesuffix(".json"))
    assert wrong == {message: set(names) for message, (_, names) in WRONG.items()}


def _members(guide: str) -> Iterator[tuple[str, Json]]:
    """Yield the examples of a guide and what it says of itself, by name."""
    with tarfile.open(shared_path("packages") / f"{guide}.tgz") as archive:
        for member in archive:
            folder, _, name = member.name.rpartition("/")
            wanted = folder.endswith("/example") or name.startswith("ImplementationGuide-")
            if wanted and name.endswith(".json") and not name.startswith("."):
                file = archive.extractfile(member)
                assert file is not None
                yield member.name, parse_json(file.read())


def _examples(guide: str) -> dict[str, Json]:
    """Return each example by its name; where it claims no profile, with the one that the guide says it is one of."""
    found: dict[str, Json] = {}
    profiles: dict[str, str] = {}
    for name, resource in _members(guide):
        if "/example/" in name and "resourceType" in resource:
            found[name.rpartition("/")[2].removesuffix(".json")] = resource
        elif resource.get("resourceType") == "ImplementationGuide":
            for each in resource["definition"]["resource"]:
                if "exampleCanonical" in each:
                    profiles[each["reference"]["reference"]] = each["exampleCanonical"]
    for resource in found.values():
        profile = profiles.get(f"{resource['resourceType']}/{resource.get('id')}")
        if profile is not None and "profile" not in resource.get("meta", {}):
            resource["meta"] = resource.get("meta", {}) | {"profile": [profile]}
    return found


@pytest.mark.parametrize("guide", GUIDES)
def test_the_examples_of_a_guide_conform_to_the_profiles_that_they_claim(guide: str) -> None:
    others, least = GUIDES[guide]
    asks = Offline([shared_path("packages") / f"{name}.tgz" for name in (guide, *others)])
    wrong: dict[str, set[str]] = {}
    examples = _examples(guide)
    for name, resource in examples.items():
        for message in _errors(validate(resource, asks)):
            wrong.setdefault(message, set()).add(name)
    assert len(examples) >= least
    assert sum("profile" in each.get("meta", {}) for each in examples.values()) >= least * 0.9
    assert wrong == {message: set(names) for message, names in WRONG_IN_GUIDES[guide].items()}
