"""The codes of value sets. Source: http://hl7.org/fhir/R4/valueset.html#compositions"""

from __future__ import annotations

from typing import Any

import pytest

from resources.definitions import definitions
from resources.definitions.vocabulary import published, published_urls
from terminology import codesystems
from terminology.codesystems import CodeSystem, UnsupportedError
from terminology.valuesets import IncompleteError, expand, incomplete, needs

Json = dict[str, Any]
URL = "urn:cs"


def system(**more: Any) -> Json:
    """Return a CodeSystem: a over b over c, d beside them and under b by property, e retired."""
    return {
        "resourceType": "CodeSystem",
        "url": URL,
        "content": "complete",
        "caseSensitive": True,
        "property": [
            {"code": "up", "uri": "http://hl7.org/fhir/concept-properties#parent", "type": "code"},
            {"code": "status", "type": "code"},
            {"code": "size", "type": "integer"},
        ],
        "concept": [
            {"code": "a", "display": "Alpha", "concept": [{"code": "b", "concept": [{"code": "c"}]}]},
            {
                "code": "d",
                "property": [{"code": "up", "valueCode": "b"}, {"code": "size", "valueInteger": 3}],
            },
            {"code": "e", "property": [{"code": "status", "valueCode": "retired"}]},
        ],
        **more,
    }


class Shelf:
    """A library over resources."""

    def __init__(self, *resources: Json) -> None:
        self.sets = {r["url"]: r for r in resources if r["resourceType"] == "ValueSet"}
        self.systems = {r["url"]: CodeSystem(r) for r in resources if r["resourceType"] == "CodeSystem"}

    def valueset(self, canonical: str) -> Json | None:
        """Return a value set."""
        return self.sets.get(canonical)

    def codesystem(self, url: str, version: str) -> CodeSystem | None:
        """Return a code system."""
        found = self.systems.get(url)
        return found if found and version in ("", found.version) else None


def value_set(url: str, *includes: Json, exclude: list[Json] | None = None, **compose: Any) -> Json:
    """Return a ValueSet."""
    made: Json = {"include": list(includes), **compose}
    if exclude:
        made["exclude"] = exclude
    return {"resourceType": "ValueSet", "url": url, "compose": made}


def listed(*codes: str) -> Json:
    """Return an include of codes."""
    return {"system": URL, "concept": [{"code": code} for code in codes]}


def filtered(*filters: tuple[str, str, str]) -> Json:
    """Return an include by filters."""
    return {"system": URL, "filter": [{"property": p, "op": op, "value": value} for p, op, value in filters]}


def codes(*includes: Json, others: tuple[Json, ...] = (), **more: Any) -> str:
    """Return the codes of a value set, sorted."""
    found = expand(value_set("urn:vs", *includes, **more), Shelf(system(), *others))
    assert all(url == URL for url, _ in found)
    return " ".join(sorted(code for _, code in found))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("concept", "is-a", "b"), "b c d"),
        (("concept", "descendent-of", "b"), "c d"),
        (("concept", "is-not-a", "b"), "a e"),
        (("concept", "generalizes", "c"), "a b c"),
        (("code", "in", "a, c,x"), "a c"),
        (("code", "not-in", "a,c"), "b d e"),
        (("code", "=", "a"), "a"),
        (("display", "=", "Alpha"), "a"),
        (("display", "exists", "false"), "b c d e"),
        (("size", "=", "3"), "d"),
        (("size", "exists", "true"), "d"),
        (("parent", "=", "b"), "c d"),
        (("child", "=", "b"), "a"),
        (("status", "not-in", "retired"), "a b c d"),
        (("inactive", "=", "true"), "e"),
        (("code", "regex", "[a-c]"), "a b c"),
        (("code", "regex", "b|c"), "b c"),
    ],
)
def test_filters_select_codes(rule: tuple[str, str, str], expected: str) -> None:
    assert codes(filtered(rule)) == expected


