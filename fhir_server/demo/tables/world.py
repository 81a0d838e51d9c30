"""The shared world: organizations, places, staff, medicines kept as resources. All invented.

Specialties: NUCC Health Care Provider Taxonomy; roles: SNOMED CT (US edition).
"""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import NUCC, Code, hl7, sct


class Organization(NamedTuple):
    """One organization: key, name, kind, town, first nine digits of its made-up NPI."""

    key: str
    name: str
    kind: Code
    town: str
    postal: str
    npi: str


class Staff(NamedTuple):
    """One practitioner with the one role they hold."""

    key: str
    given: str
    family: str
    prefix: str
    gender: str
    role: Code
    specialty: Code
    organization: str
    place: str


class Place(NamedTuple):
    """One location of an organization."""

    key: str
    name: str
    organization: str
    kind: Code


_PROVIDER = hl7("organization-type", "prov", "Healthcare Provider")
_PAYER = hl7("organization-type", "pay", "Payer")
_OTHER = hl7("organization-type", "other", "Other")

ORGANIZATIONS: tuple[Organization, ...] = (
    Organization(
        "hospital", "Lanternlight General Hospital", _PROVIDER, "Port Lantern", "02199", "999000001"
    ),
    Organization("clinic", "Willowmere Family Health", _PROVIDER, "Willowmere", "01199", "999000002"),
    Organization("lab", "Cobblestone Clinical Laboratory", _PROVIDER, "Harrow Falls", "01298", "999000003"),
    Organization("pharmacy", "Mortar & Moon Pharmacy", _PROVIDER, "Willowmere", "01199", "999000004"),
    Organization("payer", "Evergreen Mutual Health Plan", _PAYER, "Saint Brigid", "01397", ""),
    Organization("public-payer", "Commonwealth Demo Care", _PAYER, "Saint Brigid", "01397", ""),
    Organization("exchange", "Harbor Health Information Exchange", _OTHER, "Port Lantern", "02199", ""),
)
LAB_CLIA = "22D9999999"
PAYER_NAIC = "99999"

PLACES: tuple[Place, ...] = (
    Place(
        "hospital",
        "Lanternlight General, outpatient wing",
        "hospital",
        hl7("v3-RoleCode", "OF", "Outpatient facility"),
    ),
    Place("ward", "Lanternlight General, ward 3", "hospital", hl7("v3-RoleCode", "HOSP", "Hospital")),
    Place(
        "emergency",
        "Lanternlight General, emergency room",
        "hospital",
        hl7("v3-RoleCode", "ER", "Emergency room"),
    ),
    Place(
        "clinic",
        "Willowmere Family Health, ground floor",
        "clinic",
        hl7("v3-RoleCode", "OF", "Outpatient facility"),
    ),
    Place(
        "pediatrics",
        "Willowmere Family Health, children",
        "clinic",
        hl7("v3-RoleCode", "PEDC", "Pediatrics clinic"),
    ),
    Place(
        "women",
        "Willowmere Family Health, women's health",
        "clinic",
        hl7("v3-RoleCode", "OF", "Outpatient facility"),
    ),
)


def _nucc(code: str, display: str) -> Code:
    """Return a NUCC provider taxonomy code."""
    return Code(NUCC, code, display)


STAFF: tuple[Staff, ...] = (
    Staff(
        "family",
        "Oriel",
        "Fenwether",
        "Dr.",
        "female",
        sct("453231000124104", "Primary care provider"),
        _nucc("207Q00000X", "Family Medicine Physician"),
        "clinic",
        "clinic",
    ),
    Staff(
        "internist",
        "Tobías",
        "Roblealto",
        "Dr.",
        "male",
        sct("453231000124104", "Primary care provider"),
        _nucc("207R00000X", "Internal Medicine Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "pediatrician",
        "Nneka",
        "Sunfield",
        "Dr.",
        "female",
        sct("82296001", "Pediatrician"),
        _nucc("208000000X", "Pediatrics Physician"),
        "clinic",
        "pediatrics",
    ),
    Staff(
        "obstetrician",
        "Sólveig",
        "Tidemark",
        "Dr.",
        "female",
        sct("11935004", "Obstetrician"),
        _nucc("207V00000X", "Obstetrics & Gynecology Physician"),
        "clinic",
        "women",
    ),
    Staff(
        "cardiologist",
        "Anand",
        "Riverstone",
        "Dr.",
        "male",
        sct("17561000", "Cardiologist"),
        _nucc("207RC0000X", "Cardiovascular Disease Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "nephrologist",
        "Wren",
        "Castellane",
        "Dr.",
        "other",
        sct("11911009", "Nephrologist"),
        _nucc("207RN0300X", "Nephrology Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "endocrinologist",
        "Haruka",
        "Amagiyama",
        "Dr.",
        "female",
        sct("61894003", "Endocrinologist"),
        _nucc("207RE0101X", "Endocrinology, Diabetes & Metabolism Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "psychiatrist",
        "Emeka",
        "Loughran",
        "Dr.",
        "male",
        sct("80584001", "Psychiatrist"),
        _nucc("2084P0800X", "Psychiatry Physician"),
        "clinic",
        "clinic",
    ),
    Staff(
        "surgeon",
        "Greta",
        "Steinbrück",
        "Dr.",
        "female",
        sct("22731001", "Orthopedic surgeon"),
        _nucc("207X00000X", "Orthopaedic Surgery Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "gastroenterologist",
        "Paolo",
        "Vetrochiaro",
        "Dr.",
        "male",
        sct("71838004", "Gastroenterologist"),
        _nucc("207RG0100X", "Gastroenterology Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "radiologist",
        "Salma",
        "Noursham",
        "Dr.",
        "female",
        sct("66862007", "Radiologist"),
        _nucc("2085R0202X", "Diagnostic Radiology Physician"),
        "hospital",
        "hospital",
    ),
    Staff(
        "emergency",
        "Dmitri",
        "Northgate",
        "Dr.",
        "male",
        sct("59058001", "General physician"),
        _nucc("207P00000X", "Emergency Medicine Physician"),
        "hospital",
        "emergency",
    ),
    Staff(
        "nurse-practitioner",
        "Mele",
        "Fonualei",
        "",
        "female",
        sct("224571005", "Nurse practitioner"),
        _nucc("363LF0000X", "Family Nurse Practitioner"),
        "clinic",
        "clinic",
    ),
    Staff(
        "nurse",
        "Ruth",
        "Applegarth",
        "",
        "female",
        sct("224535009", "Registered nurse"),
        _nucc("163W00000X", "Registered Nurse"),
        "clinic",
        "clinic",
    ),
    Staff(
        "pharmacist",
        "Iosif",
        "Papadimos",
        "",
        "male",
        sct("46255001", "Pharmacist"),
        _nucc("183500000X", "Pharmacist"),
        "pharmacy",
        "clinic",
    ),
)
