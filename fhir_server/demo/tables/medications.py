"""Medicines (RxNorm) and how they are taken.

Doses follow the FDA prescribing information of each product; the step from one medicine to the next follows
ADA Standards of Care 2024 (section 9), ACC/AHA Hypertension 2017 (section 8), ACC/AHA Cholesterol 2018
(table 3), GINA 2023 (box 3-12), ATA hypothyroidism 2014 (recommendation 22) and APA depression 2010.
"""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import RXNORM, SNOMED, Code

ORAL = Code(SNOMED, "26643006", "Oral route")
INHALED = Code(SNOMED, "447694001", "Respiratory tract route")
SUBCUTANEOUS = Code(SNOMED, "34206005", "Subcutaneous route")


class Drug(NamedTuple):
    """One product: code, dose with unit, usual timing key (see medicate.TIMINGS), route, one line for people."""

    code: Code
    dose: str
    unit: str
    ucum: str
    timing: str
    route: Code
    text: str


def _rx(code: str, display: str) -> Code:
    """Return an RxNorm code."""
    return Code(RXNORM, code, display)


_TAB = ("tablet", "{tbl}")
DRUGS: dict[str, Drug] = {
    "metformin": Drug(
        _rx("861007", "metformin hydrochloride 500 MG Oral Tablet"),
        "1",
        *_TAB,
        "bid-meals",
        ORAL,
        "Take 1 tablet twice a day with meals",
    ),
    "metformin-1000": Drug(
        _rx("861004", "metformin hydrochloride 1000 MG Oral Tablet"),
        "1",
        *_TAB,
        "bid-meals",
        ORAL,
        "Take 1 tablet twice a day with meals",
    ),
    "empagliflozin": Drug(
        _rx("1545653", "empagliflozin 10 MG Oral Tablet"),
        "1",
        *_TAB,
        "morning",
        ORAL,
        "Take 1 tablet every morning",
    ),
    "glargine": Drug(
        _rx("311041", "insulin glargine 100 UNT/ML Injectable Solution"),
        "12",
        "unit",
        "[iU]",
        "bedtime",
        SUBCUTANEOUS,
        "Inject 12 units under the skin at bedtime",
    ),
    "lisinopril": Drug(
        _rx("314076", "lisinopril 10 MG Oral Tablet"), "1", *_TAB, "daily", ORAL, "Take 1 tablet once a day"
    ),
    "lisinopril-20": Drug(
        _rx("314077", "lisinopril 20 MG Oral Tablet"), "1", *_TAB, "daily", ORAL, "Take 1 tablet once a day"
    ),
    "losartan": Drug(
        _rx("979492", "losartan potassium 50 MG Oral Tablet"),
        "1",
        *_TAB,
        "daily",
        ORAL,
        "Take 1 tablet once a day",
    ),
    "amlodipine": Drug(
        _rx("197361", "amlodipine 5 MG Oral Tablet"), "1", *_TAB, "daily", ORAL, "Take 1 tablet once a day"
    ),
    "hydrochlorothiazide": Drug(
        _rx("310798", "hydrochlorothiazide 25 MG Oral Tablet"),
        "1",
        *_TAB,
        "morning",
        ORAL,
        "Take 1 tablet every morning",
    ),
    "atorvastatin": Drug(
        _rx("617310", "atorvastatin 20 MG Oral Tablet"),
        "1",
        *_TAB,
        "bedtime",
        ORAL,
        "Take 1 tablet at bedtime",
    ),
    "atorvastatin-80": Drug(
        _rx("259255", "atorvastatin 80 MG Oral Tablet"),
        "1",
        *_TAB,
        "bedtime",
        ORAL,
        "Take 1 tablet at bedtime",
    ),
    "levothyroxine": Drug(
        _rx("892246", "levothyroxine sodium 0.1 MG Oral Tablet"),
        "1",
        *_TAB,
        "fasting",
        ORAL,
        "Take 1 tablet every morning, half an hour before breakfast",
    ),
    "sertraline": Drug(
        _rx("312941", "sertraline 50 MG Oral Tablet"), "1", *_TAB, "daily", ORAL, "Take 1 tablet once a day"
    ),
    "albuterol": Drug(
        _rx("745679", "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler"),
        "2",
        "puff",
        "{puff}",
        "prn-breath",
        INHALED,
        "2 puffs every 4 to 6 hours when short of breath",
    ),
    "fluticasone": Drug(
        _rx("895994", "120 ACTUAT fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler"),
        "2",
        "puff",
        "{puff}",
        "bid",
        INHALED,
        "2 puffs twice a day, rinse mouth afterwards",
    ),
    "prednisone": Drug(
        _rx("312617", "prednisone 5 MG Oral Tablet"),
        "8",
        *_TAB,
        "taper",
        ORAL,
        "40 mg for 5 days, then 20 mg for 3 days, then 10 mg for 2 days",
    ),
    "amoxicillin": Drug(
        _rx("308182", "amoxicillin 250 MG Oral Capsule"),
        "1",
        "capsule",
        "{capsule}",
        "q8h-10d",
        ORAL,
        "Take 1 capsule every 8 hours for 10 days",
    ),
    "acetaminophen": Drug(
        _rx("313782", "acetaminophen 325 MG Oral Tablet"),
        "2",
        *_TAB,
        "prn-pain",
        ORAL,
        "Take 2 tablets every 6 hours if needed for pain, at most 8 tablets a day",
    ),
    "ibuprofen": Drug(
        _rx("310965", "ibuprofen 200 MG Oral Tablet"),
        "2",
        *_TAB,
        "tid-5d",
        ORAL,
        "Take 2 tablets three times a day with food for 5 days",
    ),
    "iron": Drug(
        _rx("310325", "ferrous sulfate 325 MG Oral Tablet"),
        "1",
        *_TAB,
        "every-other-day",
        ORAL,
        "Take 1 tablet every other day",
    ),
    "warfarin": Drug(
        _rx("855332", "warfarin sodium 5 MG Oral Tablet"),
        "1",
        *_TAB,
        "clock",
        ORAL,
        "Take 1 tablet at 18:00 every day",
    ),
    "furosemide": Drug(
        _rx("313988", "furosemide 40 MG Oral Tablet"),
        "1",
        *_TAB,
        "clock-am",
        ORAL,
        "Take 1 tablet at 08:00 every day",
    ),
    "alendronate": Drug(
        _rx("904419", "alendronic acid 10 MG Oral Tablet"),
        "1",
        *_TAB,
        "weekdays",
        ORAL,
        "Take 1 tablet on Monday, Wednesday and Friday, upright, with water",
    ),
    "aspirin": Drug(
        _rx("243670", "aspirin 81 MG Oral Tablet"), "1", *_TAB, "daily", ORAL, "Take 1 tablet once a day"
    ),
}
