"""Small random worlds, and random askers in them."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.security.judge.grants import Asker

Json = dict[str, Any]
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CATEGORIES = ("laboratory", "vital-signs", "survey")
TYPES = [
    *("Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "DocumentReference", "Binary"),
    *(
        "Provenance",
        "Task",
        "RelatedPerson",
        "List",
        "Practitioner",
        "Organization",
        "Medication",
        "Group",
        "Consent",
    ),
]


def world(random: Random, tag: str) -> dict[str, Json]:
    """Return resources by 'Type/id': three patients, what is about them, and what they share; ids end in `tag`."""
    found: dict[str, Json] = {}

    def add(kind: str, local: str, /, **elements: Any) -> str:
        resource = {"resourceType": kind, "id": f"{local}-{tag}", **elements}
        found[f"{kind}/{resource['id']}"] = resource
        return f"{kind}/{resource['id']}"

    organization = add("Organization", "o", name=f"Org {tag}")
    doctor = add("Practitioner", "dr", name=[{"family": f"Doctor{tag}"}])
    drug = add("Medication", "m", code={"text": "wonder"})
    people = [
        add(
            "Patient",
            f"p{n}",
            name=[{"family": f"Fam{n}", "given": [tag]}],
            managingOrganization=_to(organization),
        )
        for n in range(3)
    ]
    meetings = [add("Encounter", f"e{n}", **_encounter(random.choice(people))) for n in range(3)]
    for n in range(6):
        add("Observation", f"ob{n}", **_observation(random, people, meetings, doctor))
    for n in range(3):
        who = random.choice(people)
        add(
            "Condition",
            f"c{n}",
            code={"text": f"sick {n}"},
            subject=_to(who),
            encounter=_to(random.choice(meetings)),
        )
        add("MedicationRequest", f"mr{n}", **_request(random.choice(people), drug, doctor))
        add(
            "Task",
            f"t{n}",
            status="requested",
            intent="order",
            **{"for": _to(random.choice([*people, doctor]))},
        )
    binaries = [add("Binary", f"b{n}", contentType="text/plain", data="aGk=") for n in range(3)]
    found[binaries[2]]["securityContext"] = _to(random.choice(people))
    for n in range(2):
        content = [{"attachment": {"contentType": "text/plain", "url": binaries[n]}}]
        add(
            "DocumentReference",
            f"d{n}",
            status="current",
            subject=_to(random.choice(people)),
            content=content,
        )
    add("RelatedPerson", "r", patient=_to(random.choice(people)), name=[{"family": "Kin"}])
    add("Group", "g", type="person", actual=True, member=[{"entity": _to(one)} for one in people])
    targets = [key for key in found if key.partition("/")[0] in ("Observation", "Condition", "Patient")]
    for n in range(2):
        listed = [_to(one) for one in random.sample(targets, random.choice([1, 1, 2]))]
        add(
            "Provenance",
            f"v{n}",
            target=listed,
            recorded="2026-01-01T00:00:00Z",
            agent=[{"who": _to(doctor)}],
        )
    for n, one in enumerate(_consents(random, people, doctor, f"RelatedPerson/r-{tag}")):
        add("Consent", f"k{n}", **one)
    items = [{"item": _to(one)} for one in random.sample(targets, 3)]
    add("List", "l", status="current", mode="working", subject=_to(random.choice(people)), entry=items)
    return found


def _consents(random: Random, people: list[str], doctor: str, kin: str) -> list[Json]:
    """Return Consents that do not contradict each other: a relative may act, some patients deny."""
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    denials: list[Json] = [
        {"type": "deny", "actor": [_actor(doctor)]},
        {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Condition"}]},
        {"type": "deny", "actor": [_actor(doctor)], "code": [code]},
    ]
    found = [
        _consent(one, {"type": "permit", "actor": [_actor(kin)]}) for one in people if random.random() < 0.7
    ]
    denying = [one for one in people if random.random() < 0.8]
    found += [_consent(one, {"type": "permit", "provision": [random.choice(denials)]}) for one in denying]
    return found


def _consent(who: str, provision: Json) -> Json:
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    category = {"system": "http://loinc.org", "code": "59284-0"}
    return {
        "status": "active",
        "scope": {"coding": [scope]},
        "category": [{"coding": [category]}],
        "patient": _to(who),
        "dateTime": "2026-01-01",
        "policyRule": {"text": "as the patient says"},
        "provision": provision,
    }


def _actor(key: str) -> Json:
    role = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
    return {"role": {"coding": [role]}, "reference": _to(key)}


def _to(key: str) -> Json:
    return {"reference": key}


def _encounter(who: str) -> Json:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    return {"status": "finished", "class": kind, "subject": _to(who)}


def _observation(random: Random, people: list[str], meetings: list[str], doctor: str) -> Json:
    performer = [_to(random.choice([doctor, doctor, *people]))]
    return {
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": random.choice(CATEGORIES)}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": random.choice(["8867-4", "718-7"])}]},
        "subject": _to(random.choice(people)),
        "performer": performer,
        "encounter": _to(random.choice(meetings)),
        "effectiveDateTime": f"2026-01-{random.randint(1, 28):02d}",
    }


def _request(who: str, drug: str, doctor: str) -> Json:
    return {
        "status": "active",
        "intent": "order",
        "subject": _to(who),
        "medicationReference": _to(drug),
        "requester": _to(doctor),
    }


def asker(random: Random, resources: dict[str, Json], tag: str) -> Asker:
    """Return somebody with random scopes: an app of a patient, a clinician, a pharmacist, a parent, a backend."""
    people = sorted(key for key in resources if key.startswith("Patient/"))
    kind = random.choice(["patient", "own", "clinician", "clinician", "pharmacist", "caregiver", "system"])
    me = random.choice(people)
    if kind == "system":
        return Asker(_scopes(random, "system"))
    if kind == "patient":
        return Asker(_scopes(random, "patient"), patient=me.removeprefix("Patient/"), user=me, role="patient")
    if kind == "own":
        return Asker(_scopes(random, "user"), user=me, role="patient")
    if kind == "caregiver":
        return Asker(
            _scopes(random, "user"), user=f"RelatedPerson/r-{tag}", role="caregiver", acting_for=(me,)
        )
    return Asker(_scopes(random, "user"), user=f"Practitioner/dr-{tag}", role=kind)


def _scopes(random: Random, level: str) -> tuple[str, ...]:
    if random.random() < 0.4:
        return (f"{level}/*.rs",)
    found = []
    for kind in random.sample(TYPES, random.randint(2, 9)):
        letters = random.choice(["rs", "rs", "r", "s", "cruds"])
        query = ""
        if kind == "Observation" and random.random() < 0.5:
            query = (
                f"?category={CATEGORY}|{random.choice(CATEGORIES)}"
                if random.random() < 0.5
                else "?category=survey"
            )
        found.append(f"{level}/{kind}.{letters}{query}")
    return tuple(found)
