"""The shared world as resources: the first bundle. The same for every seed, so populations can share it."""

from __future__ import annotations

from datetime import date

from fhir_server.demo import basics
from fhir_server.demo.record import shared
from fhir_server.demo.tables import surveys
from fhir_server.demo.tables import world as table
from fhir_server.demo.tables.codes import EXAMPLE, FHIR_SD, HL7, NPI, US_CORE_CS, Code, Json, hl7
from fhir_server.demo.tables.medications import DRUGS
from fhir_server.demo.tables.people import STATE

_DIRECT = hl7("endpoint-connection-type", "direct-project", "Direct Project")
_FHIR = hl7("endpoint-connection-type", "hl7-fhir-rest", "HL7 FHIR")


def world(today: date) -> list[Json]:
    """Return every resource that belongs to no patient, referenced ones first."""
    made = [
        *_organizations(),
        *_endpoints(),
        *_locations(),
        *_practitioners(),
        *_medications(),
        *_devices(),
        *_questionnaires(today),
    ]
    return [*made, _provenance(made, today)]


def _make(kind: str, key: str, body: Json) -> Json:
    """Return a shared resource."""
    return {"resourceType": kind, "id": f"demo-{key}", **body}


def _phone(number: int) -> list[Json]:
    """Return a fictional work phone number."""
    return [{"system": "phone", "value": f"+1-617-555-01{number:02d}", "use": "work"}]


def _address(line: str, town: str, postal: str) -> Json:
    """Return a work address."""
    return {"line": [line], "city": town, "state": STATE, "postalCode": postal, "country": "US"}


def _organizations() -> list[Json]:
    """Return the organizations."""
    made = []
    for number, row in enumerate(table.ORGANIZATIONS):
        identifiers = [basics.identifier("organization", f"ORG-{number + 1:03d}")]
        if row.npi:
            identifiers.insert(0, basics.identifier(NPI, basics.npi(row.npi)))
        if row.key == "lab":
            identifiers.append(basics.identifier("urn:oid:2.16.840.1.113883.4.7", table.LAB_CLIA))
        if row.key == "payer":
            identifiers.append(basics.identifier("urn:oid:2.16.840.1.113883.6.300", table.PAYER_NAIC))
        made.append(
            _make(
                "Organization",
                row.key,
                {
                    "meta": basics.profile("us-core-organization"),
                    "identifier": identifiers,
                    "active": True,
                    "type": [basics.concept(row.kind)],
                    "name": row.name,
                    "telecom": _phone(number),
                    "address": [_address(f"{number * 10 + 1} Harbor Square", row.town, row.postal)],
                },
            )
        )
    return made


def _endpoints() -> list[Json]:
    """Return a Direct mail box per practitioner and one FHIR endpoint of the exchange."""
    payload = [basics.concept(Code(HL7 + "endpoint-payload-type", "any", "Any"))]
    made = [
        _make(
            "Endpoint",
            "exchange",
            {
                "identifier": [basics.identifier("endpoint", "exchange")],
                "status": "active",
                "connectionType": _FHIR.coding(),
                "name": "Harbor exchange",
                "payloadType": payload,
                "managingOrganization": shared("Organization", "exchange"),
                "payloadMimeType": ["application/fhir+json"],
                "address": f"{EXAMPLE}exchange/fhir",
            },
        )
    ]
    made.extend(_direct(staff, payload) for staff in table.STAFF)
    return made


def _direct(staff: table.Staff, payload: list[Json]) -> Json:
    """Return the Direct mail box of one practitioner."""
    return _make(
        "Endpoint",
        f"direct-{staff.key}",
        {
            "identifier": [basics.identifier("endpoint", staff.key)],
            "status": "active",
            "connectionType": _DIRECT.coding(),
            "name": f"{staff.family} Direct",
            "managingOrganization": shared("Organization", staff.organization),
            "payloadType": payload,
            "payloadMimeType": ["text/xml"],
            "address": f"mailto:{staff.key}@direct.demo.example.org",
        },
    )


def _locations() -> list[Json]:
    """Return the places."""
    town = {row.key: row for row in table.ORGANIZATIONS}
    return [
        _make(
            "Location",
            row.key,
            {
                "meta": basics.profile("us-core-location"),
                "identifier": [basics.identifier("location", row.key)],
                "status": "active",
                "name": row.name,
                "mode": "instance",
                "type": [basics.concept(row.kind)],
                "telecom": _phone(40 + number),
                "address": _address(
                    f"{number + 2} Harbor Square", town[row.organization].town, town[row.organization].postal
                ),
                "managingOrganization": shared("Organization", row.organization),
            },
        )
        for number, row in enumerate(table.PLACES)
    ]


def _practitioners() -> list[Json]:
    """Return each Practitioner followed by the PractitionerRole."""
    staff = enumerate(table.STAFF)
    return [make(number, one) for number, one in staff for make in (_practitioner, _role)]


def _practitioner(number: int, staff: table.Staff) -> Json:
    name: Json = {"use": "official", "family": staff.family, "given": [staff.given]}
    qualification: Json = {"code": {"text": staff.role.display}}
    if staff.prefix:
        name["prefix"] = [staff.prefix]
        qualification = {"code": basics.concept(hl7("v2-0360", "MD", "Doctor of Medicine"))}
    return _make(
        "Practitioner",
        staff.key,
        {
            "meta": basics.profile("us-core-practitioner"),
            "identifier": [basics.identifier(NPI, basics.npi(f"99910{number:04d}"))],
            "active": True,
            "name": [name],
            "telecom": _phone(60 + number),
            "address": [{"use": "work", **_address("1 Harbor Square", "Port Lantern", "02199")}],
            "gender": staff.gender,
            "qualification": [qualification],
        },
    )


