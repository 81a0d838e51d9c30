"""Vital signs: code, unit, resting ranges by age. Codes: LOINC; units: UCUM."""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import Code, loinc


class Vital(NamedTuple):
    """One vital sign: profile name in US Core, code, unit text, UCUM code, decimals."""

    profile: str
    code: Code
    unit: str
    ucum: str
    places: int


VITALS: dict[str, Vital] = {
    "height": Vital("us-core-body-height", loinc("8302-2", "Body height"), "cm", "cm", 1),
    "weight": Vital("us-core-body-weight", loinc("29463-7", "Body weight"), "kg", "kg", 1),
    "bmi": Vital("us-core-bmi", loinc("39156-5", "Body mass index (BMI) [Ratio]"), "kg/m2", "kg/m2", 1),
    "heart": Vital("us-core-heart-rate", loinc("8867-4", "Heart rate"), "/min", "/min", 0),
    "breath": Vital("us-core-respiratory-rate", loinc("9279-1", "Respiratory rate"), "/min", "/min", 0),
    "temperature": Vital("us-core-body-temperature", loinc("8310-5", "Body temperature"), "Cel", "Cel", 1),
    "head": Vital(
        "us-core-head-circumference", loinc("9843-4", "Head Occipital-frontal circumference"), "cm", "cm", 1
    ),
    "head-percentile": Vital(
        "head-occipital-frontal-circumference-percentile",
        loinc("8289-1", "Head Occipital-frontal circumference Percentile"),
        "%",
        "%",
        1,
    ),
    "weight-for-length": Vital(
        "pediatric-weight-for-height", loinc("77606-2", "Weight-for-length Per age and sex"), "%", "%", 1
    ),
    "bmi-percentile": Vital(
        "pediatric-bmi-for-age",
        loinc("59576-9", "Body mass index (BMI) [Percentile] Per age and sex"),
        "%",
        "%",
        1,
    ),
}
SYSTOLIC = loinc("8480-6", "Systolic blood pressure")
DIASTOLIC = loinc("8462-4", "Diastolic blood pressure")
BLOOD_PRESSURE = loinc("85354-9", "Blood pressure panel with all children optional")
PULSE_OX = loinc("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry")
O2_SAT = loinc("2708-6", "Oxygen saturation in Arterial blood")
FLOW_RATE = loinc("3151-8", "Inhaled oxygen flow rate")
CONCENTRATION = loinc("3150-0", "Inhaled oxygen concentration")

# Which other vital sign is noted as a component when a device reports both together.
COMPANION: dict[str, str] = {
    "height": "weight",
    "weight": "height",
    "bmi": "weight",
    "heart": "breath",
    "breath": "heart",
    "temperature": "heart",
    "head": "height",
    "head-percentile": "head",
    "weight-for-length": "weight",
    "bmi-percentile": "bmi",
}

# Resting ranges by age: (up to age in years, heart rate, respiratory rate, systolic, diastolic).
# Source: American Heart Association, PALS Provider Manual (2020), vital signs in children; from 18 years
# ACC/AHA Hypertension Guideline 2017, table 6 (normal blood pressure) and a resting heart rate of 60–100.
RESTING: tuple[tuple[float, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]], ...] = (
    (0.08, (110, 160), (30, 53), (60, 84), (31, 53)),
    (1, (100, 150), (30, 53), (72, 104), (37, 56)),
    (3, (98, 140), (22, 37), (86, 106), (42, 63)),
    (6, (80, 120), (20, 28), (89, 112), (46, 72)),
    (10, (75, 118), (18, 25), (97, 115), (57, 76)),
    (13, (70, 110), (16, 22), (102, 120), (61, 80)),
    (18, (60, 100), (12, 20), (110, 128), (64, 80)),
    (200, (60, 88), (12, 18), (104, 122), (62, 79)),
)
