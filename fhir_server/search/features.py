# ruff: noqa: E501 (a table of prose)
"""Every feature of R4 search with an example that is answered: what docs/search.md shows and a test asks.

Source: http://hl7.org/fhir/R4/search.html, in the order of the page
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from fhir_server.search.criteria import MODIFIERS
from fhir_server.search.param import Param
from fhir_server.search.registry import registry
from resources.definitions import definitions


class Feature(NamedTuple):
    """One row of the table.

    Shape:  `example` is a GET below the base, or a POST where it begins so; empty `refused` means that it is answered,
            else it says why not
    """

    name: str
    example: str
    note: str = ""
    refused: str = ""


LOINC = "http://loinc.org"
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"

GROUPS: dict[str, tuple[Feature, ...]] = {
    "Where a search starts": (
        Feature("One type", "Patient?gender=female"),
        Feature("By POST", "POST Patient/_search?gender=female", "parameters of URL and body count alike"),
        Feature("All types", "?_lastUpdated=gt2024-01-01", "with the parameters that all types have"),
        Feature("Some types", "?_type=Patient,Practitioner&name=ann", "with the parameters that these have"),
        Feature("All types by POST", "POST _search?_type=Patient&_id=a"),
        Feature("Patient compartment", "Patient/example/Observation?code=8867-4"),
        Feature("Encounter compartment", "Encounter/example/Observation"),
        Feature("Practitioner compartment", "Practitioner/example/Appointment"),
        Feature("RelatedPerson compartment", "RelatedPerson/example/Appointment"),
        Feature("Device compartment", "Device/example/Observation"),
        Feature("All of a compartment", "Patient/example/*?_lastUpdated=gt2024-01-01"),
    ),
    "Parameters of all resources": (
        Feature("`_id`", "Patient?_id=a,b"),
        Feature("`_lastUpdated`", "Patient?_lastUpdated=ge2024-01-01T10:00:00Z"),
        Feature("`_tag`", "Patient?_tag=http://example.org/tags|needs-review"),
        Feature("`_profile`", "Patient?_profile=http://example.org/profile"),
        Feature("`_security`", "Patient?_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R"),
        Feature("`_source`", "Patient?_source=http://example.org/feed"),
        Feature("`_text`", "Condition?_text=(bone OR liver) and metastases", "words of the narrative, ranked"),
        Feature("`_content`", "Condition?_content=metast*", "words of the whole resource, ranked"),
        Feature("`_list`", "Patient?_list=42", "the functional lists (`$current-problems` …) are refused by name"),
        Feature("`_has`", "Patient?_has:Observation:patient:code=1234-5"),
        Feature("`_filter`", 'Patient?_filter=name co "ann" and (birthdate ge 1970 or active eq true)', "the whole grammar"),
        Feature("`_query`", "Patient?_query=unknown", "stored OperationDefinitions of kind query", "no such named query is stored here"),
    ),
    "Parameter types": (
        Feature("number", "RiskAssessment?probability=gt0.8"),
        Feature("date", "Observation?date=2013-01"),
        Feature("string", "Patient?given=eve", "case, accents and runs of white space ignored; any script"),
        Feature("token", f"Observation?code={LOINC}|8867-4,8480-6,{LOINC}|,|local"),
        Feature("reference", "Observation?subject=Patient/23,http://else.where/fhir/Patient/1"),
        Feature("canonical", "QuestionnaireResponse?questionnaire=http://example.org/q|1.0"),
        Feature("composite", "Observation?component-code-value-quantity=8480-6$gt140||mm[Hg]", "within one element"),
        Feature("quantity", "Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "compared in canonical units"),
        Feature("uri", "ValueSet?url=http://acme.org/fhir/ValueSet/123"),
        Feature("special: `near`", "Location?near=42.256500|-83.694810|11.20|km"),
    ),
    "Prefixes": tuple(
        Feature(f"`{prefix}`", f"Observation?date={prefix}2013-03-14&value-quantity={prefix}5.4")
        for prefix in ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
    ),
    "Modifiers": (
        Feature("`:missing`", "Patient?gender:missing=true"),
        Feature("`:exact`", "Patient?family:exact=Son"),
        Feature("`:contains`", "Patient?family:contains=son"),
        Feature("`:text`", "Condition?code:text=headache"),
        Feature("`:not`", "Patient?gender:not=male", "no value is so"),
        Feature("`:above` token", "Observation?status:above=http://hl7.org/fhir/observation-status|final"),
        Feature("`:below` token", "Observation?status:below=http://hl7.org/fhir/observation-status|final"),
        Feature("`:in`", f"Patient?gender:in={GENDERS}"),
        Feature("`:not-in`", f"Patient?gender:not-in={GENDERS}"),
        Feature("`:of-type`", "Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053"),
        Feature("`:[type]`", "Observation?subject:Patient=23"),
        Feature("`:identifier`", "Observation?subject:identifier=http://acme.org/fhir/identifier/mrn|123456"),
        Feature("`:above`, `:below` reference", "Location?partof:below=1"),
        Feature("`:above` uri", "ValueSet?url:above=http://acme.org/fhir/ValueSet/123/_history/5"),
        Feature("`:below` uri", "ValueSet?url:below=http://acme.org/fhir/"),
        Feature("any other", "Patient?name:soundex=smith", "always 400, as R4 asks", "no such modifier"),
        Feature("on chains", "Observation?subject:Patient.family:exact=Son"),
    ),
    "Chains": (
        Feature("chained", "DiagnosticReport?subject:Patient.name=peter"),
        Feature("over several references", "Encounter?patient.organization.name=clinic"),
        Feature("into contained resources", "MedicationRequest?medication.code=123"),
        Feature("`_has` nested", "Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/1"),
        Feature("`_has` in a chain", "Encounter?patient._has:Group:member:_id=102"),
    ),
    "The answer": (
        Feature("`_sort`", "Observation?_sort=status,-date,code,subject", "any parameter but composites; missing values last"),
        Feature("`_sort=_score`", "Condition?_content=liver&_sort=_score"),
        Feature("`_count`", "Patient?_count=50", "0 counts only"),
        Feature("`_total`", "Patient?_total=accurate", "none, estimate, accurate"),
        Feature("`_include`", "MedicationRequest?_include=MedicationRequest:patient"),
        Feature("`_include` of a type", "MedicationRequest?_include=MedicationRequest:requester:Practitioner"),
        Feature("`_include=*`", "MedicationRequest?_include=*"),
        Feature("`_include:iterate`", "MedicationRequest?_include=MedicationRequest:patient&_include:iterate=Patient:organization"),
        Feature("`_revinclude`", "Patient?_revinclude=Observation:subject&_revinclude=Condition:subject"),
        Feature("`_revinclude:iterate`", "Organization?_revinclude=Patient:organization&_revinclude:iterate=Observation:subject"),
        Feature("`_summary`", "Patient?_summary=true", "true, text, data, count, false"),
        Feature("`_elements`", "Patient?_elements=identifier,active"),
        Feature("`_contained`", "Medication?_contained=both&_containedType=contained"),
        Feature("paging", "Patient?_count=1", "links `next` and `prev`: signed keyset cursors, never an offset"),
    ),
    "How it is read": (
        Feature("several values", "Patient?language=FR,NL&name=a&name=b", "commas are OR, repeats are AND"),
        Feature("escapes", r"Patient?identifier=a\,b\|c"),
        Feature("empty values", "Patient?gender=", "ignored"),
        Feature("unknown parameter, `Prefer: handling=strict`", "Patient?colour=red", "named in an OperationOutcome entry where handling is lenient", "no such parameter"),
    ),
    "Beyond R4": (
        Feature("`_explain`", "Patient?_explain=true", "SQL, plan and times, for operators", "off unless the setting `search_explain` is on"),
        Feature("`_displays`", "Observation?_displays=true", "codes get the displays that they lack, in the answer alone"),
        Feature("`_maxresults` (R5)", "Patient?_maxresults=5", "", "not offered: `_count` is R4's"),
    ),
}  # fmt: skip


def features() -> list[Feature]:
    """Return every row."""
    return [feature for group in GROUPS.values() for feature in group]


def page() -> str:
    """Return the Markdown of docs/search.md."""
    lines = [
        "# What search does",
        "",
        "Every row of [R4 search](http://hl7.org/fhir/R4/search.html), with an example. A test asks all of them, with",
        "`Prefer: handling=strict`. Written by `fhir_server/search/features.py`; how values are read, what is refused and which",
        "parameters have a fast path: [reference/search.md](reference/search.md).",
        "",
    ]
    for title, group in GROUPS.items():
        lines += [f"## {title}", "| Feature | Example | Status | |", "|---|---|---|---|"]
        lines += [_row(feature) for feature in group]
        lines.append("")
    return "\n".join([*lines, *_counts()]) + "\n"


def _row(feature: Feature) -> str:
    status = "refused" if feature.refused else "yes"
    note = "; ".join(part for part in (feature.note, feature.refused) if part)
    example = feature.example.replace("|", "\\|")
    return f"| {feature.name} | `{example}` | {status} | {note.replace('|', chr(92) + '|')} |"


def _counts() -> list[str]:
    params = [p for name in definitions().resource_types for p in registry(name).params.values()]
    answered: Counter[str] = Counter(p.kind for p in params if p.place != "refused")
    refused: list[Param] = [p for p in params if p.place == "refused" and not p.code.startswith("_")]
    lines = ["## R4's parameters", "| Type | Answered | Modifiers |", "|---|---|---|"]
    for kind in sorted(answered):
        modifiers = " ".join(f"`:{name}`" for name in sorted(MODIFIERS.get(kind, ())))
        lines.append(f"| {kind} | {answered[kind]:,} | {modifiers} |")
    return [*lines, "", *(f"Refused: `{param.code}` of {param.type}: {param.reason}." for param in refused)]


if __name__ == "__main__":
    print(page(), end="")
