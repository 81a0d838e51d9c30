"""FHIR XML to plain dicts and back, driven by the definitions.

Read with expat, which tells where each element begins and ends: so a narrative comes out letter for letter. There
is no document type, hence no entities; nothing is ever fetched.

Source: http://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

from typing import Any

from resources.codec.json import too_deep
from resources.codec.json_problem import MAX_DEPTH
from resources.codec.xml_reader import XmlReader
from resources.codec.xml_writer import XmlWriter
from resources.outcome import FhirError


def parse_xml(data: bytes) -> dict[str, Any]:
    """Return the resource in `data`, in the shape that FHIR JSON has; decimals keep their digits.

    Errors: FhirError 400 with line and column for malformed XML, document types, text between elements, unknown or
            misplaced elements and attributes, and values that are no number or boolean where one is due
    """
    resource = XmlReader(data).read()
    if too_deep(resource):
        raise FhirError(400, "structure", f"Elements are nested more than {MAX_DEPTH} levels deep")
    return resource


def dump_xml(resource: dict[str, Any], pretty: bool = False) -> bytes:
    """Return `resource` as an XML document, indented (but for the narrative) where `pretty`.

    Errors: FhirError 422 for what the definitions do not know, so that XML has no place for it
    """
    return XmlWriter(pretty).write(resource)
