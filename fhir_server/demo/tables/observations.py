"""Laboratory tests, panels and other results: code, unit, reference range, plausible spread.

Sources of the reference ranges, named in each laboratory row:
- ABIM  = American Board of Internal Medicine, Laboratory Test Reference Ranges, January 2024.
- ADA   = American Diabetes Association, Standards of Care 2024, section 2, table 2.2 (diagnosis cut points).
- KDIGO = KDIGO 2024 CKD guideline, chapter 1, GFR and albuminuria categories.
- NCEP  = NCEP ATP III final report (2002), table II.2-1 (lipid classification).
- ESC   = ESC heart failure guideline 2021, section 4.2 (NT-proBNP rule-out).
- ACOG  = ACOG Practice Bulletin 190 (2018), gestational diabetes, 50 g screen threshold.
Codes: LOINC; units: UCUM.
"""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import Code, loinc, sct

SERUM = sct("119364003", "Serum specimen")
BLOOD = sct("119297000", "Blood specimen")
URINE = sct("122575003", "Urine specimen")


class Lab(NamedTuple):
    """One laboratory test with its reference range (None = open end), usual mean and SD in health."""

    code: Code
    unit: str
    ucum: str
    places: int
    low: float | None
    high: float | None
    mean: float
    sd: float
    specimen: Code
    source: str


