"""Which life each patient leads: the plan of patient n is PLANS[n % len(PLANS)], whatever the seed.

Check-ups come last in a plan: they measure what the other stories have made of the body.
"""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """One kind of life: sex, ages at the reference date, stories (keys of lifeline.STORIES), traits."""

    sex: str
    youngest: float
    oldest: float
    stories: tuple[str, ...]
    traits: frozenset[str] = frozenset()


def _plan(sex: str, youngest: float, oldest: float, stories: str, traits: str = "") -> Plan:
    """Return a plan from space-separated keys."""
    return Plan(sex, youngest, oldest, tuple(stories.split()), frozenset(traits.split()))


PLANS: tuple[Plan, ...] = (
    _plan("male", 55, 64, "diabetes hypertension lipids adult", "ex-smoker obese"),
    _plan("female", 0.9, 1.6, "birth growth", "detailed"),
    _plan("male", 7, 10, "growth asthma", "detailed allergic"),
    _plan("female", 27, 34, "pregnancy adult", "partner detailed"),
    _plan("female", 42, 52, "thyroid adult", "renamed"),
    _plan("male", 68, 76, "hypertension kidney adult", "former-address"),
    _plan("female", 29, 41, "depression adult", "telehealth detailed"),
    _plan("male", 21, 30, "sprain adult", "healthy"),
    _plan("male", 84, 91, "heart adult", "deceased suffix"),
    _plan("male", 2.2, 3.5, "growth otitis", ""),
    _plan("female", 14, 17, "growth depression", ""),
    _plan("male", 0.02, 0.3, "birth growth", ""),
    _plan("male", 46, 57, "hypertension smoking adult", "smoker"),
    _plan("female", 47, 59, "diabetes lipids hardship adult", "obese tribal"),
    _plan("female", 90, 95, "heart pacemaker cognition adult", "caregiver"),
    _plan("female", 62, 70, "knee lipids adult", "bone"),
    _plan("female", 25, 36, "hypertension adult", "transgender"),
    _plan("female", 35, 44, "hardship depression adult", "on-medicaid"),
    _plan("male", 30, 45, "unknown", "unidentified"),
    _plan("female", 51, 61, "colon lipids adult", ""),
    _plan("male", 4.5, 6.5, "growth refusal", ""),
    _plan("female", 16, 19, "growth strep asthma", "allergic"),
    _plan("male", 63, 74, "kidney hypertension adult", "deceased smoker"),
    _plan("female", 37, 46, "pregnancy adult", "partner"),
    _plan("male", 50, 60, "colon prediabetes adult", "ex-smoker obese"),
)
