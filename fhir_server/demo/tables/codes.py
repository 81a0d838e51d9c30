"""Code systems and the small `Code` value every other table is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
UCUM = "http://unitsofmeasure.org"
NUCC = "http://nucc.org/provider-taxonomy"
NPI = "http://hl7.org/fhir/sid/us-npi"
OMB = "urn:oid:2.16.840.1.113883.6.238"
HL7 = "http://terminology.hl7.org/CodeSystem/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
US_CORE_CS = "http://hl7.org/fhir/us/core/CodeSystem/"
FHIR_SD = "http://hl7.org/fhir/StructureDefinition/"
EXAMPLE = "https://demo.example.org/"


class Code(NamedTuple):
    """One code of one system, with the system's own display."""

    system: str
    code: str
    display: str

    def coding(self) -> Json:
        """Return the code as a FHIR Coding."""
        made = {"system": self.system, "code": self.code}
        return {**made, "display": self.display} if self.display else made


def loinc(code: str, display: str) -> Code:
    """Return a LOINC code."""
    return Code(LOINC, code, display)


def sct(code: str, display: str) -> Code:
    """Return a SNOMED CT code (US edition)."""
    return Code(SNOMED, code, display)


def hl7(system: str, code: str, display: str) -> Code:
    """Return a code of a terminology.hl7.org system named by its last part."""
    return Code(HL7 + system, code, display)
