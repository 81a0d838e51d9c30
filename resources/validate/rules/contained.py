"""Contained resources: to be referred to, and without what only a resource of its own has.

Source: http://hl7.org/fhir/R4/references.html#contained, http://hl7.org/fhir/R4/domainresource.html (dom-2 to dom-5)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resources.validate.rules.hooks import Run

Json = dict[str, Any]

INVARIANTS = frozenset({"dom-2", "dom-3", "dom-4", "dom-5"})
"""What is checked here, so that nobody evaluates it as FHIRPath too."""


def check(run: Run, resource: Json, path: str) -> None:
    """Say what is wrong about the contained resources of `resource`."""
    contained = resource.get("contained")
    if not contained:
        return
    named: set[str] = set()
    used = set(_links(resource))
    for index, inner in enumerate(contained):
        place = f"{path}.contained[{index}]"
        name = inner.get("id")
        _check_meta(run, inner.get("meta", {}), place)
        if type(name) is not str:
            if "#" not in _links(inner):
                run.say("contained-without-id", place)
            continue
        if name in named:
            run.say("contained-duplicate-id", place, id=name)
        named.add(name)
        if f"#{name}" not in used and "#" not in _links(inner):
            run.say("contained-unreferenced", place, id=name)


def _check_meta(run: Run, meta: Json, place: str) -> None:
    for element in ("versionId", "lastUpdated"):
        if element in meta:
            run.say("contained-meta", f"{place}.meta.{element}", element=element)
    if "security" in meta:
        run.say("contained-security", f"{place}.meta.security")


def _links(value: Any) -> Iterator[str]:
    """Yield every text that could refer to a contained resource: it begins with '#'."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is dict:
            waiting += one.values()
        elif type(one) is list:
            waiting += one
        elif type(one) is str and one[:1] == "#":
            yield one