def test_includes_are_a_union_and_filters_an_intersection() -> None:
    assert codes(listed("a"), filtered(("concept", "is-a", "b"), ("size", "exists", "false"))) == "a b c"
    assert codes({"system": URL}) == "a b c d e"


def test_value_sets_of_one_include_intersect_also_with_its_system() -> None:
    first, second = value_set("urn:1", listed("a", "b")), value_set("urn:2", listed("b", "c"))
    both = {"valueSet": ["urn:1", "urn:2"]}
    assert codes(both, others=(first, second)) == "b"
    assert codes({"valueSet": ["urn:1"]}, {"valueSet": ["urn:2"]}, others=(first, second)) == "a b c"
    assert codes({**filtered(("concept", "is-a", "c")), **both}, others=(first, second)) == ""


def test_excludes_are_taken_away() -> None:
    assert codes({"system": URL}, exclude=[filtered(("concept", "is-a", "b")), listed("e")]) == "a"


def test_inactive_codes_are_left_out_where_the_value_set_says_so() -> None:
    assert codes({"system": URL}, inactive=False) == "a b c d"
    assert codes(listed("a", "e"), inactive=False) == "a"
    assert codes(listed("a", "e"), inactive=True) == "a e"
    assert codes(listed("a", "e")) == "a e"


def test_circles_end() -> None:
    ring = system(
        concept=[{"code": "a", "property": [{"code": "up", "valueCode": "b"}], "concept": [{"code": "b"}]}]
    )
    assert CodeSystem(ring).below("a") == CodeSystem(ring).above("a") == {"a", "b"}


def test_codes_of_systems_without_case_are_found_in_any() -> None:
    assert CodeSystem(system(caseSensitive=False)).below("B") == {"b", "c", "d"}
    with pytest.raises(UnsupportedError):
        CodeSystem(system()).below("B")


@pytest.mark.parametrize(
    ("include", "named"),
    [
        ({"system": "urn:other"}, "urn:other is unknown"),
        ({"system": URL, "version": "9"}, "urn:cs|9 is unknown"),
        ({"system": URL, "version": "*"}, "all versions"),
        ({"valueSet": ["urn:none"]}, "urn:none is unknown"),
        (filtered(("concept", "is-a", "z")), "'z'"),
        (filtered(("colour", "=", "red")), "colour"),
        (filtered(("size", "is-a", "3")), "size is-a"),
        (filtered(("code", "sounds-like", "a")), "sounds-like"),
        (filtered(("code", "regex", "(")), "regular expression"),
        (filtered(("code", "regex", "a" * 1_000)), "500"),
        ({}, "without system"),
    ],
)
def test_what_cannot_be_listed_is_named(include: Json, named: str) -> None:
    with pytest.raises(IncompleteError) as refused:
        codes(listed("a"), include)
    assert named in str(refused.value)
    with pytest.raises(IncompleteError):
        codes(listed("a"), exclude=[include])


def test_a_regular_expression_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codesystems, "REGEX_SECONDS", 0.01)
    long = system(concept=[{"code": "a" * 60}])
    with pytest.raises(UnsupportedError, match="too long"):
        CodeSystem(long).select("code", "regex", "(a|aa|aaa)+(a|aa)+b")


@pytest.mark.parametrize("content", ["fragment", "example", "not-present", "supplement"])
def test_code_systems_that_are_not_complete_do_not_count(content: str) -> None:
    shelf = Shelf(system(content=content))
    with pytest.raises(IncompleteError, match=content):
        expand(value_set("urn:vs", {"system": URL}), shelf)
    assert expand(value_set("urn:vs", listed("x")), shelf) == {(URL, "x")}


def test_every_reason_is_told() -> None:
    with pytest.raises(IncompleteError) as refused:
        codes({"system": "urn:1"}, {"valueSet": ["urn:2"]}, exclude=[{"system": "urn:3"}])
    assert len(refused.value.reasons) == 3


