"""What can be loaded: each kind of release and its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from terminology.loaders import cvx, fhir, icd10cm, loinc, ndc, rxnorm, snomed, table
from terminology.loaders.release import Asked, Release
from terminology.loaders.source import Source

Reader = Callable[[Source, Asked], Release]

KINDS: Mapping[str, Reader] = {
    "rxnorm": rxnorm.read,
    "loinc": loinc.read,
    "snomed": snomed.read,
    "icd10cm": icd10cm.read,
    "cvx": cvx.read,
    "ndc": ndc.read,
    "csv": table.read,
    "fhir": fhir.read,
}