def _role(number: int, staff: table.Staff) -> Json:
    return _make(
        "PractitionerRole",
        staff.key,
        {
            "meta": basics.profile("us-core-practitionerrole"),
            "active": True,
            "practitioner": shared("Practitioner", staff.key),
            "organization": shared("Organization", staff.organization),
            "code": [basics.concept(staff.role)],
            "specialty": [basics.concept(staff.specialty)],
            "location": [shared("Location", staff.place)],
            "telecom": _phone(60 + number),
            "endpoint": [basics.ref(f"Endpoint/demo-direct-{staff.key}")],
        },
    )


def _medications() -> list[Json]:
    """Return the medicines that some prescriptions refer to."""
    return [
        _make(
            "Medication",
            key,
            {
                "meta": basics.profile("us-core-medication"),
                "code": basics.concept(drug.code),
                "status": "active",
            },
        )
        for key, drug in sorted(DRUGS.items())
    ]


def _devices() -> list[Json]:
    """Return devices used by many: the record system and a clinic monitor."""
    return [
        _make(
            "Device",
            "record-system",
            {
                "status": "active",
                "deviceName": [{"name": "Demo record system", "type": "user-friendly-name"}],
                "version": [{"value": "1.0"}],
                "owner": shared("Organization", "clinic"),
                "type": {"text": "Electronic health record"},
            },
        ),
        _make(
            "Device",
            "monitor",
            {
                "status": "active",
                "serialNumber": "MON-0001",
                "owner": shared("Organization", "clinic"),
                "deviceName": [{"name": "Vital signs monitor", "type": "user-friendly-name"}],
                "type": {"text": "Vital signs monitor"},
                "location": shared("Location", "clinic"),
            },
        ),
    ]


def _choice(code: Code, answers: tuple[Code, ...]) -> Json:
    """Return a choice question."""
    return {
        "linkId": f"/{code.code}",
        "code": [code.coding()],
        "text": code.display,
        "type": "choice",
        "answerOption": [
            {
                "extension": [{"url": FHIR_SD + "ordinalValue", "valueDecimal": score}],
                "valueCoding": answer.coding(),
            }
            for score, answer in enumerate(answers)
        ],
    }


def _form(key: str, title: str, code: Code, today: date, items: list[Json]) -> Json:
    """Return a Questionnaire."""
    return _make(
        "Questionnaire",
        key,
        {
            "url": f"{EXAMPLE}Questionnaire/{key}",
            "version": "1.0",
            "name": title.replace(" ", "").replace("-", ""),
            "title": title,
            "status": "active",
            "subjectType": ["Patient"],
            "date": f"{today.year - 5}-01-15",
            "publisher": "Demo data",
            "code": [code.coding()],
            "item": items,
        },
    )


def _questionnaires(today: date) -> list[Json]:
    """Return the two questionnaires whose responses the patients have."""
    phq = [_choice(code, surveys.PHQ9_ANSWERS) for code in surveys.PHQ9_ITEMS]
    total, hard = surveys.PHQ9_TOTAL, _choice(surveys.PHQ9_DIFFICULTY, surveys.DIFFICULTY_ANSWERS)
    hard["item"] = [{"linkId": "/example", "text": "For example", "type": "string"}]
    return [
        _form(
            "phq-9",
            "PHQ-9 depression screening",
            surveys.PHQ9_PANEL,
            today,
            [
                {"linkId": "/44249-1", "text": "Over the last two weeks", "type": "group", "item": phq},
                {
                    "linkId": f"/{total.code}",
                    "code": [total.coding()],
                    "text": total.display,
                    "type": "decimal",
                    "readOnly": True,
                },
                hard,
                {"linkId": "/comment", "text": "Anything else", "type": "string"},
            ],
        ),
        _form(
            "hunger-vital-sign",
            "Hunger Vital Sign",
            surveys.HUNGER_PANEL,
            today,
            [
                *(_choice(code, surveys.HUNGER_ANSWERS) for code in surveys.HUNGER_ITEMS),
                _choice(surveys.HUNGER_RISK, (surveys.NO_RISK, surveys.AT_RISK)),
            ],
        ),
    ]


def _provenance(resources: list[Json], today: date) -> Json:
    """Return the Provenance of the shared world."""
    author = hl7("provenance-participant-type", "author", "Author")
    sender = Code(US_CORE_CS + "us-core-provenance-participant-type", "transmitter", "Transmitter")
    return _make(
        "Provenance",
        "world",
        {
            "meta": basics.profile("us-core-provenance"),
            "target": [basics.ref(f"{one['resourceType']}/{one['id']}") for one in resources],
            "recorded": basics.stamp(basics.at(date(today.year - 5, 1, 15), 9)),
            "activity": basics.concept(hl7("v3-DataOperation", "CREATE", "create")),
            "agent": [
                {
                    "type": basics.concept(author),
                    "who": shared("Practitioner", "family"),
                    "onBehalfOf": shared("Organization", "clinic"),
                },
                {"type": basics.concept(sender), "who": shared("Organization", "exchange")},
            ],
        },
    )