_SP = "in Serum or Plasma"
LABS: dict[str, Lab] = {
    "sodium": Lab(
        loinc("2951-2", f"Sodium [Moles/volume] {_SP}"),
        "mmol/L",
        "mmol/L",
        0,
        136,
        145,
        140,
        2,
        SERUM,
        "ABIM",
    ),
    "potassium": Lab(
        loinc("2823-3", f"Potassium [Moles/volume] {_SP}"),
        "mmol/L",
        "mmol/L",
        1,
        3.5,
        5.0,
        4.2,
        0.3,
        SERUM,
        "ABIM",
    ),
    "chloride": Lab(
        loinc("2075-0", f"Chloride [Moles/volume] {_SP}"),
        "mmol/L",
        "mmol/L",
        0,
        98,
        106,
        102,
        2,
        SERUM,
        "ABIM",
    ),
    "co2": Lab(
        loinc("2028-9", f"Carbon dioxide, total [Moles/volume] {_SP}"),
        "mmol/L",
        "mmol/L",
        0,
        23,
        28,
        25,
        1.2,
        SERUM,
        "ABIM",
    ),
    "bun": Lab(
        loinc("3094-0", f"Urea nitrogen [Mass/volume] {_SP}"),
        "mg/dL",
        "mg/dL",
        0,
        8,
        20,
        14,
        3,
        SERUM,
        "ABIM",
    ),
    "creatinine": Lab(
        loinc("2160-0", f"Creatinine [Mass/volume] {_SP}"),
        "mg/dL",
        "mg/dL",
        2,
        0.7,
        1.3,
        0.9,
        0.12,
        SERUM,
        "ABIM",
    ),
    "calcium": Lab(
        loinc("17861-6", f"Calcium [Mass/volume] {_SP}"),
        "mg/dL",
        "mg/dL",
        1,
        8.6,
        10.2,
        9.4,
        0.3,
        SERUM,
        "ABIM",
    ),
    "glucose": Lab(
        loinc("2345-7", f"Glucose [Mass/volume] {_SP}"), "mg/dL", "mg/dL", 0, 70, 99, 88, 7, SERUM, "ABIM"
    ),
    "egfr": Lab(
        loinc(
            "98979-8",
            "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, "
            "Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)",
        ),
        "mL/min/{1.73_m2}",
        "mL/min/{1.73_m2}",
        0,
        60,
        None,
        95,
        10,
        SERUM,
        "KDIGO",
    ),
    "uacr": Lab(
        loinc("9318-7", "Albumin/Creatinine [Mass Ratio] in Urine"),
        "mg/g",
        "mg/g",
        0,
        None,
        30,
        9,
        4,
        URINE,
        "KDIGO",
    ),
    "a1c": Lab(
        loinc("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
        "%",
        "%",
        1,
        None,
        5.6,
        5.3,
        0.2,
        BLOOD,
        "ADA",
    ),
    "cholesterol": Lab(
        loinc("2093-3", f"Cholesterol [Mass/volume] {_SP}"),
        "mg/dL",
        "mg/dL",
        0,
        None,
        200,
        178,
        18,
        SERUM,
        "NCEP",
    ),
    "hdl": Lab(
        loinc("2085-9", f"Cholesterol in HDL [Mass/volume] {_SP}"),
        "mg/dL",
        "mg/dL",
        0,
        40,
        None,
        54,
        8,
        SERUM,
        "NCEP",
    ),
    "triglyceride": Lab(
        loinc("2571-8", f"Triglyceride [Mass/volume] {_SP}"),
        "mg/dL",
        "mg/dL",
        0,
        None,
        150,
        110,
        25,
        SERUM,
        "NCEP",
    ),
    "ldl": Lab(
        loinc("13457-7", f"Cholesterol in LDL [Mass/volume] {_SP} by calculation"),
        "mg/dL",
        "mg/dL",
        0,
        None,
        130,
        102,
        16,
        SERUM,
        "NCEP",
    ),
    "wbc": Lab(
        loinc("6690-2", "Leukocytes [#/volume] in Blood by Automated count"),
        "10*3/uL",
        "10*3/uL",
        1,
        4.0,
        11.0,
        6.8,
        1.2,
        BLOOD,
        "ABIM",
    ),
    "rbc": Lab(
        loinc("789-8", "Erythrocytes [#/volume] in Blood by Automated count"),
        "10*6/uL",
        "10*6/uL",
        2,
        4.2,
        5.9,
        4.8,
        0.25,
        BLOOD,
        "ABIM",
    ),
    "hemoglobin": Lab(
        loinc("718-7", "Hemoglobin [Mass/volume] in Blood"),
        "g/dL",
        "g/dL",
        1,
        12.0,
        18.0,
        14.2,
        0.8,
        BLOOD,
        "ABIM",
    ),
    "hematocrit": Lab(
        loinc("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"),
        "%",
        "%",
        1,
        36.0,
        51.0,
        42.0,
        2.2,
        BLOOD,
        "ABIM",
    ),
    "platelets": Lab(
        loinc("777-3", "Platelets [#/volume] in Blood by Automated count"),
        "10*3/uL",
        "10*3/uL",
        0,
        150,
        450,
        255,
        40,
        BLOOD,
        "ABIM",
    ),
    "tsh": Lab(
        loinc("3016-3", f"Thyrotropin [Units/volume] {_SP}"),
        "m[IU]/L",
        "m[IU]/L",
        2,
        0.5,
        4.0,
        1.9,
        0.6,
        SERUM,
        "ABIM",
    ),
    "t4": Lab(
        loinc("3024-7", f"Thyroxine (T4) free [Mass/volume] {_SP}"),
        "ng/dL",
        "ng/dL",
        2,
        0.8,
        1.8,
        1.2,
        0.12,
        SERUM,
        "ABIM",
    ),
    "ntprobnp": Lab(
        loinc("33762-6", f"Natriuretic peptide.B prohormone N-Terminal [Mass/volume] {_SP}"),
        "pg/mL",
        "pg/mL",
        0,
        None,
        125,
        80,
        20,
        SERUM,
        "ESC",
    ),
    "glucose-challenge": Lab(
        loinc("1504-0", f"Glucose [Mass/volume] {_SP} --1 hour post 50 g glucose PO"),
        "mg/dL",
        "mg/dL",
        0,
        None,
        140,
        112,
        12,
        SERUM,
        "ACOG",
    ),
}

PANELS: dict[str, tuple[Code, tuple[str, ...]]] = {
    "metabolic": (
        loinc("51990-0", "Basic metabolic panel - Blood"),
        ("sodium", "potassium", "chloride", "co2", "bun", "creatinine", "calcium", "glucose", "egfr"),
    ),
    "lipid": (
        loinc("24331-1", "Lipid 1996 panel - Serum or Plasma"),
        ("cholesterol", "hdl", "triglyceride", "ldl"),
    ),
    "cbc": (
        loinc("58410-2", "CBC panel - Blood by Automated count"),
        ("wbc", "rbc", "hemoglobin", "hematocrit", "platelets"),
    ),
    "thyroid": (loinc("3016-3", f"Thyrotropin [Units/volume] {_SP}"), ("tsh", "t4")),
    "diabetes": (loinc("55399-0", "Diabetes tracking panel"), ("a1c", "glucose", "uacr")),
    "cardiac": (
        loinc("33762-6", f"Natriuretic peptide.B prohormone N-Terminal [Mass/volume] {_SP}"),
        ("ntprobnp",),
    ),
    "a1c": (loinc("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), ("a1c",)),
    "kidney": (loinc("9318-7", "Albumin/Creatinine [Mass Ratio] in Urine"), ("uacr",)),
    "challenge": (
        loinc("1504-0", f"Glucose [Mass/volume] {_SP} --1 hour post 50 g glucose PO"),
        ("glucose-challenge",),
    ),
}

HOME_GLUCOSE = loinc("41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer")
PEAK_FLOW = loinc("33452-4", "Maximum expiratory gas flow Respiratory system airway by Peak flow meter")
EJECTION_FRACTION = loinc("10230-1", "Left ventricular Ejection fraction")
EKG_IMPRESSION = loinc("8601-7", "EKG impression")
URINE_HCG = loinc("2106-3", "Choriogonadotropin (pregnancy test) [Presence] in Urine")
URINE_COLOR = loinc("5778-6", "Color of Urine")
ABO_GROUP = loinc("883-9", "ABO group [Type] in Blood")
GESTATIONAL_AGE = loinc("18185-9", "Gestational age")
FUNDAL_HEIGHT = loinc("11881-0", "Uterus Fundal height Tape measure")
FETAL_HEART = loinc("55283-6", "Fetal Heart rate")
DUE_DATE = loinc("11778-8", "Delivery date Estimated")
APGAR_1 = loinc("9272-6", "1 minute Apgar Score")
APGAR_5 = loinc("9274-2", "5 minute Apgar Score")
