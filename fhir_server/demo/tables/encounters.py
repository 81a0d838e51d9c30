"""Kinds of encounters: class, type, length, who sees the patient and where.

CPT descriptions belong to the American Medical Association: the code stands without its display.
"""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.demo.tables.codes import CPT, Code, hl7, sct


class EncounterKind(NamedTuple):
    """One kind of encounter; staff and place are keys of tables.world."""

    klass: Code
    type: Code
    minutes: int
    staff: str
    place: str


AMB = hl7("v3-ActCode", "AMB", "ambulatory")
EMER = hl7("v3-ActCode", "EMER", "emergency")
IMP = hl7("v3-ActCode", "IMP", "inpatient encounter")
VR = hl7("v3-ActCode", "VR", "virtual")

CHECKUP = sct("185349003", "Encounter for check up")
FOLLOW_UP = sct("390906007", "Follow-up encounter")

KINDS: dict[str, EncounterKind] = {
    "checkup": EncounterKind(AMB, CHECKUP, 30, "family", "clinic"),
    "office": EncounterKind(AMB, Code(CPT, "99213", ""), 20, "family", "clinic"),
    "follow-up": EncounterKind(AMB, FOLLOW_UP, 20, "internist", "clinic"),
    "well-child": EncounterKind(AMB, sct("410620009", "Well child visit"), 30, "pediatrician", "pediatrics"),
    "sick-child": EncounterKind(
        AMB, sct("185345009", "Encounter for symptom"), 15, "pediatrician", "pediatrics"
    ),
    "sick": EncounterKind(AMB, sct("185345009", "Encounter for symptom"), 15, "nurse-practitioner", "clinic"),
    "prenatal-first": EncounterKind(
        AMB, sct("424441002", "Prenatal initial visit"), 45, "obstetrician", "women"
    ),
    "prenatal": EncounterKind(AMB, sct("424619006", "Prenatal visit"), 20, "obstetrician", "women"),
    "delivery": EncounterKind(
        IMP, sct("177184002", "Normal delivery procedure"), 2 * 24 * 60, "obstetrician", "ward"
    ),
    "birth": EncounterKind(IMP, sct("32485007", "Hospital admission"), 2 * 24 * 60, "pediatrician", "ward"),
    "emergency": EncounterKind(
        EMER, sct("50849002", "Emergency room admission"), 240, "emergency", "emergency"
    ),
    "admission": EncounterKind(IMP, sct("32485007", "Hospital admission"), 3 * 24 * 60, "internist", "ward"),
    "cardiology": EncounterKind(AMB, FOLLOW_UP, 30, "cardiologist", "hospital"),
    "nephrology": EncounterKind(AMB, FOLLOW_UP, 30, "nephrologist", "hospital"),
    "endocrinology": EncounterKind(AMB, FOLLOW_UP, 30, "endocrinologist", "hospital"),
    "psychiatry": EncounterKind(AMB, FOLLOW_UP, 45, "psychiatrist", "clinic"),
    "telehealth": EncounterKind(VR, FOLLOW_UP, 15, "psychiatrist", "clinic"),
    "orthopedics": EncounterKind(AMB, FOLLOW_UP, 20, "surgeon", "hospital"),
    "endoscopy": EncounterKind(
        AMB, sct("185347001", "Encounter for problem"), 90, "gastroenterologist", "hospital"
    ),
}
