"""References: to the types that are allowed, saying of themselves what is true, resolvable as far as is asked for.

Source: http://hl7.org/fhir/R4/references.html, http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from resources.definitions import definitions
from resources.profiles.nodes import Node, TypeRef
from resources.references import is_conditional, parse_reference
from resources.validate.asks import PENDING, Target
from resources.validate.rules.hooks import Run
from resources.validate.rules.scopes import Found, Scope

__all__ = ["Scope", "check", "check_canonical", "check_reference"]

Json = dict[str, Any]
_R4 = "http://hl7.org/fhir/StructureDefinition/"
_ANY = frozenset({"Resource", "DomainResource", "CanonicalResource", "MetadataResource"})


# ------------------------------------------------------------------------------- what the element asks for


def check(run: Run, node: Node, value: Json, path: str, scope: Scope) -> None:
    """Say where a Reference is not to what its element (of the type or a profile) allows."""
    allowed = [one for one in node.types if one.code == "Reference"]
    if not allowed or type(value) is not dict:
        return
    text = value.get("reference")
    text = text if type(text) is str else ""
    found = _found(run, text, value, scope)
    if run.options.references != "none" or found.place == "contained":
        _check_type(run, allowed, found, value, path)
    if text:
        _check_aggregation(run, allowed, found, text, path)
        _check_version(run, allowed, text, path)


def _found(run: Run, text: str, value: Json, scope: Scope) -> Found:
    """Return what the reference points at: by the texts before us, else by whoever is asked."""
    found = scope.resolve(text) if text else Found("referenced")
    if not found.type and text and found.place == "referenced" and run.options.references != "none":
        target = run.asks.target(text)
        if isinstance(target, Target) and target.type:
            found = found._replace(type=target.type)
    said = value.get("type")
    if not found.type and type(said) is str:
        found = found._replace(type=said.removeprefix(_R4))
    return found


def _check_type(run: Run, allowed: list[TypeRef], found: Found, value: Json, path: str) -> None:
    if not found.type or not definitions().is_resource(found.type):
        return
    targets = [target for one in allowed for target in one.targets]
    names: list[str] = []
    for target in targets:
        name = _type_of(run, target)
        if name is None or name in _ANY:
            return
        names.append(name)
    if targets and found.type not in names:
        text = value.get("reference", "The resource")
        listed = ", ".join(sorted(set(names)))
        run.say("reference-target-type", path, reference=text, type=found.type, allowed=listed)


def _type_of(run: Run, canonical: str) -> str | None:
    """Return the resource type of a target profile, None where nothing is known of it (yet)."""
    name = _plain(canonical)
    if name:
        return name
    structure = run.asks.structure(canonical)
    return None if structure is None or structure is PENDING else structure.type


@lru_cache(4096)
def _plain(canonical: str) -> str:
    name = canonical.partition("|")[0].removeprefix(_R4)
    return name if name in _ANY or definitions().is_resource(name) else ""


def _check_aggregation(run: Run, allowed: Iterable[TypeRef], found: Found, text: str, path: str) -> None:
    modes = {mode for one in allowed for mode in one.aggregation}
    if not modes or found.missing or all(not one.aggregation for one in allowed):
        return
    place = found.place
    if place not in modes and not (place == "bundled" and "referenced" in modes):
        listed = " or ".join(sorted(modes))
        run.say("reference-aggregation", path, reference=text, found=place, allowed=listed)


def _check_version(run: Run, allowed: Iterable[TypeRef], text: str, path: str) -> None:
    rules = {one.versioning for one in allowed if one.versioning and one.versioning != "either"}
    if len(rules) != 1 or text.startswith("#"):
        return
    (rule,) = rules
    versioned = parse_reference(text).version is not None
    if versioned is not (rule == "specific"):
        is_versioned = "names a version" if versioned else "names no version"
        wanted = "version-specific" if rule == "specific" else "version-independent"
        run.say("reference-version", path, reference=text, is_versioned=is_versioned, wanted=wanted)


# ---------------------------------------------------------------------------------- what a reference says


def check_reference(run: Run, value: Json, path: str, scope: Scope) -> None:
    """Say what is wrong about a Reference itself, wherever it stands."""
    said, text = value.get("type"), value.get("reference")
    said = said.removeprefix(_R4) if type(said) is str else ""
    if said and ":" not in said and not definitions().is_resource(said):
        run.say("reference-type-unknown", f"{path}.type", type=said)
    if type(text) is not str:
        return
    found = scope.resolve(text)
    if found.missing:
        run.say("contained-unresolved", f"{path}.reference", id=text[1:])
        return
    actual = found.type
    if found.place == "referenced":
        actual = _check_target(run, text, path, found.type) or actual
        _check_bundled(run, text, path, scope, found)
    if said and actual and said != actual:
        run.say("reference-type-disagrees", f"{path}.type", type=said, reference=text, actual=actual)


def _check_target(run: Run, text: str, path: str, written: str) -> str:
    """Return the type of the resource that a reference to elsewhere points at; say where there is none."""
    if run.options.references != "exists" or is_conditional(text):
        return written
    target = run.asks.target(text)
    if not isinstance(target, Target):
        return written
    if target.resource is None:
        run.say("reference-not-found", f"{path}.reference", reference=text)
    return target.type


_CLOSED = frozenset({"document", "message", "transaction"})


def _check_bundled(run: Run, text: str, path: str, scope: Scope, found: Found) -> None:
    """Say where a reference within a Bundle should be answered by an entry and is not.

    A urn can be resolved nowhere else; a relative reference in a document or message that seems to mean an entry, by
    type and id, does not where the fullUrls do not fit.
    """
    entries = scope.entries
    if entries is None:
        return
    is_urn = text.startswith(("urn:uuid:", "urn:oid:"))
    apparent = found.apparent and entries.type in ("document", "message")
    direct = entries.type in ("document", "message") and _is_direct(scope, path)
    if not (is_urn or apparent or direct):
        return
    strict = entries.type in _CLOSED
    more = "; one has its type and id, but another fullUrl" if found.apparent else ""
    run.say(
        "bundle-reference-unresolved",
        f"{path}.reference",
        severity="error" if strict else "warning",
        type=entries.type or "Bundle",
        reference=text,
        more=more,
    )


_COMPOSED = ("subject", "encounter", "author", "attester", "custodian", "event", "section")


def _is_direct(scope: Scope, path: str) -> bool:
    """Whether the path is one of the links whose targets a document or message must bring along.

    Source: http://hl7.org/fhir/R4/documents.html#content, http://hl7.org/fhir/R4/messageheader.html (focus)
    """
    kind = scope.resource.get("resourceType")
    name = path[len(scope.path) + 1 :].partition(".")[0].partition("[")[0]
    if scope.container is not None:
        return False
    return (kind == "Composition" and name in _COMPOSED) or (kind == "MessageHeader" and name == "focus")


# ------------------------------------------------------------------------------------------- canonicals


def check_canonical(run: Run, node: Node, value: Any, path: str, scope: Scope) -> None:
    """Say where a canonical names a contained resource that is not there, or is of a type not allowed."""
    if type(value) is not str:
        return
    if value.startswith("#"):
        resource = scope.contained(value[1:])
        if resource is None:
            run.say("canonical-fragment-unresolved", path, id=value[1:])
            return
        actual = str(resource.get("resourceType", ""))
    else:
        actual = _published(value)
    targets = [t for one in node.types if one.code == "canonical" for t in one.targets]
    names = [_plain(target) for target in targets]
    if actual and targets and all(names) and _ANY.isdisjoint(names) and actual not in names:
        listed = ", ".join(sorted(set(names)))
        run.say("canonical-target-type", path, reference=value, type=actual, allowed=listed)


def _published(canonical: str) -> str:
    """Return the type of R4's own resource of a canonical, as its address says."""
    url = canonical.partition("|")[0].partition("#")[0]
    if not url.startswith("http://hl7.org/fhir/"):
        return ""
    name, _, rest = url.removeprefix("http://hl7.org/fhir/").partition("/")
    return name if rest and "/" not in rest and definitions().is_resource(name) else ""
