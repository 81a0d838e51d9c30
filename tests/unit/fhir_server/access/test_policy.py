"""Policies: the gate, the condition, and the look at a row.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fhir_server.access.arguments import LITERALS
from fhir_server.access.grant import Grant
from fhir_server.access.operations import needs
from fhir_server.access.operations import table as operations
from fhir_server.access.policy import OPENED, Policy, StalePolicyError, Way
from fhir_server.access.reach import within
from fhir_server.access.roles import table as roles
from fhir_server.operations import OPERATIONS
from fhir_server.storage.rows import Row, type_number
from resources.definitions import definitions
from resources.outcome import FhirError

GRANT = Grant("someone", "app")
ME, OTHER = 7, 8


def _row(name: str, pid: int | None = None, owners: list[int] | None = None) -> Row:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return Row(1, type_number(name), "x", 1, now, True, 1, b"}}", pid, owners)


def _policy(**ways: Way) -> Policy:
    return Policy(GRANT, {name: [way] for name, way in ways.items()})


OWN = _policy(
    Observation=Way("cruds", (ME,)),
    Appointment=Way("rs", (ME,)),
    Practitioner=Way("rs", (ME,)),
    Task=Way("c", (ME,)),
)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (_row("Observation", ME), True),
        (_row("Observation", OTHER), False),
        (_row("Observation"), False),
        (_row("Observation", OTHER, [ME, OTHER]), True),
        (_row("Observation", ME, [OTHER]), False),
        (_row("Appointment", None, [ME]), True),
        (_row("Practitioner"), True),
        (_row("Task", ME), False),
        (_row("Condition", ME), False),
    ],
)
def test_a_row_is_seen_by_whom_its_columns_name(row: Row, said: bool) -> None:
    assert OWN.verdict(row) is said
    assert OWN.sees(row) is said


def test_what_only_the_database_can_tell_is_not_told_here() -> None:
    policy = _policy(Provenance=Way("rs", (ME,)), Observation=Way("rs", None, lambda _sql, _row: "x"))
    assert policy.verdict(_row("Provenance")) is None
    assert policy.verdict(_row("Observation", ME)) is None


def test_who_sees_all_needs_no_condition() -> None:
    policy = _policy(Observation=Way("rs", None))
    assert policy.where(None, "Observation", "r") == ""
    assert policy.where(None, "Condition", "r") == "false"
    assert policy.where(None, "Observation", "r", "c") == "false"
    assert OPENED.where(None, "", "r") == ""


def test_a_type_without_a_scope_is_closed_among_all_types() -> None:
    assert f"r.type IN ({type_number('Observation')}, {type_number('Appointment')})" in OWN.where(
        None, "", "r"
    ) or (
        f"r.type IN ({type_number('Appointment')}, {type_number('Observation')})" in OWN.where(None, "", "r")
    )
    assert _policy().where(None, "", "r") == "false"


@pytest.mark.parametrize(
    ("interaction", "type_name", "granted"),
    [
        ("read", "Observation", True),
        ("update", "Observation", True),
        ("read", "Task", False),
        ("create", "Task", True),
        ("search-system", "", True),
        ("capabilities", "", True),
        ("transaction", "", True),
        ("job-status", "", False),
        ("something-new", "Observation", False),
    ],
)
def test_the_gate_asks_for_the_letter_of_the_interaction(
    interaction: str, type_name: str, granted: bool
) -> None:
    if granted:
        OWN.require(interaction, type_name)
        return
    with pytest.raises(FhirError) as refused:
        OWN.require(interaction, type_name)
    assert refused.value.status == 403
    assert "insufficient_scope" in refused.value.headers["WWW-Authenticate"]


def test_every_operation_has_a_row_and_what_has_none_is_closed() -> None:
    assert {one.name for one in OPERATIONS.values()} <= {name for name, _ in operations()}
    assert needs("$made-up", "Patient") is None
    with pytest.raises(FhirError):
        OWN.require("operation", "Observation", "$made-up")
    OWN.require("operation", "Observation", "$lastn")


def test_writes_of_the_restricted_reach_what_is_theirs_alone() -> None:
    assert "<@" in within(LITERALS, "Observation", "r", (ME,), writes=True)
    for name in ("Organization", "Group", "ValueSet"):
        assert within(LITERALS, name, "r", (ME,), writes=True) == "false"
    assert "ve.dst" in within(LITERALS, "Provenance", "r", (ME,))
    assert "ve.dst" not in within(LITERALS, "Provenance", "r", (ME,), kept=True)
    assert within(LITERALS, "Group", "r", ()) == "false"


def test_searches_of_one_patients_types_are_led_by_the_patient() -> None:
    assert OWN.patients(["Observation"]) == (ME,)
    assert OWN.patients(["Observation", "Appointment"]) == (ME,)
    assert OWN.patients(["Practitioner"]) is None
    assert OPENED.patients(["Observation"]) is None


def test_a_policy_of_another_epoch_is_stale() -> None:
    policy = OWN.fresh(epoch=3)
    with pytest.raises(StalePolicyError):
        policy.confirm(4)
    policy.confirm(3)
    policy.confirm(4)


def test_roles_name_types_of_r4_and_reasons() -> None:
    for role in roles().values():
        assert role.reason
        assert isinstance(role.types, str) or set(role.types) <= set(definitions().resource_types)


@pytest.mark.parametrize("text", ["it's", "a%sb", "$1", "ä\\", ""])
def test_values_written_out_hold_nothing_that_a_statement_reads(text: str) -> None:
    written = LITERALS.text(text)
    assert not set(written) & set("%$") and written.count("'") == 4
