"""One patient's growing record: what has been added, at which visit, under which id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.tables.codes import Code, Json, hl7
from fhir_server.demo.tables.encounters import IMP, KINDS, EncounterKind
from fhir_server.demo.tables.people import Group
from fhir_server.demo.tables.world import ORGANIZATIONS, PLACES, STAFF

_ATTENDER = hl7("v3-ParticipationType", "ATND", "attender")
_PERFORMER = hl7("v3-ParticipationType", "PPRF", "primary performer")
_ORGANIZATION_OF = {place.key: place.organization for place in PLACES}
_NAMES = {
    **{f"Practitioner/demo-{s.key}": f"{s.prefix} {s.given} {s.family}".strip() for s in STAFF},
    **{f"Organization/demo-{o.key}": o.name for o in ORGANIZATIONS},
    **{f"Location/demo-{p.key}": p.name for p in PLACES},
}


def shared(kind: str, key: str) -> Json:
    """Return a reference to a resource of the shared world, with its display."""
    reference = f"{kind}/demo-{key}"
    return basics.ref(reference, _NAMES.get(reference, ""))


@dataclass
class Person:
    """The facts a lifeline is made from; `sex` picks reference tables, `end` is death or the reference date."""

    number: int
    id: str
    sex: str
    gender: str
    birth: date
    death: date | None
    end: date
    group: Group
    family: tuple[str, str]
    given: tuple[str, str]
    stature_z: float
    bmi_z: float
    smoker: str
    traits: frozenset[str]

    def age(self, day: date) -> float:
        """Return the age in years on the day."""
        return (day - self.birth).days / 365.25


@dataclass
class Visit:
    """One encounter and what was recorded in it."""

    reference: str
    encounter: Json
    start: datetime
    end: datetime
    kind: EncounterKind
    targets: list[str] = field(default_factory=list)

    @property
    def practitioner(self) -> Json:
        """Return a reference to who saw the patient."""
        return shared("Practitioner", self.kind.staff)

    @property
    def organization(self) -> Json:
        """Return a reference to where the patient was seen."""
        return shared("Organization", _ORGANIZATION_OF[self.kind.place])

    @property
    def day(self) -> date:
        """Return the day it began."""
        return self.start.date()

    def moment(self, minutes: int = 5) -> datetime:
        """Return a moment so many minutes into the visit."""
        return self.start + timedelta(minutes=minutes)


class Chart:
    """Collects the resources of one patient in the order they are made."""

    def __init__(self, person: Person, rng: Random) -> None:
        self.person = person
        self.rng = rng
        self.resources: list[Json] = []
        self.visits: list[Visit] = []
        self.loose: list[str] = []
        self.dispensed: list[str] = []
        self.last_dispensed: datetime | None = None
        self.problems: dict[str, str] = {}
        self.facts: dict[str, Any] = {}
        self.known: dict[str, list[tuple[date, tuple[float, ...]]]] = {}
        self._by_day: dict[tuple[date, str], Visit] = {}
        self._counts: Counter[str] = Counter()

    @property
    def subject(self) -> Json:
        """Return a reference to the patient."""
        return basics.ref(f"Patient/{self.person.id}")

    def add(self, kind: str, body: Json, into: Visit | list[str] | None = None) -> str:
        """Return "Type/id" of the resource made of kind and body; ids count up per kind.

        Shape: into = the visit (or list) it belongs to, whose Provenance will have it as a target.
        """
        self._counts[kind] += 1
        name = (
            self.person.id if kind == "Patient" else f"{self.person.id}-{kind.lower()}-{self._counts[kind]}"
        )
        self.resources.append({"resourceType": kind, "id": name, **body})
        reference = f"{kind}/{name}"
        targets = self.loose if into is None else into.targets if isinstance(into, Visit) else into
        targets.append(reference)
        return reference

    def remember(self, key: str, day: date, value: tuple[float, ...]) -> None:
        """Note what a measure was on a day."""
        self.known.setdefault(key, []).append((day, value))

    def recall(self, key: str, day: date) -> tuple[float, ...] | None:
        """Return the remembered measure nearest to the day."""
        return min(self.known.get(key, []), key=lambda row: abs((row[0] - day).days), default=(day, None))[1]

    def days(self, first: date, step: int, jitter: int = 7, limit: int = 400) -> Iterator[date]:
        """Yield days every `step` days from first until the record ends, each moved by up to `jitter` days."""
        for number in range(limit):
            day = first + timedelta(days=number * step + (self.rng.randint(0, jitter) if jitter else 0))
            if day > self.person.end:
                return
            yield day

    def years_ago(self, years: float) -> date:
        """Return the day so many years before the record ends, but never before the third day of life."""
        day = self.person.end - timedelta(days=int(years * 365.25))
        return max(day, self.person.birth + timedelta(days=3))

    def visit(self, day: date, kind: str, reason: Code | None = None) -> Visit:
        """Return the visit of that kind on that day, made when it is new; never after the record ends."""
        day = min(day, self.person.end)
        known = self._by_day.get((day, kind))
        if known:
            return known
        how = KINDS[kind]
        start = basics.at(day, self.rng.randint(8, 15), self.rng.choice((0, 10, 20, 30, 40, 50)))
        end = start + timedelta(minutes=how.minutes)
        if how.klass == IMP and self.person.death:
            end = min(end, basics.at(self.person.death, 23, 0))
        body = self._encounter(how, start, end, reason)
        targets: list[str] = []
        reference = self.add("Encounter", body, targets)
        made = Visit(reference, self.resources[-1], start, end, how, targets)
        self.visits.append(made)
        self._by_day[(day, kind)] = made
        return made

    def _encounter(self, how: EncounterKind, start: datetime, end: datetime, reason: Code | None) -> Json:
        """Return the Encounter body."""
        number = f"{self.person.number:04d}-{len(self.visits) + 1:04d}"
        body: Json = {
            "meta": basics.profile("us-core-encounter"),
            "identifier": [basics.identifier("encounter", number)],
            "status": "finished",
            "class": how.klass.coding(),
            "type": [basics.concept(how.type, text="" if how.type.display else "Office visit")],
            "subject": self.subject,
            "participant": [
                {
                    "type": [basics.concept(_ATTENDER if how.klass == IMP else _PERFORMER)],
                    "period": basics.period(start, end),
                    "individual": shared("Practitioner", how.staff),
                }
            ],
            "period": basics.period(start, end),
        }
        if reason:
            body["reasonCode"] = [basics.concept(reason)]
        if how.klass == IMP:
            body["hospitalization"] = {"dischargeDisposition": self._disposition(end)}
        body["location"] = [{"location": shared("Location", how.place)}]
        body["serviceProvider"] = shared("Organization", _ORGANIZATION_OF[how.place])
        return body

    def _disposition(self, end: datetime) -> Json:
        """Return how a stay ended."""
        if self.person.death and end.date() >= self.person.death:
            return basics.concept(hl7("discharge-disposition", "exp", "Expired"))
        return basics.concept(
            hl7("discharge-disposition", "home", "Home"),
            Code(
                "http://www.nubc.org/patient-discharge",
                "01",
                "Discharged to home care or self care (routine discharge)",
            ),
        )
