"""SNOMED CT's map reference sets (ICD-10, ICD-O, CTV3 …) as ConceptMaps.

Rows of an extended map keep rule and advice as the target's comment; a row without a target is `unmatched`.
Source: SNOMED CT Release File Specifications, sections 5.2.9 and 5.2.10 (simple, complex and extended map),
https://confluence.ihtsdotools.org/display/DOCRELFMT; http://hl7.org/fhir/R4/snomedct.html#implicit-cm
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from terminology.loaders.source import Member, Source
from terminology.loaders.staging import APART, Fact, Staging

Json = dict[str, Any]
MAP = APART
URL = "http://snomed.info/sct"

TARGETS = {
    "447562003": "http://hl7.org/fhir/sid/icd-10",
    "6011000124106": "http://hl7.org/fhir/sid/icd-10-cm",
    "446608001": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "900000000000497000": "http://read.info/ctv3",
}
"""Map reference set: the code system that it maps to."""

_EXTENDED = ("mapGroup", "mapPriority", "mapRule", "mapAdvice", "mapTarget")


def rows_of_maps(source: Source, member: Member, *, extended: bool) -> Iterator[Fact]:
    """Yield the active rows of a map file, under the map's own code."""
    names = ("active", "refsetId", "referencedComponentId", *(_EXTENDED if extended else ("mapTarget",)))
    for line, (active, refset, concept, *rest) in source.columns(member, "\t", *names):
        if not refset or not concept:
            source.problems.add(member.name, line, "a mapping without reference set or concept")
        elif active == "1":
            group, priority, rule, advice, target = rest if extended else ("1", "1", "", "", rest[0])
            yield Fact(
                f"map {refset}", MAP, (concept, group.zfill(4), priority.zfill(4), target, rule, advice)
            )


def maps(staging: Staging, version: str) -> Iterator[Json]:
    """Yield a ConceptMap for each map reference set."""
    for key, facts in groupby(staging.tagged(MAP), key=lambda fact: fact.key):
        yield _map(key.removeprefix("map "), sorted(fact.fields for fact in facts), version)


def _map(refset: str, rows: list[tuple[str, ...]], version: str) -> Json:
    elements = [
        {"code": code, "target": [_target(row) for row in those]}
        for code, those in groupby(rows, key=lambda row: row[0])
    ]
    group: Json = {"source": URL, "element": elements}
    if refset in TARGETS:
        group["target"] = TARGETS[refset]
    return {
        "resourceType": "ConceptMap",
        "url": f"{URL}?fhir_cm={refset}",
        "version": version,
        "name": f"SNOMED_CT_{refset}",
        "status": "active",
        "sourceUri": f"{URL}?fhir_vs",
        "group": [group],
    }


def _target(row: tuple[str, ...]) -> Json:
    _, _, _, target, rule, advice = row
    found: Json = {"code": target, "equivalence": "relatedto"} if target else {"equivalence": "unmatched"}
    comment = "; ".join(text for text in (rule, advice) if text)
    return found | ({"comment": comment} if comment else {})
