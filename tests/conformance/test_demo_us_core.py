"""US Core 6.1.0: the demo data have every must-support element, and keep the rules of the profiles they claim."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from fhir_server.demo import generate
from resources import fhirpath
from resources.validate.base import explain
from tests import us_core
from tests.us_core import Json, Rule


@cache
def resources() -> dict[str, Json]:
    """Return the default demo data by "Type/id"."""
    entries = [entry for bundle in generate() for entry in bundle["entry"]]
    return {entry["request"]["url"]: entry["resource"] for entry in entries}


@cache
def claimants() -> dict[str, list[Json]]:
    """Return the resources that claim each profile, or one derived from it."""
    found: dict[str, list[Json]] = defaultdict(list)
    for resource in resources().values():
        for url in resource.get("meta", {}).get("profile", []):
            for one in us_core.ancestors(url):
                found[one].append(resource)
    return found


def names() -> list[str]:
    """Return the profile URLs; none where the package is absent (the test then skips)."""
    try:
        return sorted(us_core.profiles())
    except pytest.skip.Exception:
        return ["absent"]


def targets(node: Json) -> set[str]:
    """Return the profiles and the base type of the resource a Reference points to."""
    reference = node.get("reference", "")
    kind = reference.split("/")[0]
    found = {f"http://hl7.org/fhir/StructureDefinition/{kind}"}
    for url in resources().get(reference, {}).get("meta", {}).get("profile", []):
        found |= set(us_core.ancestors(url))
    return found


def keys(rule: Rule) -> list[str]:
    """Return what has to be seen of one must-support element: itself, its types, its targets."""
    found = [rule.id]
    if rule.choice:
        found += [f"{rule.id} as {code}" for code in rule.flagged_types()]
    return found + [f"{rule.id} to {url}" for url in rule.flagged_targets()]


def seen(rule: Rule, values: list[Json], parent_keys: set[str]) -> set[str]:
    """Return which of the keys the values satisfy."""
    found = {rule.id} if values else set()
    found |= {f"{rule.id} as {code}" for code in rule.flagged_types() if code in parent_keys}
    for url in rule.flagged_targets():
        if any(url in targets(value) for value in values):
            found.add(f"{rule.id} to {url}")
    return found


def present_types(rule: Rule, node: Json) -> set[str]:
    """Return the types in which a choice element is there."""
    return {code for code in rule.types() if rule.name + code[:1].upper() + code[1:] in node}


def collect(rule: Rule, node: Json, found: set[str]) -> None:
    """Add to found what a value shows of the elements below the rule."""
    for child in rule.children:
        values = us_core.values(child, node)
        found |= seen(child, values, present_types(child, node) if child.choice else set())
        for value in values:
            collect(child, value, found)


def required(rule: Rule) -> list[str]:
    """Return everything that has to be seen of a profile."""
    made = keys(rule) if rule.required and "." in rule.id else []
    return made + [key for child in rule.children for key in required(child)]


@pytest.mark.parametrize("url", names())
def test_every_must_support_element_occurs(url: str) -> None:
    rule = us_core.profiles()[url]
    found: set[str] = set()
    for resource in claimants()[url]:
        collect(rule, resource, found)
    assert [key for key in required(rule) if key not in found] == []


def problems(rule: Rule, node: Json, where: str) -> list[str]:
    """Return the broken cardinalities, fixed values, patterns and required codes below the rule."""
    made = []
    for child in rule.children:
        values = us_core.values(child, node)
        at = f"{where}.{child.id}"
        if len(values) < child.raw["min"]:
            made.append(f"{at}: {len(values)} of at least {child.raw['min']}")
        if child.raw["max"] != "*" and len(values) > int(child.raw["max"]):
            made.append(f"{at}: {len(values)} of at most {child.raw['max']}")
        expected = child.expected()
        for value in values:
            if expected and not us_core.meets(*expected, value):
                made.append(f"{at}: is not {expected[1]}")
            made += problems(child, value, where)
    return made


@pytest.mark.parametrize("url", names())
def test_resources_keep_the_profile_they_claim(url: str) -> None:
    rule = us_core.profiles()[url]
    assert claimants()[url]
    found = [problem for one in claimants()[url] for problem in problems(rule, one, one["id"])]
    assert found[:10] == []


def invariants(rule: Rule) -> list[tuple[str, str, str]]:
    """Return (path, key, expression) of the rules US Core adds, of severity error."""
    made = [
        (rule.id, one["key"], one["expression"])
        for one in rule.raw.get("constraint", [])
        if one["key"].startswith(("us-core-", "vs-")) and one["severity"] == "error" and ":" not in rule.id
    ]
    return made + [row for child in rule.children for row in invariants(child)]


@pytest.mark.parametrize("url", names())
def test_resources_keep_the_invariants_of_the_profile(url: str) -> None:
    broken = []
    for path, key, expression in invariants(us_core.profiles()[url]):
        within = path.partition(".")[2].replace("[x]", "")
        whole = f"{within}.all({expression})" if within else expression
        compiled = fhirpath.compile(whole)
        bad = [one for one in claimants()[url] if compiled.evaluate(one) == [False]]
        broken += [f"{one['id']}: {key}" for one in bad]
    assert broken[:10] == []


def test_every_resource_is_valid_r4() -> None:
    found: list[Any] = [(name, issue) for name, one in resources().items() for issue in explain(one)]
    assert found[:5] == []
