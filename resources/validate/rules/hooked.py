"""Bindings and references as checks of an element: the same for base rules and profiles.

Source: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type.targetProfile
"""

from __future__ import annotations

from typing import Any

from resources.definitions import definitions
from resources.profiles.nodes import Node
from resources.validate.asks import Target
from resources.validate.rules import bindings, references
from resources.validate.rules.invariants import Check
from resources.validate.rules.run import Frame, Json, Run

_R4 = "http://hl7.org/fhir/StructureDefinition/"


def binding_check(node: Node, code: str) -> Check:
    """Return the check of an element's binding."""

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if value is not None:
            bindings.check(run, node, code, value, path)

    return check


def reference_check(node: Node, code: str) -> Check:
    """Return the check of what a Reference or canonical points at."""
    ask = references.check if code == "Reference" else references.check_canonical

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if value is not None:
            ask(run, node, value, path, frame.scope)

    return check


def target_check(node: Node) -> Check | None:
    """Return the check that what a Reference points at conforms to a target profile; None where types say it all.

    Shape:  what is contained or in the Bundle is always looked at, what is elsewhere only with `references` 'exists'
    """
    targets = tuple(url for each in node.types if each.code == "Reference" for url in each.targets)
    if not targets or all(is_plain(url) for url in targets):
        return None

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        text = value.get("reference") if type(value) is dict else None
        if type(text) is not str or run.options.references == "none":
            return
        resource = _target(run, frame, text)
        if resource is None or not definitions().is_resource(resource.get("resourceType")):
            return
        if all(_fits(run, resource, url) is False for url in targets):
            run.say("reference-target-profile", path, reference=text, profiles=", ".join(targets))

    return check


def is_plain(canonical: str) -> bool:
    """Whether a target profile is a mere resource type of R4."""
    name = canonical.removeprefix(_R4)
    return name in ("Resource", "DomainResource") or definitions().is_resource(name)


def _target(run: Run, frame: Frame, text: str) -> Json | None:
    inside = frame.scope.find(text)
    if inside is not None or run.options.references != "exists":
        return inside
    found = run.asks.target(text)
    return found.resource if isinstance(found, Target) else None


def _fits(run: Run, resource: Json, canonical: str) -> bool | None:
    if is_plain(canonical):
        name = canonical.removeprefix(_R4)
        return name in ("Resource", "DomainResource", resource["resourceType"])
    return run.conforms(resource, canonical)
