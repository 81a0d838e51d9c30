"""Problems and diagnoses: SNOMED CT with its ICD-10-CM counterpart (NLM SNOMED CT to ICD-10-CM map)."""

from __future__ import annotations

from fhir_server.demo.tables.codes import ICD10CM, Code, sct


def _icd(code: str, display: str) -> Code:
    """Return an ICD-10-CM code."""
    return Code(ICD10CM, code, display)


CONDITIONS: dict[str, tuple[Code, ...]] = {
    "diabetes": (
        sct("44054006", "Type 2 diabetes mellitus"),
        _icd("E11.9", "Type 2 diabetes mellitus without complications"),
    ),
    "hypertension": (
        sct("59621000", "Essential hypertension"),
        _icd("I10", "Essential (primary) hypertension"),
    ),
    "asthma": (sct("195967001", "Asthma"), _icd("J45.30", "Mild persistent asthma, uncomplicated")),
    "hypothyroidism": (sct("40930008", "Hypothyroidism"), _icd("E03.9", "Hypothyroidism, unspecified")),
    "ckd2": (
        sct("431856006", "Chronic kidney disease stage 2"),
        _icd("N18.2", "Chronic kidney disease, stage 2 (mild)"),
    ),
    "ckd3": (
        sct("433144002", "Chronic kidney disease stage 3"),
        _icd("N18.30", "Chronic kidney disease, stage 3 unspecified"),
    ),
    "ckd4": (
        sct("431857002", "Chronic kidney disease stage 4"),
        _icd("N18.4", "Chronic kidney disease, stage 4 (severe)"),
    ),
    "hyperlipidemia": (sct("55822004", "Hyperlipidemia"), _icd("E78.5", "Hyperlipidemia, unspecified")),
    "depression": (
        sct("370143000", "Major depressive disorder"),
        _icd("F32.1", "Major depressive disorder, single episode, moderate"),
    ),
    "pregnancy": (sct("72892002", "Normal pregnancy"),),
    "bronchitis": (sct("10509002", "Acute bronchitis"), _icd("J20.9", "Acute bronchitis, unspecified")),
    "pharyngitis": (
        sct("195662009", "Acute viral pharyngitis"),
        _icd("J02.9", "Acute pharyngitis, unspecified"),
    ),
    "otitis": (sct("65363002", "Otitis media"), _icd("H66.90", "Otitis media, unspecified, unspecified ear")),
    "sprain": (sct("44465007", "Sprain of ankle"),),
    "strep": (sct("43878008", "Streptococcal sore throat"), _icd("J02.0", "Streptococcal pharyngitis")),
    "obesity": (sct("414916001", "Obesity"), _icd("E66.9", "Obesity, unspecified")),
    "knee": (
        sct("239873007", "Osteoarthritis of knee"),
        _icd("M17.11", "Unilateral primary osteoarthritis, right knee"),
    ),
    "heart-failure": (sct("84114007", "Heart failure"), _icd("I50.9", "Heart failure, unspecified")),
    "fibrillation": (
        sct("49436004", "Atrial fibrillation"),
        _icd("I48.91", "Unspecified atrial fibrillation"),
    ),
    "polyp": (sct("68496003", "Polyp of colon"), _icd("K63.5", "Polyp of colon")),
    "food-insecurity": (sct("733423003", "Food insecurity"), _icd("Z59.41", "Food insecurity")),
    "transport": (sct("160695008", "Transport too expensive"),),
    "exacerbation": (
        sct("708090002", "Acute severe exacerbation of asthma"),
        _icd("J45.31", "Mild persistent asthma with (acute) exacerbation"),
    ),
    "livebirth": (
        sct("169826009", "Single live birth"),
        _icd("Z38.00", "Single liveborn infant, delivered vaginally"),
    ),
    "prediabetes": (sct("15777000", "Prediabetes"), _icd("R73.03", "Prediabetes")),
}
