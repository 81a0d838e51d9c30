"""Random resources with index rows of every kind, and random requests about a few ids."""

from __future__ import annotations

import random
from typing import Any

Json = dict[str, Any]
SLOTS = ("a", "b", "c", "d")
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
LOINC = "http://loinc.org"
SYSTEM = "http://example.org/ids"


class Maker:
    """Makes resources and Bundle entries from one source of chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.fresh = 0

    def word(self) -> str:
        """Return a word; now and then one that nobody has said before."""
        if self.random.random() < 0.2:
            self.fresh += 1
            return f"word{self.fresh}x{self.random.randrange(10**6)}"
        return self.random.choice(WORDS)

    def reference(self, kind: str) -> Json:
        """Return a reference to one of the few, or to one that is only mentioned."""
        if self.random.random() < 0.2:
            return {"reference": f"{kind}/never-{self.word()}"}
        return {"reference": f"{kind}/{self.random.choice(SLOTS)}"}

    def concept(self) -> Json:
        """Return a CodeableConcept with labels."""
        coding = {"system": LOINC, "code": self.random.choice(["8480-6", "8462-4"]), "display": self.word()}
        return {"coding": [coding], "text": self.word()}

    def narrative(self) -> Json:
        """Return a narrative of a few words."""
        words = " ".join(self.word() for _ in range(self.random.randrange(1, 5)))
        return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'}

    def contained(self) -> list[Json]:
        """Return up to three contained resources, some of which refer to each other or to the container."""
        found: list[Json] = []
        if self.random.random() < 0.5:
            organization = {"resourceType": "Organization", "id": "org", "name": self.word()}
            found.append(organization | {"type": [self.concept()]})
        if self.random.random() < 0.5:
            patient = {"resourceType": "Patient", "id": "pat", "name": [{"family": self.word()}]}
            found.append(patient | {"generalPractitioner": [{"reference": "#"}]})
        if self.random.random() < 0.3:
            inner = self.plain_observation() | {"id": "obs"}
            if any(one["id"] == "pat" for one in found):
                inner["subject"] = {"reference": "#pat"}
            found.append(inner)
        return found

    def plain_observation(self) -> Json:
        """Return an Observation of components, which are rows of composites."""
        values = [round(self.random.uniform(50, 200), self.random.randrange(3)) for _ in range(2)]
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": self.concept(),
            "component": [
                {"code": self.concept(), "valueQuantity": {"value": value, "unit": "mmHg",
                 "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}}
                for value in values
            ],
        }  # fmt: skip

    def resource(self, kind: str, id_: str | None = None) -> Json:
        """Return a resource of a kind."""
        made: Json = {"Patient": self._patient, "Observation": self._observation, "Location": self._location}[
            kind
        ]()
        if self.random.random() < 0.5:
            made["text"] = self.narrative()
        if id_ is not None:
            made["id"] = id_
        if self.random.random() < 0.3:
            made["meta"] = {"tag": [{"system": SYSTEM, "code": self.word(), "display": self.word()}]}
        return made

    def _patient(self) -> Json:
        return {
            "resourceType": "Patient",
            "identifier": [{"system": SYSTEM, "value": self.random.choice(SLOTS), "type": self.concept()}],
            "name": [{"family": self.word(), "given": [self.word()]}],
            "birthDate": f"19{self.random.randrange(10, 99)}",
            "managingOrganization": self.reference("Organization"),
            "link": [{"other": self.reference("Patient"), "type": "seealso"}],
        }

    def _observation(self) -> Json:
        made = self.plain_observation()
        made["identifier"] = [{"system": SYSTEM, "value": self.random.choice(SLOTS)}]
        contained = self.contained()
        if contained:
            made["contained"] = contained
        inside = [one["id"] for one in contained if one["id"] in ("pat", "org")]
        made["subject"] = self.reference("Patient")
        if inside:
            made["performer" if "org" in inside[0] else "subject"] = (
                [{"reference": "#org"}] if "org" in inside[0] else {"reference": "#pat"}
            )
        made["effectiveDateTime"] = f"20{self.random.randrange(10, 26)}-0{self.random.randrange(1, 9)}"
        return made

    def _location(self) -> Json:
        latitude = round(self.random.uniform(-90, 90), 4)
        return {
            "resourceType": "Location",
            "identifier": [{"system": SYSTEM, "value": self.random.choice(SLOTS)}],
            "name": self.word(),
            "position": {"latitude": latitude, "longitude": round(latitude / 2, 4)},
            "address": {"text": self.word(), "city": self.word()},
        }

    def entry(self) -> Json:
        """Return one write of one of the few, or of something new."""
        kind = self.random.choice(["Patient", "Observation", "Observation", "Location"])
        slot = self.random.choice(SLOTS)
        criteria = f"identifier={SYSTEM}|{slot}"
        match self.random.randrange(12):
            case 0 | 1:
                request: Json = {"method": "POST", "url": kind}
                if self.random.random() < 0.5:
                    request["ifNoneExist"] = criteria
                return {"resource": self.resource(kind), "request": request}
            case 2 | 3:
                return {"request": {"method": "DELETE", "url": f"{kind}/{slot}"}}
            case 4:
                return {"request": {"method": "DELETE", "url": f"{kind}?{criteria}"}}
            case 5:
                return {
                    "resource": self.resource(kind),
                    "request": {"method": "PUT", "url": f"{kind}?{criteria}"},
                }
            case 6 | 7:
                return {"resource": self.patch(kind), "request": {"method": "PATCH", "url": f"{kind}/{slot}"}}
            case _:
                made, more = self.resource(kind, slot), {}
                if self.random.random() < 0.2:
                    more = {"ifMatch": f'W/"{self.random.randrange(1, 6)}"'}
                return {"resource": made, "request": {"method": "PUT", "url": f"{kind}/{slot}", **more}}

    def patch(self, kind: str) -> Json:
        """Return a FHIRPath Patch that adds an identifier."""
        value = {"system": SYSTEM, "value": self.random.choice(SLOTS), "type": {"text": self.word()}}
        parts = [
            {"name": "type", "valueCode": "add"},
            {"name": "path", "valueString": kind},
            {"name": "name", "valueString": "identifier"},
            {"name": "value", "valueIdentifier": value},
        ]
        return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}

    def bundle(self, kind: str, size: int) -> Json:
        """Return a Bundle of writes; a transaction of different ids, some with links and conditional references."""
        entries, seen = [], set()
        for _ in range(size):
            one = self.entry()
            if one["request"]["url"] in seen:
                continue
            seen.add(one["request"]["url"])
            entries.append(one)
        if self.random.random() < 0.5:
            urn = f"urn:uuid:00000000-0000-4000-8000-{self.random.randrange(10**12):012d}"
            name = f"n{self.random.randrange(10**9)}"
            patient = self.resource("Patient") | {"identifier": [{"system": SYSTEM, "value": name}]}
            entries.append(
                {"fullUrl": urn, "resource": patient, "request": {"method": "POST", "url": "Patient"}}
            )
            observation = self.resource("Observation")
            observation["subject"] = {"reference": urn}
            observation["focus"] = [{"reference": f"Patient?identifier={SYSTEM}|{name}"}]
            entries.append({"resource": observation, "request": {"method": "POST", "url": "Observation"}})
        return {"resourceType": "Bundle", "type": kind, "entry": entries}
