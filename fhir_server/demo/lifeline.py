"""A life: who someone is, the stories of their plan, and the provenance of it all."""

from __future__ import annotations

from collections.abc import Callable

from fhir_server.demo import people, provenance
from fhir_server.demo.record import Chart
from fhir_server.demo.stories import adult, chest, child, heart, metabolic, mind, surgery, women

Story = Callable[[Chart], None]

STORIES: dict[str, Story] = {
    "adult": adult.checkups,
    "thyroid": adult.thyroid,
    "smoking": adult.quitting,
    "unknown": adult.unknown,
    "birth": child.birth,
    "growth": child.growth,
    "refusal": child.refusal,
    "otitis": child.otitis,
    "strep": child.strep,
    "asthma": chest.asthma,
    "diabetes": metabolic.diabetes,
    "prediabetes": metabolic.prediabetes,
    "hypertension": metabolic.hypertension,
    "lipids": metabolic.lipids,
    "kidney": metabolic.kidney,
    "depression": mind.depression,
    "cognition": mind.cognition,
    "hardship": mind.hardship,
    "pregnancy": women.pregnancy,
    "heart": heart.failure,
    "pacemaker": heart.pacemaker,
    "knee": surgery.knee,
    "colon": surgery.colon,
    "sprain": surgery.sprain,
}


def live(chart: Chart, stories: tuple[str, ...]) -> None:
    """Fill the chart."""
    people.patient(chart)
    people.household(chart)
    for story in stories:
        STORIES[story](chart)
    provenance.provenance(chart)
