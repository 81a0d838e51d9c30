"""Every snapshot made again from its differential, and held against the published one rule by rule.

Source: http://hl7.org/fhir/R4/profiling.html#snapshot; hl7.fhir.r4.core 4.0.1, US Core 6.1.0, IPS 1.1.0, CARIN BB 2.0.0
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from functools import cache
from typing import Any

import pytest

from resources.definitions.structures import published_structure, published_structures
from resources.outcome import FhirError
from resources.profiles.snapshot import snapshot
from tests.conformance.profiles.compare import compare, kind
from tests.shared import shared_path

Json = dict[str, Any]

GUIDES = {"us-core": "us-core-6.1.0.tgz", "ips": "ips-1.1.0.tgz", "carin-bb": "carin-bb-2.0.0.tgz"}

IMPOSSIBLE = {
    "http://hl7.org/fhir/StructureDefinition/codesystem-history": "max 1 is above the base's 0",
    "http://hl7.org/fhir/us/core/StructureDefinition/us-core-questionnaireresponse": (
        "baseDefinition http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaireresponse is not known"
    ),
}
"""What cannot be made: a differential of R4 that has slices of an element with max 0, and a profile of SDC's."""

AGREEMENT = {
    "r4 profiles": (46, 22_000, 70),
    "r4 extensions": (392, 19_000, 0),
    "us-core": (58, 22_000, 50),
    "ips": (36, 21_000, 300),
    "carin-bb": (11, 22_000, 170),
}
"""How many snapshots there are, how many rules agree at least, and how many differ at most (each of a known kind)."""


@cache
def guide(name: str) -> dict[str, Json]:
    """Return the StructureDefinitions of a guide by url."""
    found = {}
    with tarfile.open(shared_path("packages") / GUIDES[name]) as archive:
        for member in archive:
            stem = member.name.removeprefix("./")
            source = archive.extractfile(member)
            if stem.startswith("package/StructureDefinition-") and stem.endswith(".json") and source:
                definition = json.load(source)
                found[definition["url"]] = definition
    return found


def find(canonical: str) -> Json | None:
    """Return a StructureDefinition of the guides."""
    url = canonical.partition("|")[0]
    return next((known[url] for known in map(guide, GUIDES) if url in known), None)


def definitions(name: str) -> list[Json]:
    """Return the profiles that have both differential and snapshot."""
    if name in GUIDES:
        return list(guide(name).values())
    found = [published_structure(url) for url in published_structures()]
    extensions = name == "r4 extensions"
    return [
        each
        for each in found
        if each is not None
        and each.get("derivation") == "constraint"
        and "snapshot" in each
        and (each["type"] == "Extension") == extensions
    ]


@pytest.mark.parametrize("name", AGREEMENT)
def test_snapshots_are_as_published_but_for_known_kinds_of_difference(name: str) -> None:
    same, kinds, unknown, made = 0, Counter[str](), [], 0
    for definition in definitions(name):
        if definition["url"] in IMPOSSIBLE:
            continue
        made += 1
        ours = snapshot(definition, find)
        equal, differences = compare(definition, ours)
        same += equal
        for difference in differences:
            why = kind(difference, definition, ours, find)
            kinds[why] += 1
            unknown += [] if why else [(definition["url"], difference)]
    print(f"{name}: {made} snapshots, {same} rules agree, {kinds.total()} differ: {dict(kinds)}")
    snapshots, at_least, at_most = AGREEMENT[name]
    assert not unknown
    assert made == snapshots
    assert same >= at_least
    assert kinds.total() <= at_most


@pytest.mark.parametrize("url", IMPOSSIBLE)
def test_what_cannot_be_made_is_told(url: str) -> None:
    definition = find(url) or published_structure(url)
    assert definition is not None
    with pytest.raises(FhirError) as caught:
        snapshot(definition, find)
    assert caught.value.status == 422
    assert IMPOSSIBLE[url] in caught.value.issues[0].text
