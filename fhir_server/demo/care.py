"""CareTeam, Goal and CarePlan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from fhir_server.demo import basics
from fhir_server.demo.record import Chart, Visit, shared
from fhir_server.demo.tables.codes import US_CORE_CS, Code, Json, hl7, sct
from fhir_server.demo.tables.world import STAFF

_ASSESS = Code(US_CORE_CS + "careplan-category", "assess-plan", "Assessment and Plan of Treatment")
_ROLE = {staff.key: staff.role for staff in STAFF}
_PATIENT = sct("116154003", "Patient")
_CAREGIVER = sct("133932002", "Caregiver")


@dataclass(frozen=True)
class Target:
    """A goal: its words, what is measured (or None), the amount with unit, and how many days it has."""

    text: str
    measure: Code | None = None
    amount: str = ""
    unit: str = ""
    days: int = 180
    achievement: str = "in-progress"


def goal(chart: Chart, visit: Visit, target: Target, problem: str | None) -> str:
    """Return the reference of a Goal."""
    due: Json = {"dueDate": (visit.day + timedelta(days=target.days)).isoformat()}
    if target.measure:
        due = {"measure": basics.concept(target.measure), **due}
        due["detailQuantity"] = {
            **basics.quantity(Decimal(target.amount), target.unit, target.unit),
            "comparator": "<",
        }
    body: Json = {
        "meta": basics.profile("us-core-goal"),
        "lifecycleStatus": "active" if not chart.person.death else "cancelled",
        "achievementStatus": basics.concept(
            hl7("goal-achievement", target.achievement, target.achievement.replace("-", " ").title())
        ),
        "description": {"text": target.text},
        "subject": chart.subject,
        "startDate": visit.day.isoformat(),
        "target": [due],
        "expressedBy": visit.practitioner,
    }
    if problem:
        body["addresses"] = [basics.ref(chart.problems[problem])]
    return chart.add("Goal", body, visit)


def team(chart: Chart, visit: Visit, *more: str) -> str:
    """Return the reference of the patient's one CareTeam: primary care, the named staff, patient and family."""
    if "team" in chart.facts:
        return str(chart.facts["team"])
    primary = "family" if chart.person.age(visit.day) >= 18 else "pediatrician"
    parts: list[Json] = [
        {"role": [basics.concept(_ROLE[primary])], "member": shared("Practitioner", primary)}
    ]
    parts.extend(
        {
            "role": [basics.concept(_ROLE[key])],
            "member": basics.ref(f"PractitionerRole/demo-{key}", shared("Practitioner", key)["display"]),
        }
        for key in more
    )
    parts.append({"role": [basics.concept(_PATIENT)], "member": chart.subject})
    if "relative" in chart.facts:
        parts.append({"role": [basics.concept(_CAREGIVER)], "member": basics.ref(chart.facts["relative"])})
    chart.facts["team"] = chart.add(
        "CareTeam",
        {
            "meta": basics.profile("us-core-careteam"),
            "status": "active" if not chart.person.death else "inactive",
            "name": "Care team",
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            "period": {"start": visit.day.isoformat()},
            "participant": parts,
            "managingOrganization": [shared("Organization", "clinic")],
        },
        visit,
    )
    return str(chart.facts["team"])


def _activity(code: Code, status: str, text: str) -> Json:
    return {
        "detail": {
            "kind": "ServiceRequest",
            "code": basics.concept(code),
            "status": status,
            "description": text,
        }
    }


def plan(
    chart: Chart,
    visit: Visit,
    title: str,
    problem: str,
    activities: tuple[tuple[Code, str], ...],
    targets: tuple[Target, ...],
    *staff: str,
) -> str:
    """Return the reference of a CarePlan with its goals, activities and team."""
    goals = [goal(chart, visit, target, problem) for target in targets]
    status = "revoked" if chart.person.death else "active"
    state = "in-progress" if status == "active" else "stopped"
    steps = [_activity(code, state, text) for code, text in activities]
    words = f"{title}: " + "; ".join(
        [*(text for _, text in activities), *(target.text for target in targets)]
    )
    return chart.add(
        "CarePlan",
        {
            "meta": basics.profile("us-core-careplan"),
            "text": basics.narrative(words, "additional"),
            "status": status,
            "intent": "plan",
            "category": [basics.concept(_ASSESS)],
            "title": title,
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            "period": {"start": visit.day.isoformat()},
            "created": visit.day.isoformat(),
            "author": visit.practitioner,
            "careTeam": [basics.ref(team(chart, visit, *staff))],
            "addresses": [basics.ref(chart.problems[problem])],
            "goal": [basics.ref(one) for one in goals],
            "activity": steps,
        },
        visit,
    )
