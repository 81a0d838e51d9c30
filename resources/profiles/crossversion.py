"""Extensions that carry an element of another FHIR release, known by their url alone.

Their definitions are made from that release and need not be installed: without them the content is not checked.
Source: http://hl7.org/fhir/R4/versions.html#extensions
"""

from __future__ import annotations

import re
from typing import NamedTuple

_URL = re.compile(
    r"http://hl7\.org/fhir/(?P<release>[1-9]\.[0-9])/StructureDefinition/"
    r"extension-(?P<path>[A-Z][A-Za-z0-9]{0,63}(?:\.[a-z][A-Za-z0-9]{0,63}(?:\[x\])?){1,10})"
)
RELEASES = {"1.0": "DSTU2", "3.0": "STU3", "4.3": "R4B", "5.0": "R5", "6.0": "R6"}
"""The releases whose elements can be carried into R4; what 4.0 has is an element here."""


class CrossVersion(NamedTuple):
    """What the url of a cross-version extension says.

    Shape:  `release` as in the url ('5.0'), `path` of the element there ('Patient.contact.x'), `context` the path of
            the element that it extends ('Patient.contact')
    """

    release: str
    path: str
    context: str

    @property
    def note(self) -> str:
        """What a person is told."""
        name = RELEASES[self.release]
        return f"{self.path} of {name}: its definition is not installed, so that its content is not checked"


def cross_version(url: str) -> CrossVersion | None:
    """Return what the url of a cross-version extension says, None where it is none."""
    found = _URL.fullmatch(url)
    if found is None or found["release"] not in RELEASES:
        return None
    return CrossVersion(found["release"], found["path"], found["path"].rpartition(".")[0])
