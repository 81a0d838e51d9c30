"""Read an FHIR NPM package: the conformance resources inside its `.tgz`."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEPT = frozenset(
    {
        "StructureDefinition",
        "SearchParameter",
        "ValueSet",
        "CodeSystem",
        "ConceptMap",
        "CompartmentDefinition",
        "OperationDefinition",
    }
)


def read_package(path: Path) -> Iterator[dict[str, Any]]:
    """Yield `package.json` and each conformance resource of the package, as plain JSON.

    Source: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification (all content in `package/`)
    """
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            kind = name.removeprefix("package/").split("-", 1)[0]
            if not name.startswith("package/") or not name.endswith(".json"):
                continue
            if kind in KEPT or name == "package/package.json":
                source = archive.extractfile(member)
                if source is not None:
                    yield json.load(source)
