"""What is uploaded is what it says it is. Source: OWASP ASVS 4.0, 12.2.1"""

from __future__ import annotations

from base64 import b64encode, encodebytes
from typing import Any

import pytest

from fhir_server.changes import uploads
from resources.outcome import FhirError

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PROGRAM = b"MZ\x90\0\x03\0\0\0"
DICOM = bytes(128) + b"DICM"


def binary(content: bytes, mime: str) -> dict[str, Any]:
    return {"resourceType": "Binary", "contentType": mime, "data": b64encode(content).decode()}


def test_every_row_names_its_source_and_its_types_once() -> None:
    rows = uploads.rules()
    assert all(row.source for row in rows.programs) and all(row.source for row in rows.declared)
    names = [name for row in rows.declared for name in row.types]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (PNG, "image/png"),
        (PNG, "IMAGE/PNG; name=x"),
        (PNG, "application/octet-stream"),
        (b"%PDF-1.7 ...", "application/pdf"),
        (b"\r\njunk before %PDF-1.4", "application/pdf"),
        (DICOM, "application/dicom"),
        (b"MZ is forty-five years old", "text/plain"),
        (b"", "image/png"),
        (b"whatever", "chemical/x-pdb"),
    ],
)
def test_honest_content_is_taken(content: bytes, mime: str) -> None:
    uploads.check(binary(content, mime))


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"<html><script>alert(1)</script>", "image/png"),
        (b"<svg onload=alert(1)>", "image/jpeg"),
        (b"MZ is forty-five years old", "application/pdf"),
        (b"%PDF-1.7 ...", "image/tiff"),
        (PNG, "application/dicom"),
        (b" " * 1100 + b"%PDF-1.7", "application/pdf"),
    ],
)
def test_content_under_a_false_name_is_refused(content: bytes, mime: str) -> None:
    with pytest.raises(FhirError, match="does not begin as") as refused:
        uploads.check(binary(content, mime))
    assert (refused.value.status, refused.value.issues[0].expression) == (422, ("Binary.contentType",))


@pytest.mark.parametrize("mime", ["application/octet-stream", "text/plain", "image/png", ""])
@pytest.mark.parametrize(
    "content", [PROGRAM, b"\x7fELF\x02\x01\x01\0", bytes.fromhex("cafebabe00000037"), b"\0asm\x01\0\0\0"]
)
def test_a_program_is_refused_under_any_name(content: bytes, mime: str) -> None:
    with pytest.raises(FhirError, match="programs are not stored here") as refused:
        uploads.check(binary(content, mime))
    assert refused.value.issues[0].expression == ("Binary.data",)


def test_line_breaks_in_base64_hide_nothing() -> None:
    data = encodebytes(PROGRAM + bytes(500)).decode().replace("\n", "\r\n ")
    with pytest.raises(FhirError, match="Windows program"):
        uploads.check({"resourceType": "Binary", "contentType": "text/plain", "data": data})


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        ({"resourceType": "Patient", "photo": [{}, "HERE"]}, "Patient.photo.data"),
        (
            {"resourceType": "DocumentReference", "content": [{"attachment": "HERE"}]},
            "DocumentReference.content.attachment.data",
        ),
        (
            {"resourceType": "Communication", "payload": [{"contentAttachment": "HERE"}]},
            "Communication.payload.contentAttachment.data",
        ),
        (
            {
                "resourceType": "QuestionnaireResponse",
                "item": [{"item": [{"answer": [{"valueAttachment": "HERE"}]}]}],
            },
            "QuestionnaireResponse.item.item.answer.valueAttachment.data",
        ),
    ],
)
def test_attachments_are_looked_at_wherever_a_type_has_them(resource: dict[str, Any], where: str) -> None:
    attachment = {"contentType": "image/png", "data": b64encode(PROGRAM).decode()}
    with pytest.raises(FhirError, match="programs") as refused:
        uploads.check(_filled(resource, attachment))
    assert refused.value.issues[0].expression == (where,)
    uploads.check(_filled(resource, {"contentType": "image/png", "url": "http://x.example/pic.png"}))


def _filled(node: Any, attachment: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_filled(one, attachment) for one in node]
    if isinstance(node, dict):
        return {name: _filled(one, attachment) for name, one in node.items()}
    return attachment if node == "HERE" else node
