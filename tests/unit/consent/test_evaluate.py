"""Which consent counts: the rules of docs/explanation/consent.md, one by one.

Source: http://hl7.org/fhir/R4/consent.html, consent-definitions.html
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fhir_server.consent.evaluate import evaluate
from fhir_server.consent.facts import Asking, Facts
from fhir_server.consent.labels import number_of
from fhir_server.consent.moments import span
from fhir_server.consent.parsing import directive, read
from tests.unit.consent.make import (
    ACT,
    ACTION,
    ANN,
    CONFIDENTIALITY,
    REASON,
    TYPES,
    actor,
    coding,
    concept,
    consent,
    sees,
)

NOW = span("2026-06-01")[0] / 1_000_000
DR = Asking(frozenset({"Practitioner/x", "Organization/o"}), "TREAT", now=NOW)
OTHER_DR = Asking(frozenset({"Practitioner/y", "Organization/o"}), "TREAT", now=NOW)
LAB = Facts("Observation/1", "Observation", (ANN,), codes=frozenset({"http://loinc.org|1"}))
LAB = msgspec.structs.replace(LAB, lo=span("2026-03-01")[0], hi=span("2026-03-01")[1])
PSY = msgspec.structs.replace(LAB, labels=frozenset({number_of(ACT, "PSY"), number_of(ACT, "MH")}))

DENY_ALL: dict[str, Any] = {"type": "deny"}
DENY_DR = {"type": "deny", "actor": [actor("Practitioner/x")]}
PERMIT_DR = {"type": "permit", "actor": [actor("Practitioner/x")]}
PERMIT_ORG = {"type": "permit", "actor": [actor("Organization/o")]}
DENY_ORG = {"type": "deny", "actor": [actor("Organization/o")]}
DENY_PSY = {"type": "deny", "securityLabel": [coding(ACT, "PSY")]}


def level(code: str) -> Facts:
    """Return an observation with a confidentiality."""
    return msgspec.structs.replace(LAB, labels=frozenset({number_of(CONFIDENTIALITY, code)}))


# ------------------------------------------------------------------------------------------------- default


def test_without_a_consent_the_setting_decides() -> None:
    assert sees(DR, LAB)
    assert not sees(msgspec.structs.replace(DR, default="opt-in"), LAB)


@pytest.mark.parametrize("purpose", ["HRESCH", "CLINTRCH", "HMARKT"])
def test_research_and_marketing_need_a_permit_whatever_the_setting(purpose: str) -> None:
    asking = msgspec.structs.replace(DR, purpose=purpose)
    assert not sees(asking, LAB)
    permit = {"type": "permit", "purpose": [coding(REASON, "HRESCH"), coding(REASON, "HMARKT")]}
    assert sees(asking, LAB, consent(permit))


def test_nothing_is_kept_from_the_patient() -> None:
    ann = Asking(frozenset({ANN}), "PATRQT", now=NOW, own=frozenset({ANN}))
    assert sees(ann, LAB, consent(DENY_ALL))


def test_a_resource_of_several_patients_needs_the_permit_of_each() -> None:
    both = msgspec.structs.replace(LAB, patients=(ANN, "Patient/bob"))
    assert sees(DR, both)
    assert not sees(DR, both, consent(DENY_ALL, patient="Patient/bob"))


def test_consents_of_others_and_inactive_ones_do_not_count() -> None:
    assert sees(DR, LAB, consent(DENY_ALL, patient="Patient/bob"), consent(DENY_ALL) | {"status": "inactive"})


@pytest.mark.parametrize("scope", ["treatment", "adr"])
def test_consents_to_treatment_and_advance_directives_say_nothing_of_access(scope: str) -> None:
    assert directive(consent(DENY_ALL, scope=scope)) is None


# ---------------------------------------------------------------------------------------------- precedence


def test_a_newer_permit_that_is_as_narrow_beats_a_denial() -> None:
    assert sees(DR, LAB, consent(DENY_ALL), consent({"type": "permit"}, id_="d", when="2026-02-01"))


def test_an_older_permit_does_not_beat_a_newer_denial_of_everything() -> None:
    assert not sees(DR, LAB, consent(PERMIT_DR), consent(DENY_ALL, id_="d", when="2026-02-01"))


def test_a_newer_wider_permit_does_not_beat_a_narrower_denial() -> None:
    assert not sees(DR, LAB, consent(DENY_DR), consent(PERMIT_ORG, id_="d", when="2026-02-01"))


def test_a_newer_permit_for_a_person_beats_a_denial_of_the_group() -> None:
    both = consent(DENY_ORG), consent(PERMIT_DR, id_="d", when="2026-02-01")
    assert sees(DR, LAB, *both)
    assert not sees(OTHER_DR, LAB, *both)


def test_what_is_hidden_by_label_stays_hidden_from_somebody_who_is_let_in_later() -> None:
    both = consent(DENY_PSY), consent(PERMIT_DR, id_="d", when="2026-02-01")
    assert sees(DR, LAB, *both)
    assert not sees(DR, PSY, *both)
    named = {**PERMIT_DR, "securityLabel": [coding(ACT, "PSY")]}
    assert sees(DR, PSY, *both, consent(named, id_="e", when="2026-03-01"))


def test_a_permit_of_another_label_does_not_open_what_has_both() -> None:
    hiv = {"type": "permit", "securityLabel": [coding(ACT, "HIV")]}
    facts = msgspec.structs.replace(PSY, labels=PSY.labels | {number_of(ACT, "HIV")})
    assert not sees(DR, facts, consent(DENY_PSY), consent(hiv, id_="d", when="2026-02-01"))


def test_of_the_same_date_the_narrower_wins_and_otherwise_the_denial() -> None:
    assert sees(DR, LAB, consent(DENY_ALL), consent(PERMIT_DR, id_="d"))
    assert not sees(DR, LAB, consent(DENY_ALL), consent({"type": "permit"}, id_="d"))


def test_within_a_consent_the_exception_below_wins() -> None:
    assert sees(DR, LAB, consent({"type": "deny", "provision": [PERMIT_DR]}))
    assert not sees(OTHER_DR, LAB, consent({"type": "deny", "provision": [PERMIT_DR]}))
    assert not sees(DR, LAB, consent({"type": "permit", "provision": [DENY_DR]}))
    deeper = {"type": "deny", "provision": [{**PERMIT_ORG, "provision": [DENY_DR]}]}
    assert not sees(DR, LAB, consent(deeper))
    assert sees(OTHER_DR, LAB, consent(deeper))


def test_an_exception_holds_only_within_what_is_above_it() -> None:
    nested = {"type": "deny", "class": [coding(TYPES, "Observation")], "provision": [{"type": "permit"}]}
    assert sees(DR, LAB, consent(nested))
    outer = {"type": "permit", "actor": [actor("Practitioner/y")], "provision": [{"type": "deny"}]}
    assert sees(DR, LAB, consent(outer))


def test_the_base_policy_is_the_widest_rule() -> None:
    assert not sees(DR, LAB, consent(base="OPTOUT"))
    assert sees(DR, LAB, consent(PERMIT_DR, base="OPTOUT"))
    assert not sees(OTHER_DR, LAB, consent(PERMIT_DR, base="OPTOUT"))
    assert sees(msgspec.structs.replace(DR, default="opt-in"), LAB, consent(base="OPTIN"))
    assert not sees(DR, LAB, consent(DENY_ORG, base="OPTIN"))


def test_opting_in_with_a_named_permit_permits_no_more_than_that() -> None:
    opt_in = msgspec.structs.replace(OTHER_DR, default="opt-in")
    assert not sees(opt_in, LAB, consent(PERMIT_DR, base="OPTIN"))


# ------------------------------------------------------------------------------------------------ criteria


def test_a_period_bounds_the_rule() -> None:
    over = {**DENY_ALL, "period": {"end": "2026-05"}}
    assert sees(DR, LAB, consent(over))
    assert not sees(msgspec.structs.replace(DR, now=NOW - 86_400 * 30), LAB, consent(over))


def test_a_nested_period_is_cut_by_the_one_above() -> None:
    nested = {"type": "permit", "period": {"end": "2026-05"}, "provision": [DENY_ALL]}
    assert sees(DR, LAB, consent(nested))


@pytest.mark.parametrize(("code", "hidden"), [("access", True), ("disclose", True), ("collect", False)])
def test_an_action_that_is_a_read_closes_reads(code: str, hidden: bool) -> None:
    assert sees(DR, LAB, consent({**DENY_ALL, "action": [concept(ACTION, code)]})) is not hidden


def test_a_permit_to_use_does_not_let_data_out() -> None:
    opt_in = msgspec.structs.replace(DR, default="opt-in")
    assert not sees(opt_in, LAB, consent({"type": "permit", "action": [concept(ACTION, "use")]}))
    assert sees(opt_in, LAB, consent({"type": "permit", "action": [concept(ACTION, "access")]}))


def test_a_purpose_takes_its_parts_with_it() -> None:
    deny = consent({**DENY_ALL, "purpose": [coding(REASON, "HOPERAT")]})
    assert sees(DR, LAB, deny)
    assert not sees(msgspec.structs.replace(DR, purpose="CAREMGT"), LAB, deny)


def test_who_says_no_purpose_may_have_any() -> None:
    silent = msgspec.structs.replace(DR, purpose="")
    assert not sees(silent, LAB, consent({**DENY_ALL, "purpose": [coding(REASON, "HMARKT")]}))
    permit = consent({"type": "permit", "purpose": [coding(REASON, "TREAT")]})
    assert not sees(msgspec.structs.replace(silent, default="opt-in"), LAB, permit)


def test_classes_and_codes_name_what_is_hidden() -> None:
    assert not sees(DR, LAB, consent({**DENY_ALL, "class": [coding(TYPES, "Observation")]}))
    assert sees(DR, LAB, consent({**DENY_ALL, "class": [coding(TYPES, "Condition")]}))
    assert not sees(DR, LAB, consent({**DENY_ALL, "code": [concept("http://loinc.org", "1")]}))
    assert sees(DR, LAB, consent({**DENY_ALL, "code": [concept("http://loinc.org", "2")]}))


@pytest.mark.parametrize(("code", "seen"), [("L", True), ("N", True), ("R", True), ("V", False)])
def test_a_permit_reaches_up_to_its_confidentiality(code: str, seen: bool) -> None:
    opt_in = msgspec.structs.replace(DR, default="opt-in")
    permit = {"type": "permit", "securityLabel": [coding(CONFIDENTIALITY, "R")]}
    assert sees(opt_in, level(code), consent(permit)) is seen


@pytest.mark.parametrize(("code", "seen"), [("N", True), ("R", False), ("V", False)])
def test_a_denial_reaches_from_its_confidentiality_on(code: str, seen: bool) -> None:
    deny = {**DENY_ALL, "securityLabel": [coding(CONFIDENTIALITY, "R")]}
    assert sees(DR, level(code), consent(deny)) is seen


def test_what_has_no_confidentiality_is_normal() -> None:
    assert not sees(DR, LAB, consent({**DENY_ALL, "securityLabel": [coding(CONFIDENTIALITY, "N")]}))


def test_the_period_of_data_closes_at_its_edges() -> None:
    march = {"start": "2026-03-01", "end": "2026-03-31"}
    wide = msgspec.structs.replace(LAB, hi=span("2026-04-02")[1])
    undated = msgspec.structs.replace(LAB, lo=-(2**63), hi=-(2**63))
    opt_in = msgspec.structs.replace(DR, default="opt-in")
    for facts, inside in ((LAB, True), (wide, False), (undated, False)):
        assert not sees(DR, facts, consent({**DENY_ALL, "dataPeriod": march}))
        assert sees(opt_in, facts, consent({"type": "permit", "dataPeriod": march})) is inside


@pytest.mark.parametrize(
    ("meaning", "change", "hidden"),
    [
        ("instance", {"reference": "Encounter/e"}, True),
        ("instance", {"refers": frozenset({"Encounter/e"})}, False),
        ("dependents", {"refers": frozenset({"Encounter/e"})}, True),
        ("related", {"mentioned": frozenset({"Encounter/e"})}, True),
        ("related", {"refers": frozenset({"Encounter/e"})}, False),
    ],
)
def test_data_is_named_by_reference(meaning: str, change: dict[str, Any], hidden: bool) -> None:
    named = {"meaning": meaning, "reference": {"reference": "Encounter/e"}}
    facts = msgspec.structs.replace(LAB, **change)
    assert sees(DR, facts, consent({**DENY_ALL, "data": [named]})) is not hidden


# ------------------------------------------------------------------------------------------- fails closed

UNKEPT: list[dict[str, Any]] = [
    {"actor": [actor("Organization/z", "CST")]},
    {"actor": [actor("Group/g")]},
    {"actor": [actor("http://elsewhere.org/Practitioner/x")]},
    {"action": [{"text": "look"}]},
    {"class": [coding("urn:ietf:bcp:13", "application/hl7-cda+xml")]},
    {"code": [{"text": "cancer"}]},
    {"data": [{"meaning": "authoredby", "reference": {"reference": "Practitioner/x"}}]},
    {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]},
    {"dataPeriod": {"start": "soon"}},
]


@pytest.mark.parametrize("restriction", UNKEPT)
def test_what_cannot_be_kept_exactly_denies_and_never_permits(restriction: dict[str, Any]) -> None:
    assert not sees(DR, LAB, consent({**DENY_ALL, **restriction}))
    opt_in = msgspec.structs.replace(DR, default="opt-in")
    assert not sees(opt_in, LAB, consent({"type": "permit", **restriction}))
    found = directive(consent({**DENY_ALL, **restriction}))
    assert found is not None
    assert found.problems


@pytest.mark.parametrize("restriction", UNKEPT)
def test_a_denial_that_cannot_be_told_is_beaten_by_no_other_consent(restriction: dict[str, Any]) -> None:
    assert not sees(
        DR, LAB, consent({**DENY_ALL, **restriction}), consent(PERMIT_DR, id_="d", when="2026-03-01")
    )


@pytest.mark.parametrize("base", ["OPTIN", "OPTOUT"])
def test_a_restriction_without_a_type_is_read_as_the_stricter_of_both(base: str) -> None:
    untyped = consent({"actor": [actor("Practitioner/x")]}, base=base)
    assert not sees(DR, LAB, untyped)
    assert sees(OTHER_DR, LAB, untyped) is (base == "OPTIN")
    found = directive(untyped)
    assert found is not None
    assert [place for place, _ in found.problems] == ["Consent.provision"]


def test_a_consent_that_says_nothing_closes() -> None:
    assert not sees(DR, LAB, consent())


def test_a_scope_that_nobody_knows_denies_but_does_not_permit() -> None:
    assert not sees(DR, LAB, consent(DENY_DR, scope="other"))
    opt_in = msgspec.structs.replace(DR, default="opt-in")
    assert not sees(opt_in, LAB, consent(PERMIT_DR, scope="other"))


def test_a_nested_rule_without_type_denies() -> None:
    assert not sees(DR, LAB, consent({"type": "permit", "provision": [{"actor": [actor("Practitioner/x")]}]}))


def test_a_consent_of_no_patient_of_this_server_is_reported() -> None:
    found = directive(consent(DENY_ALL, patient="http://elsewhere.org/Patient/1"))
    assert found is not None
    assert found.patient == ""
    assert found.problems[0][0] == "Consent.patient"


def test_research_consents_are_about_research() -> None:
    research = msgspec.structs.replace(DR, purpose="HRESCH")
    assert sees(research, LAB, consent({"type": "permit"}, scope="research"))
    assert sees(DR, LAB, consent(DENY_ALL, scope="research"))


# ---------------------------------------------------------------------------------------------- emergencies


def test_an_emergency_opens_what_was_denied() -> None:
    opened = msgspec.structs.replace(DR, opened=frozenset({ANN}))
    assert sees(opened, PSY, consent(DENY_ALL), consent(DENY_PSY, id_="d"))


def test_what_is_denied_even_for_emergencies_stays_closed() -> None:
    opened = msgspec.structs.replace(DR, opened=frozenset({ANN}))
    assert not sees(opened, LAB, consent({**DENY_ALL, "purpose": [coding(REASON, "ETREAT")]}))


def test_a_proxy_sees_what_is_permitted_and_no_more() -> None:
    proxy = Asking(frozenset({"RelatedPerson/r"}), "FAMRQT", now=NOW, proxied=frozenset({ANN}))
    permit = {"type": "permit", "actor": [actor("RelatedPerson/r")], "provision": [DENY_PSY]}
    assert not sees(proxy, LAB)
    assert sees(proxy, LAB, consent(permit))
    assert not sees(proxy, PSY, consent(permit))


def test_the_verdict_names_the_rule_that_decided() -> None:
    (verdict,) = evaluate(DR, read([consent(DENY_ALL), consent(DENY_PSY, id_="d")]), LAB)
    assert verdict.rule is not None
    assert (verdict.rule.consent, verdict.rule.path, verdict.by) == ("Consent/c", "Consent.provision", "rule")
    assert [(step.rule.consent, step.applies, step.why) for step in verdict.steps] == [
        ("Consent/c", True, ""),
        ("Consent/d", False, "label is another"),
    ]


# ------------------------------------------------------------------------- the table of the documentation

NAMED_PSY = {**PERMIT_DR, "securityLabel": [coding(ACT, "PSY")]}
X, Y = DR, Asking(frozenset({"Practitioner/y"}), "TREAT", now=NOW)
TABLE: list[tuple[list[dict[str, Any]], str, str]] = [
    ([], "all", "all"),
    ([{"provision": DENY_PSY}], "all but PSY", "all but PSY"),
    ([{"provision": DENY_PSY}, {"provision": PERMIT_DR}], "all but PSY", "all but PSY"),
    ([{"provision": DENY_PSY}, {"provision": NAMED_PSY}], "all", "all but PSY"),
    ([{"provision": DENY_ORG}, {"provision": PERMIT_DR}], "all", "all"),
    ([{"provision": PERMIT_DR}, {"base": "OPTOUT"}], "nothing", "nothing"),
    ([{"provision": PERMIT_DR, "base": "OPTOUT"}], "all", "nothing"),
]


@pytest.mark.parametrize(("said", "dr_x", "dr_y"), TABLE)
def test_the_worked_examples_are_true(said: list[dict[str, Any]], dr_x: str, dr_y: str) -> None:
    consents = [
        consent(**one, id_=f"c{month}", when=f"2026-0{month}-01") for month, one in enumerate(said, 1)
    ]
    told = {(True, True): "all", (True, False): "all but PSY", (False, False): "nothing"}
    for asking, expected in ((X, dr_x), (Y, dr_y)):
        assert told[sees(asking, LAB, *consents), sees(asking, PSY, *consents)] == expected
