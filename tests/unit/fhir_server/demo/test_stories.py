"""What the lives tell: therapy works, kidneys decline, children grow, timings have many forms, documents open."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from statistics import mean
from typing import Any

import pytest

from fhir_server.demo import basics, generate
from fhir_server.demo.observe import egfr
from fhir_server.demo.pdf import make_pdf
from fhir_server.demo.plans import PLANS
from fhir_server.demo.tables import growth

Json = dict[str, Any]


@cache
def lives() -> tuple[tuple[Json, ...], ...]:
    """Return the resources of one patient per plan."""
    return tuple(
        tuple(entry["resource"] for entry in bundle["entry"]) for bundle in list(generate(len(PLANS)))[1:]
    )


def with_story(story: str) -> Iterator[tuple[Json, ...]]:
    """Yield the lives whose plan has the story."""
    for plan, life in zip(PLANS, lives(), strict=True):
        if story in plan.stories:
            yield life


def series(life: tuple[Json, ...], code: str) -> list[float]:
    """Return the values of one kind of Observation in order of time."""
    found = [one for one in life if one["resourceType"] == "Observation" and "valueQuantity" in one
             and any(coding["code"] == code for coding in one["code"].get("coding", []))]  # fmt: skip
    return [
        float(one["valueQuantity"]["value"])
        for one in sorted(found, key=lambda one: str(one["effectiveDateTime"]))
    ]


def systolic(life: tuple[Json, ...]) -> list[float]:
    """Return the systolic pressures of office visits in order of time."""
    panels = [one for one in life if one["resourceType"] == "Observation" and "component" in one
              and one["code"]["coding"][0]["code"] == "85354-9" and "valueQuantity" in one["component"][0]]  # fmt: skip
    panels.sort(key=lambda one: str(one["effectiveDateTime"]))
    return [float(one["component"][0]["valueQuantity"]["value"]) for one in panels]


def test_hba1c_falls_under_therapy() -> None:
    for life in with_story("diabetes"):
        values = series(life, "4548-4")
        assert len(values) >= 12
        assert values[0] >= 6.5
        assert mean(values[-3:]) < values[0] - 1


def test_egfr_declines_in_kidney_disease() -> None:
    for life in with_story("kidney"):
        values = series(life, "98979-8")
        assert mean(values[-3:]) < mean(values[:3]) - 5


def test_blood_pressure_answers_to_treatment() -> None:
    life = lives()[12]
    values = systolic(life)
    assert mean(values[-3:]) < max(values) - 15


def test_depression_scores_fall() -> None:
    for life in with_story("depression"):
        values = series(life, "44261-6")
        assert values[0] >= 10
        assert values[-1] < 6


def test_children_grow_and_stay_in_range() -> None:
    for life in with_story("growth"):
        lengths = series(life, "8302-2")
        assert lengths == sorted(lengths)
        assert all(0 <= value <= 100 for value in series(life, "59576-9") + series(life, "8289-1"))


def test_prescriptions_use_many_forms_of_timing() -> None:
    repeats = [dose["timing"]["repeat"] for life in lives() for one in life
               if one["resourceType"] == "MedicationRequest" for dose in one["dosageInstruction"]]  # fmt: skip
    keys = {key for repeat in repeats for key in repeat}
    assert {"boundsDuration", "boundsPeriod", "when", "offset", "timeOfDay", "dayOfWeek", "periodMax"} <= keys
    assert any(repeat.get("frequency") == 2 and repeat["periodUnit"] == "d" for repeat in repeats)
    assert any(repeat.get("period") == 8 and repeat["periodUnit"] == "h" for repeat in repeats)
    doses = [
        one["dosageInstruction"]
        for life in lives()
        for one in life
        if one["resourceType"] == "MedicationRequest"
    ]
    assert any("asNeededCodeableConcept" in dose for dosage in doses for dose in dosage)
    assert any([dose.get("sequence") for dose in dosage] == [1, 2, 3] for dosage in doses)


def test_documents_are_the_same_inline_and_as_binary() -> None:
    kinds = set()
    for life in lives():
        known = {f"Binary/{one['id']}": one for one in life if one["resourceType"] == "Binary"}
        for one in life:
            if one["resourceType"] == "DocumentReference":
                attachment = one["content"][0]["attachment"]
                binary = known[attachment["url"]]
                assert binary["contentType"] == attachment["contentType"]
                assert attachment.get("data", binary["data"]) == binary["data"]
                assert len(b64decode(binary["data"])) == attachment["size"]
                kinds.add(attachment["contentType"].split(";")[0])
    assert kinds == {"text/plain", "application/pdf"}


def test_a_pdf_has_its_objects_where_its_table_says() -> None:
    data = make_pdf(["Line (one)", "Ünïcode 星"])
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert data[start : start + 4] == b"xref"
    rows = data[start:].split(b"\n")[3:8]
    for number, row in enumerate(rows, 1):
        offset = int(row.split(b" ")[0])
        assert data[offset:].startswith(b"%d 0 obj" % number)
    assert rb"Line \(one\)" in data


def test_an_implant_has_a_udi_that_repeats_its_parts() -> None:
    devices = [
        one for life in lives() for one in life if one["resourceType"] == "Device" and "udiCarrier" in one
    ]
    assert devices
    for one in devices:
        carrier = one["udiCarrier"][0]["carrierHRF"]
        assert f"(10){one['lotNumber']}(21){one['serialNumber']}" in carrier
        assert one["udiCarrier"][0]["deviceIdentifier"] in carrier


def test_missing_data_say_why() -> None:
    life = next(with_story("unknown"))
    patient = life[0]
    assert "birthDate" not in patient
    assert patient["name"][0]["extension"][0]["valueCode"] == "unknown"
    assert any("dataAbsentReason" in one for one in life)


@pytest.mark.parametrize(
    ("creatinine", "age", "sex", "rate"),
    [(1.0, 50, "male", 92), (0.8, 50, "female", 90), (2.0, 70, "male", 35)],
)
def test_egfr_follows_ckd_epi_2021(creatinine: float, age: float, sex: str, rate: int) -> None:
    assert round(egfr(creatinine, age, sex)) == rate


def test_npi_has_a_valid_check_digit() -> None:
    assert basics.npi("106349417") == "1063494177"


@pytest.mark.parametrize("z", [-1.0, 0.0, 1.0])
def test_growth_tables_give_the_median_at_zero_and_rise_with_z(z: float) -> None:
    table = growth.LENGTH["female"]
    value = growth.measure(table, 1, z)
    assert value == pytest.approx(74.0049 * (1 + z * 0.03479))
    assert growth.measure(table, 0.5, z) < value
