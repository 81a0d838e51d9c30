"""A CodeSystem resource of its own, as JSON or XML: for one too large to be stored as a resource.

The resource is read as a whole, some ten times its file in memory; the concepts go to the tables one by one.
Source: http://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from functools import partial

import msgspec

from resources.codec.json import parse_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError
from resources.validate.base import check
from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Source
from terminology.resources import header, records


def read(source: Source, asked: Asked) -> Release:
    """Return what a CodeSystem says."""
    member = source.need("*.json", "*.xml")
    source.expect([member])
    with source.binary(member) as stream:
        text = stream.read()
    try:
        resource = (parse_xml if member.name.casefold().endswith(".xml") else parse_json)(text)
    except FhirError as error:
        raise LoadError(f"{member.name}: {error}") from error
    if resource.get("resourceType") != "CodeSystem" or not resource.get("url"):
        raise LoadError(f"{member.name} is no CodeSystem with a url")
    try:
        check(resource)
    except FhirError as error:
        first = error.issues[0]
        raise LoadError(f"{member.name}: {', '.join(first.expression)}: {first.text}") from error
    told = header(resource)
    kept = {name: resource[name] for name in ("valueSet", "supplements") if name in resource}
    told = msgspec.structs.replace(
        told,
        version=asked.version or told.version,
        name=resource.get("name", ""),
        title=told.name,
        resource=kept,
    )
    return Release(told, partial(records, resource))
