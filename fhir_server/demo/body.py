"""The body over time: height, weight and resting vital signs of one person on one day."""

from __future__ import annotations

from datetime import date
from statistics import NormalDist

from fhir_server.demo import observe
from fhir_server.demo.record import Chart, Person, Visit
from fhir_server.demo.tables import growth
from fhir_server.demo.tables.vitals import COMPANION, RESTING, VITALS


def height(person: Person, day: date) -> float:
    """Return the length or stature in cm."""
    age = person.age(day)
    table = growth.LENGTH if age < 2 else growth.STATURE
    return growth.measure(table[person.sex], min(age, 20), person.stature_z)


def bmi(person: Person, day: date, shift: float = 0.0) -> float:
    """Return the body mass index in kg/m2; adults keep their z-score of age 20 and add 0.06 per year to 60.

    Source of the adult drift: NCHS, Vital and Health Statistics 3(46), 2021, tables 13–16 (mean BMI by age).
    """
    age = person.age(day)
    base = growth.measure(growth.BMI[person.sex], min(age, 20), person.bmi_z + shift)
    return base + 0.06 * (min(max(age, 20), 60) - 20)


def weight(person: Person, day: date, shift: float = 0.0) -> float:
    """Return the weight in kg; `shift` moves the z-score of the day."""
    if person.age(day) < 2:
        return growth.measure(growth.WEIGHT_FOR_LENGTH[person.sex], height(person, day), person.bmi_z + shift)
    return bmi(person, day, shift) * (height(person, day) / 100) ** 2


def percentile(z: float) -> float:
    """Return the percentile of a z-score."""
    return NormalDist().cdf(z) * 100


def resting(person: Person, day: date) -> tuple[tuple[int, int], ...]:
    """Return the resting ranges (heart rate, respiratory rate, systolic, diastolic) for the age."""
    age = person.age(day)
    return next(row[1:] for row in RESTING if age < row[0])


def measure_size(chart: Chart, visit: Visit, kilograms: float | None = None) -> None:
    """Add height, weight and what follows from them at the age; `kilograms` overrides the usual weight."""
    person, day = chart.person, visit.day
    tall = height(person, day)
    shift = chart.rng.gauss(0, 0.08)
    heavy = kilograms if kilograms is not None else weight(person, day, shift)
    observe.vital(chart, visit, "height", tall)
    observe.vital(chart, visit, "weight", heavy)
    if person.age(day) < 2:
        observe.vital(
            chart, visit, "head", growth.measure(growth.HEAD[person.sex], person.age(day), person.stature_z)
        )
        observe.vital(chart, visit, "head-percentile", percentile(person.stature_z))
        observe.vital(chart, visit, "weight-for-length", percentile(person.bmi_z + shift))
        return
    observe.vital(chart, visit, "bmi", heavy / (tall / 100) ** 2)
    if person.age(day) < 20:
        observe.vital(chart, visit, "bmi-percentile", percentile(person.bmi_z + shift))


def measure_vitals(
    chart: Chart, visit: Visit, pressure: tuple[float, float] | None = None, fever: float = 0.0
) -> None:
    """Add heart and respiratory rate, temperature and, from three years, blood pressure."""
    heart, breath, systolic, diastolic = resting(chart.person, visit.day)
    rng = chart.rng
    observe.vital(chart, visit, "heart", rng.uniform(*heart) + 8 * fever)
    observe.vital(chart, visit, "breath", rng.uniform(*breath))
    observe.vital(chart, visit, "temperature", rng.uniform(36.4, 37.1) + fever)
    if pressure is not None or chart.person.age(visit.day) >= 3:
        top, bottom = pressure or (rng.uniform(*systolic), rng.uniform(*diastolic))
        observe.blood_pressure(chart, visit, top + rng.gauss(0, 3), bottom + rng.gauss(0, 2))


def measure_detailed(chart: Chart, visit: Visit) -> None:
    """Add one reading of every vital sign with its companion, and one that could not be taken, with the reason."""
    person, day, rng = chart.person, visit.day, chart.rng
    heart, breath, _, _ = resting(person, day)
    kilograms, tall, head = weight(person, day), height(person, day), 40.0
    if person.age(day) < 2:
        head = growth.measure(growth.HEAD[person.sex], person.age(day), person.stature_z)
    values = {
        "height": tall,
        "weight": kilograms,
        "bmi": kilograms / (tall / 100) ** 2,
        "heart": rng.uniform(*heart),
        "breath": rng.uniform(*breath),
        "temperature": 36.8,
        "head": head,
        "head-percentile": percentile(person.stature_z),
        "weight-for-length": percentile(person.bmi_z),
        "bmi-percentile": percentile(person.bmi_z),
    }
    for key in VITALS:
        if not _applies(key, person.age(day)):
            continue
        companion = COMPANION[key]
        observe.vital_detailed(chart, visit, key, values[key], values[companion])
        observe.vital_absent(chart, visit, key)
    if person.age(day) >= 3:
        observe.blood_pressure(chart, visit, 118, 74, mean=True)
        observe.blood_pressure_absent(chart, visit)
    observe.oxygen(chart, visit, 96, flow=2, concentration=28)
    observe.oxygen(chart, visit, None, extra_absent=True)


def _applies(key: str, age: float) -> bool:
    """Return whether the vital sign is taken at the age (years)."""
    if key in ("head", "head-percentile", "weight-for-length"):
        return age < 2
    if key == "bmi-percentile":
        return 2 <= age < 20
    return key != "bmi" or age >= 2
