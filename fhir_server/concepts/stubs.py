"""What is stored of a code system whose concepts were loaded from files: a CodeSystem without them.

Source: http://hl7.org/fhir/R4/codesystem-definitions.html#CodeSystem.content
"""

from __future__ import annotations

from typing import Any

from terminology.records import SystemHeader

Json = dict[str, Any]


def stub(header: SystemHeader, count: int) -> Json:
    """Return the CodeSystem resource of a loaded code system: `content` not-present, with count and copyright."""
    title = {"title": header.title} if header.title else {}
    properties = [
        {"code": one.code}
        | ({"uri": one.uri} if one.uri else {})
        | ({"description": one.description} if one.description else {})
        | {"type": one.kind}
        for one in header.properties
    ]
    return {
        "resourceType": "CodeSystem",
        "url": header.url,
        **({"version": header.version} if header.version else {}),
        **({"name": header.name} if header.name else {}),
        **title,
        "status": header.status,
        **({"copyright": header.copyright} if header.copyright else {}),
        "caseSensitive": header.cased,
        **{name: value for name, value in header.resource.items() if name == "valueSet"},
        "hierarchyMeaning": header.meaning,
        "compositional": header.compositional,
        "content": "not-present",
        "count": count,
        **({"property": properties} if properties else {}),
    }
