"""The person behind a record: who they are, and the Patient, RelatedPerson, Coverage and Consent that say so."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.plans import Plan
from fhir_server.demo.record import Chart, Person, shared
from fhir_server.demo.tables import people as table
from fhir_server.demo.tables.codes import FHIR_SD, HL7, Code, Json, hl7, loinc, sct

_EN = FHIR_SD + "iso21090-EN-representation"


def make_person(number: int, seed: int, plan: Plan, today: date, rng: Random) -> Person:
    """Return the person of that number: same number, seed and plan → same person."""
    group = rng.choice(table.GROUPS)
    if "tribal" in plan.traits:
        group = table.GROUPS[8]
    age = rng.uniform(plan.youngest, plan.oldest)
    birth = today - timedelta(days=int(age * 365.25))
    death = today - timedelta(days=rng.randint(40, 400)) if "deceased" in plan.traits else None
    given = rng.choice(group.female if plan.sex == "female" else group.male)
    smoker = next((trait for trait in ("smoker", "ex-smoker") if trait in plan.traits), "never")
    heavy = rng.uniform(1.4, 2.1) if "obese" in plan.traits else rng.gauss(0.3, 0.6)
    return Person(
        number=number,
        id=f"demo-{seed}-{number:04d}",
        sex=plan.sex,
        gender=_gender(plan),
        birth=birth,
        death=death,
        end=death or today,
        group=group,
        family=rng.choice(group.families),
        given=given,
        stature_z=max(-1.8, min(1.8, rng.gauss(0, 0.8))),
        bmi_z=max(-1.6, min(2.2, heavy)),
        smoker=smoker,
        traits=plan.traits,
    )


def _gender(plan: Plan) -> str:
    """Return the administrative gender."""
    if "unidentified" in plan.traits:
        return "unknown"
    if "transgender" in plan.traits:
        return "male"
    return plan.sex


def patient(chart: Chart) -> None:
    """Add the Patient resource."""
    person, rng = chart.person, chart.rng
    body: Json = {
        "meta": basics.profile("us-core-patient"),
        "extension": _extensions(person),
        "identifier": [
            basics.identifier(
                "mrn",
                f"{person.id.upper()}",
                use="usual",
                type=basics.concept(hl7("v2-0203", "MR", "Medical Record Number")),
            )
        ],
        "active": person.death is None,
        "name": _names(person, rng),
        "telecom": _telecom(person, rng),
        "gender": person.gender,
    }
    if "unidentified" not in person.traits:
        body["birthDate"] = person.birth.isoformat()
    else:
        body["_birthDate"] = {"extension": [basics.absent_extension("unknown")]}
    if person.death:
        body["deceasedDateTime"] = basics.stamp(basics.at(person.death, 22, 40))
    elif person.number % 5 == 0:
        body["deceasedBoolean"] = False
    body["address"] = _addresses(person, rng)
    if person.age(person.end) >= 18 and "unidentified" not in person.traits:
        code, text = rng.choice((("M", "Married"), ("S", "Never Married"), ("D", "Divorced")))
        body["maritalStatus"] = basics.concept(hl7("v3-MaritalStatus", code, text))
    body["communication"] = [{"language": basics.concept(person.group.language), "preferred": True}]
    body["generalPractitioner"] = [
        shared("Practitioner", "family" if person.age(person.end) >= 18 else "pediatrician")
    ]
    body["managingOrganization"] = shared("Organization", "clinic")
    chart.add("Patient", body)


def _extensions(person: Person) -> list[Json]:
    """Return race, ethnicity, tribal affiliation, birth sex, sex and gender identity."""
    unknown = "unidentified" in person.traits
    group = person.group
    made = [_race(group, unknown), _ethnicity(group, unknown)]
    if "tribal" in person.traits:
        made.append(
            basics.us_core_extension(
                "us-core-tribal-affiliation",
                extension=[
                    {"url": "tribalAffiliation", "valueCodeableConcept": basics.concept(table.TRIBE)},
                    {"url": "isEnrolled", "valueBoolean": True},
                ],
            )
        )
    if unknown:
        return made
    made.append(
        basics.us_core_extension("us-core-birthsex", valueCode="F" if person.sex == "female" else "M")
    )
    made.append(
        basics.us_core_extension(
            "us-core-sex", valueCode="248152002" if person.sex == "female" else "248153007"
        )
    )
    if person.age(person.end) >= 13:
        made.append(
            basics.us_core_extension("us-core-genderIdentity", valueCodeableConcept=_identity(person))
        )
    return made


def _identity(person: Person) -> Json:
    """Return the gender identity (SNOMED CT, US edition)."""
    if "transgender" in person.traits:
        return basics.concept(sct("446151000124109", "Identifies as male gender"), text="Transgender man")
    if person.sex == "female":
        return basics.concept(sct("446141000124107", "Identifies as female gender"))
    return basics.concept(sct("446151000124109", "Identifies as male gender"))


def _race(group: table.Group, unknown: bool) -> Json:
    """Return the US Core race extension."""
    if unknown:
        parts = [{"url": "ombCategory", "valueCoding": hl7("v3-NullFlavor", "UNK", "unknown").coding()}]
        text = "Unknown"
    else:
        parts = [{"url": "ombCategory", "valueCoding": race.coding()} for race in group.race]
        if group.race_detail:
            parts.append({"url": "detailed", "valueCoding": group.race_detail.coding()})
        text = ", ".join(race.display for race in group.race)
    return basics.us_core_extension("us-core-race", extension=[*parts, {"url": "text", "valueString": text}])


def _ethnicity(group: table.Group, unknown: bool) -> Json:
    """Return the US Core ethnicity extension."""
    main = table.HISPANIC if group.hispanic else table.NOT_HISPANIC
    parts: list[Json] = [] if unknown else [{"url": "ombCategory", "valueCoding": main.coding()}]
    if group.hispanic and not unknown:
        parts.append({"url": "detailed", "valueCoding": group.hispanic.coding()})
    text = "Unknown" if unknown else main.display
    return basics.us_core_extension(
        "us-core-ethnicity", extension=[*parts, {"url": "text", "valueString": text}]
    )


def _names(person: Person, rng: Random) -> list[Json]:
    """Return the names: official, in native script, a previous one; or why there is none."""
    if "unidentified" in person.traits:
        return [{"use": "anonymous", "extension": [basics.absent_extension("unknown")]}]
    (family, native_family), (given, native_given) = person.family, person.given
    official: Json = {
        "use": "official",
        "family": family,
        "given": [given, rng.choice("ABCDEFGHJKLMNPRSTVWZ") + "."],
    }
    if "suffix" in person.traits:
        official["suffix"] = ["Jr."]
    made = [official]
    if native_family:
        made.append(
            {
                "use": "usual",
                "text": f"{native_family} {native_given}",
                "family": native_family,
                "given": [native_given],
                "extension": [{"url": _EN, "valueCode": "IDE"}],
            }
        )
    if "renamed" in person.traits:
        change = person.birth + timedelta(days=int(27.4 * 365.25))
        official["period"] = {"start": change.isoformat()}
        made.append(
            {
                "use": "old",
                "family": "Formerly-" + family,
                "given": [given],
                "period": {"start": person.birth.isoformat(), "end": change.isoformat()},
            }
        )
    return made


def _telecom(person: Person, rng: Random) -> list[Json]:
    """Return phone (fictional 555-01xx numbers) and e-mail."""
    if "unidentified" in person.traits:
        return [
            {
                "system": "phone",
                "use": "mobile",
                "_value": {"extension": [basics.absent_extension("unknown")]},
            }
        ]
    return [
        {"system": "phone", "value": f"+1-413-555-01{rng.randint(0, 99):02d}", "use": "home"},
        {
            "system": "email",
            "value": f"patient{person.number}@mail.demo.example.org",
            "use": "home",
            "rank": 2,
        },
    ]


def _address(rng: Random) -> Json:
    """Return one invented address."""
    town, postal = rng.choice(table.TOWNS)
    return {
        "line": [f"{rng.randint(1, 299)} {rng.choice(table.STREETS)}"],
        "city": town,
        "state": table.STATE,
        "postalCode": postal,
        "country": "US",
    }


def _addresses(person: Person, rng: Random) -> list[Json]:
    """Return the address, or the former and the present one."""
    home = {"use": "home", **_address(rng), "period": {"start": person.birth.isoformat()}}
    if "former-address" not in person.traits:
        return [home]
    moved = person.end - timedelta(days=1300)
    home["use"] = "old"
    home["period"]["end"] = moved.isoformat()
    return [{"use": "home", **_address(rng), "period": {"start": moved.isoformat()}}, home]


def household(chart: Chart) -> None:
    """Add the people around the patient, insurance and privacy consent."""
    person, rng = chart.person, chart.rng
    if "unidentified" in person.traits:
        return
    child = person.age(person.end) < 18
    if child or person.traits & {"partner", "caregiver"} or rng.random() < 0.3:
        chart.facts["relative"] = _relative(chart, child)
    _coverage(chart, child)
    _consent(chart)


def _relative(chart: Chart, child: bool) -> str:
    """Return the reference of a RelatedPerson."""
    person, rng = chart.person, chart.rng
    if child:
        role, names = hl7("v3-RoleCode", "MTH", "mother"), person.group.female
    elif "partner" in person.traits:
        role, names = hl7("v3-RoleCode", "SPS", "spouse"), person.group.male
    else:
        role, names = hl7("v3-RoleCode", "CHILD", "child"), person.group.female
    body: dict[str, Any] = {
        "meta": basics.profile("us-core-relatedperson"),
        "active": True,
        "patient": chart.subject,
        "relationship": [basics.concept(role)],
        "name": [{"use": "official", "family": person.family[0], "given": [rng.choice(names)[0]]}],
        "telecom": [{"system": "phone", "value": f"+1-413-555-01{rng.randint(0, 99):02d}", "use": "mobile"}],
        "address": [_address(rng)],
    }
    return chart.add("RelatedPerson", body)


# Source of payment: NAHDO Source of Payment Typology, version 9.2.
_PAYMENT = {
    "public-payer": Code("https://nahdo.org/sopt", "2", "MEDICAID"),
    "medicare": Code("https://nahdo.org/sopt", "1", "MEDICARE"),
    "payer": Code("https://nahdo.org/sopt", "5", "PRIVATE HEALTH INSURANCE"),
}


def _coverage(chart: Chart, child: bool) -> None:
    """Add the Coverage: private, Medicaid or, from 65, Medicare (CMS eligibility age)."""
    person, rng = chart.person, chart.rng
    public = "on-medicaid" in person.traits or rng.random() < 0.15
    kind = "medicare" if person.age(person.end) >= 65 else "public-payer" if public else "payer"
    start = max(person.birth, person.end - timedelta(days=365 * 6))
    relation = (
        hl7("subscriber-relationship", "child", "Child")
        if child
        else hl7("subscriber-relationship", "self", "Self")
    )
    member = f"MB{person.number:05d}{rng.randint(10, 99)}"
    group = basics.concept(Code(HL7 + "coverage-class", "group", "Group"))
    plan = basics.concept(Code(HL7 + "coverage-class", "plan", "Plan"))
    chart.add(
        "Coverage",
        {
            "meta": basics.profile("us-core-coverage"),
            "identifier": [
                basics.identifier(
                    "member", member, type=basics.concept(hl7("v2-0203", "MB", "Member Number"))
                )
            ],
            "status": "active" if person.death is None else "cancelled",
            "type": basics.concept(_PAYMENT[kind]),
            "subscriberId": member,
            "beneficiary": chart.subject,
            "relationship": basics.concept(relation),
            "period": {
                "start": start.isoformat(),
                **({"end": person.death.isoformat()} if person.death else {}),
            },
            "payor": [shared("Organization", "payer" if kind == "payer" else "public-payer")],
            "class": [
                {"type": group, "value": "LL-204", "name": "Lantern Lane Employers"},
                {"type": plan, "value": "FERN-2", "name": "Fern Standard Plan"},
            ],
        },
    )


def _consent(chart: Chart) -> None:
    """Add the privacy Consent: permit treatment; every fourth adult keeps mental health notes out."""
    person = chart.person
    day = max(person.birth, person.end - timedelta(days=int(chart.rng.uniform(200, 1500))))
    provision: Json = {
        "type": "permit",
        "period": {"start": day.isoformat()},
        "purpose": [{"system": HL7 + "v3-ActReason", "code": "TREAT", "display": "treatment"}],
    }
    if person.number % 4 == 2:
        provision["provision"] = [
            {
                "type": "deny",
                "securityLabel": [
                    {
                        "system": HL7 + "v3-ActCode",
                        "code": "PSY",
                        "display": "psychiatry disorder information sensitivity",
                    }
                ],
            }
        ]
    chart.add(
        "Consent",
        {
            "status": "active",
            "scope": basics.concept(Code(HL7 + "consentscope", "patient-privacy", "Privacy Consent")),
            "category": [basics.concept(loinc("59284-0", "Patient Consent"))],
            "patient": chart.subject,
            "dateTime": basics.stamp(basics.at(day, 11, 5)),
            "performer": [
                basics.ref(chart.facts["relative"])
                if "relative" in chart.facts and person.age(person.end) < 18
                else chart.subject
            ],
            "organization": [shared("Organization", "clinic")],
            "policyRule": basics.concept(Code(HL7 + "v3-ActCode", "OPTIN", "opt-in")),
            "provision": provision,
        },
    )
