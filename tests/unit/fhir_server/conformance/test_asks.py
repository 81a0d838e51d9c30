"""What is asked of the server: answered from memory, else remembered until it is fetched."""

from __future__ import annotations

import pytest

from fhir_server.conformance.asks import ServerAsks
from fhir_server.conformance.kept import Kept, Profile
from resources.profiles.build import structure_of
from resources.validate.asks import PENDING, Coded, Target, Verdict

BASE = "https://fhir.test/r4"


def test_what_is_not_at_hand_is_pending_and_counted() -> None:
    asks = ServerAsks(Kept())
    assert asks.structure("http://p.test") is PENDING
    assert asks.coded(Coded("http://v.test", None, "a")) is PENDING
    assert asks.target("Patient/1") is PENDING
    assert asks.asked == 3
    assert asks.waiting


def test_what_is_at_hand_is_answered_at_once() -> None:
    kept = Kept()
    kept.profiles.put("http://p.test", Profile(None))
    question, verdict = Coded("http://v.test", None, "a"), Verdict(True)
    kept.verdicts.put(question, verdict)
    asks = ServerAsks(kept)
    assert asks.structure("http://p.test") is None
    assert asks.coded(question) == verdict
    assert (asks.asked, asks.waiting) == (0, False)


def test_a_new_state_of_terminology_forgets_verdicts_alone() -> None:
    kept = Kept((1, ""), (1, ""))
    kept.profiles.put("http://p.test", Profile(None))
    kept.verdicts.put(Coded("http://v.test", None, "a"), Verdict(True))
    later = kept.at((1, ""), (2, ""))
    assert (len(later.profiles), len(later.verdicts)) == (1, 0)
    assert len(later.at((1, "seen differently"), (2, "")).profiles) == 0


def test_what_was_fetched_before_a_change_is_not_kept_after_it() -> None:
    before = Kept((1, ""), (1, ""))
    after = before.at((2, ""), (2, ""))
    before.profiles.put("http://p.test", Profile(None))
    before.verdicts.put(Coded("http://v.test", None, "a"), Verdict(True))
    assert (len(after.profiles), len(after.verdicts)) == (0, 0)


def test_resources_of_the_same_bundle_count_before_stored_ones() -> None:
    patient = {"resourceType": "Patient"}
    asks = ServerAsks(Kept(), BASE, {"Patient/1": patient, "Patient/2": None})
    assert asks.target("Patient/1") == Target("Patient", patient)
    assert asks.target(f"{BASE}/Patient/1/_history/3") == Target("Patient", patient)
    assert asks.target("Patient/2") == Target("Patient", None)
    assert not asks.waiting


@pytest.mark.parametrize(
    "reference", ["http://elsewhere.test/fhir/Patient/1", "#a", "Patient?identifier=1", "nonsense"]
)
def test_what_lies_elsewhere_is_not_ours_to_know(reference: str) -> None:
    asks = ServerAsks(Kept(), BASE)
    assert asks.target(reference) is None


def test_a_profile_that_is_not_r4s_own_is_looked_at_beside_the_event_loop() -> None:
    kept = Kept()
    kept.profiles.put("http://p.test", Profile(structure_of("Patient")))
    asks = ServerAsks(kept)
    assert asks.structure("http://p.test") is PENDING
    assert (asks.foreign, asks.asked, asks.waiting) == (True, 1, False)
    assert asks.structure("http://p.test") is structure_of("Patient")


def test_a_profile_that_cannot_be_used_is_told_with_its_reason() -> None:
    kept = Kept()
    kept.profiles.put("http://p.test", Profile(None, "it has no snapshot"))
    asks = ServerAsks(kept)
    assert asks.structure("http://p.test") is None
    assert asks.troubles == {"http://p.test": "it has no snapshot"}
