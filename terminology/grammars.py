"""Code systems whose codes are made by rules and never listed: units, languages, media types.

Source: http://hl7.org/fhir/R4/terminologies-systems.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from resources.validate.tags import problem_of
from terminology.ucum import is_unit

Grammar = Callable[[str], str]
"""Why a code is none of the system's, empty where it is one."""

_NAME = r"[A-Za-z0-9][\w!#$&^.+-]{0,126}"
_MEDIA = re.compile(rf"{_NAME}/(?:{_NAME}|\*)(?:\s*;\s*[^;\s=]+=(?:\"[^\"]*\"|[^;\"]+))*", re.ASCII)

_SHORT = frozenset({"xml", "json", "ttl"})
"""What R4 allows in place of its own media types. Source: http://hl7.org/fhir/R4/http.html#mime-type"""


def _unit(code: str) -> str:
    return "" if is_unit(code) else f"'{code[:100]}' is not a UCUM unit"


def _media(code: str) -> str:
    return "" if _MEDIA.fullmatch(code) or code in _SHORT else f"'{code[:100]}' is not a media type"


GRAMMARS: Mapping[str, Grammar] = {
    "http://unitsofmeasure.org": _unit,
    "urn:ietf:bcp:47": problem_of,
    "urn:ietf:bcp:13": _media,
}
