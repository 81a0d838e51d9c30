"""The guide's privacy preferences mean what they say.

Source: ig/healthbuddy/StructureDefinition-privacy-preference.json
"""

from __future__ import annotations

import msgspec
import pytest

from fhir_server.consent.facts import Asking, Facts
from fhir_server.consent.labels import number_of
from fhir_server.consent.moments import span
from fhir_server.consent.parsing import directive
from ig.guide import examples
from tests.unit.consent.make import ACT, ANN, sees

NOW = span("2026-12-01")[0] / 1_000_000
LAB = Facts("Observation/1", "Observation", (ANN,))
PSY = msgspec.structs.replace(LAB, labels=frozenset({number_of(ACT, "PSY")}))
AI = "urn:health-buddy:fhir/CodeSystem/privacy-purpose|ai-processing"
CONSENTS = {one["id"]: one for one in examples() if one["resourceType"] == "Consent"}


def _asking(user: str, purpose: str) -> Asking:
    return Asking(frozenset({user}), purpose, now=NOW)


@pytest.mark.parametrize("which", CONSENTS)
def test_all_of_an_example_can_be_kept(which: str) -> None:
    found = directive(CONSENTS[which])
    assert found is not None
    assert found.problems == ()


@pytest.mark.parametrize(
    ("which", "user", "purpose", "facts", "seen"),
    [
        ("no-ai", "Practitioner/x", AI, LAB, False),
        ("no-ai", "Practitioner/x", "TREAT", LAB, True),
        ("research", "Practitioner/x", "HRESCH", LAB, True),
        ("research", "Practitioner/x", "HRESCH", PSY, False),
        ("not-moreau", "Practitioner/moreau", "TREAT", LAB, False),
        ("not-moreau", "Practitioner/x", "TREAT", LAB, True),
    ],
)
def test_what_an_example_does(which: str, user: str, purpose: str, facts: Facts, seen: bool) -> None:
    assert sees(_asking(user, purpose), facts, CONSENTS[which]) is seen


def test_a_model_reads_nothing_unless_the_patient_agreed() -> None:
    assert not sees(_asking("Device/assistant", AI), LAB)
    agreed = CONSENTS["no-ai"] | {"provision": CONSENTS["no-ai"]["provision"] | {"type": "permit"}}
    assert sees(_asking("Device/assistant", AI), LAB, agreed)
