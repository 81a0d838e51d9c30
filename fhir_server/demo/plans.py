"""Which life each patient leads: the plan of patient n is PLANS[n % len(PLANS)], whatever the seed."""

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
    _plan("male", 55, 64, "adult diabetes hypertension lipids", "ex-smoker obese"),
    _plan("female", 0.9, 1.6, "birth growth", "detailed"),
    _plan("male", 7, 10, "growth asthma", "detailed allergic"),
    _plan("female", 27, 34, "adult pregnancy", "partner detailed"),
    _plan("female", 42, 52, "adult thyroid", "renamed"),
    _plan("male", 68, 76, "adult hypertension kidney", "former-address"),
    _plan("female", 29, 41, "adult depression", "telehealth detailed"),
    _plan("male", 21, 30, "adult sprain", "healthy"),
    _plan("male", 84, 91, "adult heart", "deceased suffix"),
    _plan("male", 2.2, 3.5, "growth otitis", ""),
    _plan("female", 14, 17, "growth depression", ""),
    _plan("male", 0.02, 0.3, "birth growth", ""),
    _plan("male", 46, 57, "adult hypertension smoking", "smoker"),
    _plan("female", 47, 59, "adult diabetes lipids hardship", "obese tribal"),
    _plan("female", 90, 95, "adult heart pacemaker cognition", "caregiver"),
    _plan("female", 62, 70, "adult knee lipids", "bone"),
    _plan("female", 25, 36, "adult hypertension", "transgender"),
    _plan("female", 35, 44, "adult hardship depression", "on-medicaid"),
    _plan("male", 30, 45, "unknown", "unidentified"),
    _plan("female", 51, 61, "adult colon lipids", ""),
    _plan("male", 4.5, 6.5, "growth refusal", ""),
    _plan("female", 16, 19, "growth strep asthma", "allergic"),
    _plan("male", 63, 74, "adult kidney hypertension", "deceased smoker"),
    _plan("female", 37, 46, "adult pregnancy", "partner"),
    _plan("male", 50, 60, "adult colon prediabetes", "ex-smoker obese"),
)
