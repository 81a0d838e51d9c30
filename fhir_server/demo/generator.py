"""The generator: shared world first, then one transaction bundle per patient."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from random import Random

from fhir_server.demo import basics
from fhir_server.demo.lifeline import live
from fhir_server.demo.people import make_person
from fhir_server.demo.plans import PLANS
from fhir_server.demo.record import Chart
from fhir_server.demo.tables.codes import Json
from fhir_server.demo.world import world

REFERENCE_DATE = date(2025, 6, 30)


def generate(patients: int = 50, seed: int = 7, *, today: date = REFERENCE_DATE) -> Iterator[Json]:
    """Yield transaction Bundles: the shared world, then one per patient, numbered from 0.

    Shape:  every entry is a PUT under a deterministic id, so loading twice changes nothing; references are
            "Type/id"; patient n is the same however many are asked for; same arguments → same bytes.
    Errors: none; fewer than one patient yields the shared world alone.
    """
    yield basics.transaction(world(today))
    for number in range(patients):
        yield basics.transaction(lifeline(number, seed, today))


def lifeline(number: int, seed: int = 7, today: date = REFERENCE_DATE) -> list[Json]:
    """Return all resources of one patient."""
    rng = Random(f"health-buddy demo {seed} {number}")  # noqa: S311 - repeatable on purpose
    person = make_person(number, seed, PLANS[number % len(PLANS)], today, rng)
    chart = Chart(person, rng)
    live(chart, PLANS[number % len(PLANS)].stories)
    return chart.resources