def test_value_sets_that_refer_to_themselves_are_refused() -> None:
    one, two = value_set("urn:1", {"valueSet": ["urn:2"]}), value_set("urn:2", {"valueSet": ["urn:1"]})
    with pytest.raises(IncompleteError, match="refers to itself"):
        expand(one, Shelf(one, two))


def test_a_long_row_of_value_sets_is_refused() -> None:
    row = [value_set(f"urn:{number}", {"valueSet": [f"urn:{number + 1}"]}) for number in range(400)]
    with pytest.raises(IncompleteError, match="in a row"):
        expand(row[0], Shelf(*row))
    last = value_set("urn:400", listed("a"))
    assert expand(row[380], Shelf(*row, last)) == {(URL, "a")}


def test_what_many_paths_lead_to_is_looked_at_once() -> None:
    row = [
        value_set(f"urn:{n}", {"valueSet": [f"urn:{n + 1}"]}, {"valueSet": [f"urn:{n + 1}"]})
        for n in range(40)
    ]
    with pytest.raises(IncompleteError) as refused:
        expand(row[0], Shelf(*row))
    assert refused.value.reasons == ("ValueSet urn:40 is unknown",)


EXPANSION: Json = {"contains": [{"system": URL, "code": "x", "contains": [{"system": URL, "code": "y"}]}]}


def test_a_complete_expansion_stands_in_for_what_cannot_be_composed() -> None:
    asked = {**value_set("urn:vs", {"system": "urn:unknown"}), "expansion": EXPANSION}
    assert expand(asked, Shelf()) == {(URL, "x"), (URL, "y")}


@pytest.mark.parametrize(
    "more",
    [
        {"total": 3},
        {"offset": 10},
        {
            "extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/valueset-unclosed", "valueBoolean": True}
            ]
        },
        {"parameter": [{"name": "filter", "valueString": "x"}]},
        {"parameter": [{"name": "activeOnly", "valueBoolean": True}]},
        {"parameter": [{"name": "count", "valueInteger": 2}]},
    ],
)
def test_a_partial_expansion_does_not(more: Json) -> None:
    assert incomplete({**EXPANSION, **more})
    with pytest.raises(IncompleteError, match="incomplete"):
        expand({"resourceType": "ValueSet", "url": "urn:vs", "expansion": {**EXPANSION, **more}}, Shelf())


def test_needs_are_what_must_be_at_hand_for_an_expansion() -> None:
    asked = value_set("urn:vs", listed("a"), {"system": "urn:1", "version": "2"}, {"valueSet": ["urn:2|3"]})
    assert needs(asked) == ({"urn:2|3"}, {("urn:1", "2")})
    assert needs(value_set("urn:vs", listed("a"), inactive=False))[1] == {(URL, "")}


class Published:
    """R4's own."""

    systems: dict[str, CodeSystem | None]

    def __init__(self) -> None:
        self.systems = {}

    def valueset(self, canonical: str) -> Json | None:
        """Return one of R4's value sets."""
        url, _, version = canonical.partition("|")
        return published("ValueSet", url, version)

    def codesystem(self, url: str, version: str) -> CodeSystem | None:
        """Return one of R4's code systems."""
        if url not in self.systems:
            found = published("CodeSystem", url)
            self.systems[url] = CodeSystem(found) if found else None
        found_system = self.systems[url]
        return found_system if found_system and version in ("", found_system.version) else None


def test_r4s_own_value_sets_are_what_its_bindings_were_compiled_to() -> None:
    library, compared, expanded = Published(), 0, 0
    for url in published_urls("ValueSet"):
        resource = published("ValueSet", url)
        assert resource is not None
        try:
            found = expand(resource, library)
        except IncompleteError:
            assert definitions().valueset_codes(url) is None
            continue
        expanded += 1
        known = definitions().valueset_codes(url)
        if known is not None:
            assert found == known
            compared += 1
    assert expanded > 1_200
    assert compared > 100
