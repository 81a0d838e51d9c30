"""Notes and images: DocumentReference with Binary, note reports with Media."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from hashlib import sha1
from struct import pack
from zlib import compress, crc32

from fhir_server.demo import basics, observe
from fhir_server.demo.pdf import make_pdf
from fhir_server.demo.record import Chart, Visit, shared
from fhir_server.demo.tables.codes import US_CORE_CS, Code, Json, loinc, sct

PROGRESS = loinc("11506-3", "Progress note")
DISCHARGE = loinc("18842-5", "Discharge summary")
HISTORY = loinc("34117-2", "History and physical note")
PROCEDURE_NOTE = loinc("28570-0", "Procedure note")
CONSULT = loinc("11488-4", "Consult note")
RADIOLOGY = loinc("LP29684-5", "Radiology")
CARDIOLOGY = loinc("LP29708-2", "Cardiology")
PATHOLOGY = loinc("LP7839-6", "Pathology")
RADIOGRAPHY = Code("http://dicom.nema.org/resources/ontology/DCM", "DX", "Digital Radiography")
ECG = Code("http://dicom.nema.org/resources/ontology/DCM", "ECG", "Electrocardiography")
ENDOSCOPY = Code("http://dicom.nema.org/resources/ontology/DCM", "ES", "Endoscopy")
CHEST = sct("51185008", "Thoracic structure")
_CLINICAL_NOTE = Code(US_CORE_CS + "us-core-documentreference-category", "clinical-note", "Clinical Note")
# The format code of IHE for content without further rules (IHE ITI format codes).
_MIME_ONLY = Code(
    "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "urn:ihe:iti:xds:2017:mimeTypeSufficient",
    "mimeType Sufficient",
)


def base64(data: bytes) -> str:
    """Return the data as base64 text."""
    return b64encode(data).decode()


def header(chart: Chart, visit: Visit, title: str) -> list[str]:
    """Return the first lines of a note."""
    person = chart.person
    name = "Unknown patient" if "unidentified" in person.traits else f"{person.given[0]} {person.family[0]}"
    born = "unknown" if "unidentified" in person.traits else person.birth.isoformat()
    return [
        title.upper(),
        f"Patient: {name}   Born: {born}   Record: {person.id.upper()}",
        f"Date: {visit.day.isoformat()}   Author: {visit.practitioner['display']}",
        "",
    ]


def note(chart: Chart, visit: Visit, kind: Code, lines: list[str], pdf: bool = False) -> str:
    """Return the reference of a DocumentReference whose text (or PDF) is inline and also a Binary."""
    whole = [*header(chart, visit, kind.display), *lines, "", f"Signed: {visit.practitioner['display']}"]
    data = make_pdf(whole) if pdf else "\n".join(whole).encode()
    mime = "application/pdf" if pdf else "text/plain; charset=utf-8"
    content: Json = {"contentType": mime, "securityContext": chart.subject, "data": base64(data)}
    binary = chart.add("Binary", content, visit)
    number = f"{chart.person.number:04d}-D{len(chart.resources):04d}"
    attachment: Json = {
        "contentType": mime,
        "language": "en",
        "url": binary,
        "size": len(data),
        "hash": base64(sha1(data, usedforsecurity=False).digest()),
        "title": kind.display,
        "creation": basics.stamp(visit.moment(25)),
    }
    if not pdf:
        attachment["data"] = base64(data)
    return chart.add(
        "DocumentReference",
        {
            "meta": basics.profile("us-core-documentreference"),
            "identifier": [basics.identifier("document", number)],
            "status": "current",
            "docStatus": "final",
            "type": basics.concept(kind),
            "category": [basics.concept(_CLINICAL_NOTE)],
            "subject": chart.subject,
            "date": basics.stamp(visit.moment(26)),
            "author": [visit.practitioner],
            "custodian": visit.organization,
            "content": [{"attachment": attachment, "format": _MIME_ONLY.coding()}],
            "context": {
                "encounter": [basics.ref(visit.reference)],
                "period": basics.period(visit.start, visit.end),
            },
        },
        visit,
    )


def picture(shades: list[int], width: int) -> bytes:
    """Return a grey 8-bit PNG of the shades, row by row. Source: W3C PNG specification (3rd ed.), section 5."""
    rows = b"".join(b"\0" + bytes(shades[at : at + width]) for at in range(0, len(shades), width))
    head = pack(">IIBBBBB", width, len(shades) // width, 8, 0, 0, 0, 0)
    made = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", head), (b"IDAT", compress(rows, 9)), (b"IEND", b"")):
        made += pack(">I", len(body)) + kind + body + pack(">I", crc32(kind + body))
    return made


def media(chart: Chart, visit: Visit, title: str, modality: Code, site: Code) -> str:
    """Return the reference of a Media with a small made-up image (a bright ellipse on grey)."""
    width = 32
    shades = [
        max(20, min(235, 220 - int(((x - 16) ** 2 * 1.2 + (y - 16) ** 2) * 0.9) + chart.rng.randint(-8, 8)))
        for y in range(width)
        for x in range(width)
    ]
    return chart.add(
        "Media",
        {
            "status": "completed",
            "type": basics.concept(
                Code("http://terminology.hl7.org/CodeSystem/media-type", "image", "Image")
            ),
            "modality": basics.concept(modality),
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            "createdDateTime": basics.stamp(visit.moment(12)),
            "issued": basics.stamp(visit.moment(20)),
            "operator": shared("Practitioner", "radiologist"),
            "bodySite": basics.concept(site),
            "height": width,
            "width": width,
            "content": {"contentType": "image/png", "data": base64(picture(shades, width)), "title": title},
        },
        visit,
    )


def note_report(
    chart: Chart,
    visit: Visit,
    category: Code,
    code: Code,
    results: list[str],
    lines: list[str],
    image: str | None = None,
    ordered: str | None = None,
) -> str:
    """Return the reference of a note DiagnosticReport (radiology, cardiology …) with its text as presentedForm."""
    text = "\n".join([*header(chart, visit, code.display), *lines]).encode()
    body: Json = {"meta": basics.profile("us-core-diagnosticreport-note")}
    if ordered:
        body["basedOn"] = [basics.ref(ordered)]
    body |= {
        "status": "final",
        "category": [basics.concept(category)],
        "code": basics.concept(code),
        "subject": chart.subject,
        "encounter": basics.ref(visit.reference),
        "effectiveDateTime": basics.stamp(visit.moment(15)),
        "issued": basics.stamp(visit.moment(15) + timedelta(hours=2)),
        "performer": [shared("Practitioner", "radiologist"), visit.organization],
        "result": [basics.ref(one) for one in results],
    }
    if image:
        body["media"] = [{"comment": "Key image", "link": basics.ref(image)}]
    body |= {
        "conclusion": lines[-1],
        "presentedForm": [
            {
                "contentType": "text/plain; charset=utf-8",
                "language": "en",
                "data": base64(text),
                "title": code.display,
            }
        ],
    }
    return chart.add("DiagnosticReport", body, visit)


def chest_film(chart: Chart, visit: Visit, impression: str, lines: list[str], *others: str) -> None:
    """Add an X-ray of the chest: picture, impression, and the report, which may cite `others`."""
    image = media(chart, visit, "Chest", RADIOGRAPHY, CHEST)
    words = observe.clinical(
        chart,
        visit,
        ("imaging", "Imaging"),
        loinc("19005-8", "Radiology Imaging study [Impression] (narrative)"),
        {"valueString": impression},
    )
    film = loinc("36643-5", "XR Chest 2 Views")
    note_report(chart, visit, RADIOLOGY, film, [words, *others], lines, image)
