"""The texts in files that `healthbuddy validate` looks at: one a file, one a line of NDJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.loader.files import discover, kind, open_bytes
from resources.codec.json import parse_json
from resources.codec.xml import parse_xml
from resources.outcome import Issue


@dataclass(frozen=True, slots=True)
class Text:
    """One resource as text; `above` are the lines of the file before it."""

    source: str
    data: bytes
    xml: bool = False
    above: int = 0

    def moved(self, issue: Issue) -> Issue:
        """Return `issue` with its line in the file."""
        if not self.above or issue.line is None:
            return issue
        return msgspec.structs.replace(issue, line=issue.line + self.above)


def texts(path: Path) -> Iterator[Text]:
    """Yield the texts of a file; empty lines of NDJSON are passed over."""
    if kind(path) != ".ndjson":
        with open_bytes(path) as file:
            yield Text(str(path), file.read(), xml=kind(path) == ".xml")
        return
    with open_bytes(path) as file:
        for number, line in enumerate(file):
            if line.strip():
                yield Text(str(path), line, above=number)


def read_json_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the resources in files and folders, those in Bundles among them; raises FhirError and OSError."""
    found: list[dict[str, Any]] = []
    for path in (file for stage in discover(paths) for file in stage):
        for text in texts(path):
            resource = parse_xml(text.data) if text.xml else parse_json(text.data)
            entries = resource.get("entry", ()) if resource.get("resourceType") == "Bundle" else ()
            found += [
                resource,
                *(one["resource"] for one in entries if isinstance(one.get("resource"), dict)),
            ]
    return found
