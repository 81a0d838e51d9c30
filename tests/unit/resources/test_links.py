"""Links follow their targets where R4 says, and nowhere else (http.html#trules, bundle.html#references)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.links import conditional_references, reference_holders, references, rewrite

URN = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
OID = "urn:oid:1.2.3.4"
WEB = "http://example.org/fhir/Patient/9"
TARGETS = {URN: "Patient/1", OID: "Organization/2", WEB: "Patient/3"}


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": "o", **more}


def extension(**value: Any) -> dict[str, Any]:
    return {"url": "http://example.org/x", **value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (URN, "Patient/1"),
        (URN.upper().replace("URN:UUID", "urn:uuid"), "Patient/1"),
        (OID, "Organization/2"),
        (WEB, "Patient/3"),
        (URN + "#part", "Patient/1#part"),
        (WEB + "/_history/4", "Patient/3/_history/4"),
        (URN + "/_history/1#x", "Patient/1/_history/1#x"),
    ],
)
def test_reference_follows_its_target(text: str, expected: str) -> None:
    resource = observation(subject={"reference": text})
    assert rewrite(resource, TARGETS) is resource
    assert resource["subject"] == {"reference": expected}


@pytest.mark.parametrize("text", ["urn:uuid:other", "#contained", "Patient/9", WEB + "0", ""])
def test_other_references_are_left_alone(text: str) -> None:
    resource = observation(subject={"reference": text})
    assert rewrite(resource, TARGETS) is None
    assert resource["subject"] == {"reference": text}


def test_version_specific_reference_gets_the_new_version() -> None:
    resource = observation(subject={"reference": WEB + "/_history/4"})
    rewrite(resource, TARGETS, versions={"Patient/3": "1"})
    assert resource["subject"]["reference"] == "Patient/3/_history/1"


def test_relative_reference_is_matched_below_the_root_of_the_full_url() -> None:
    resource = observation(subject={"reference": "Patient/9"}, encounter={"reference": "Encounter/9"})
    rewrite(resource, TARGETS, root="http://example.org/fhir/")
    assert resource["subject"]["reference"] == "Patient/3"
    assert resource["encounter"]["reference"] == "Encounter/9"


@pytest.mark.parametrize("key", ["valueUri", "valueUrl", "valueOid", "valueUuid"])
def test_uri_url_oid_and_uuid_elements_follow(key: str) -> None:
    resource = observation(extension=[extension(**{key: URN})])
    rewrite(resource, TARGETS)
    assert resource["extension"][0][key] == "Patient/1"


@pytest.mark.parametrize("key", ["valueCanonical", "valueString", "valueId", "valueMarkdown", "valueCode"])
def test_canonical_and_text_elements_never_follow(key: str) -> None:
    resource = observation(extension=[extension(**{key: URN})])
    assert rewrite(resource, TARGETS) is None


def test_list_of_uris_follows_item_by_item() -> None:
    resource = {
        "resourceType": "ServiceRequest",
        "instantiatesUri": ["http://x", URN],
        "instantiatesCanonical": [URN],
    }
    rewrite(resource, TARGETS)
    assert resource["instantiatesUri"] == ["http://x", "Patient/1"]
    assert resource["instantiatesCanonical"] == [URN]


def test_attachment_url_follows() -> None:
    resource: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {"url": OID}}],
    }
    rewrite(resource, TARGETS)
    assert resource["content"][0]["attachment"]["url"] == "Organization/2"


def test_identities_and_namespaces_never_follow() -> None:
    resource = {
        "resourceType": "CodeSystem",
        "id": "x",
        "url": WEB,
        "identifier": [{"system": OID, "value": URN}],
        "extension": [{"url": WEB, "valueCoding": {"system": OID}}],
    }
    before = copy.deepcopy(resource)
    assert rewrite(resource, TARGETS) is None
    assert resource == before


def test_contained_resources_and_nested_extensions_are_included() -> None:
    resource = observation(
        contained=[{"resourceType": "Encounter", "subject": {"reference": URN}}],
        code={
            "coding": [{"extension": [extension(extension=[extension(valueReference={"reference": WEB})])]}]
        },
        _status={"extension": [extension(valueReference={"reference": OID})]},
    )
    rewrite(resource, TARGETS)
    assert resource["contained"][0]["subject"]["reference"] == "Patient/1"
    nested = resource["code"]["coding"][0]["extension"][0]["extension"][0]
    assert nested["valueReference"]["reference"] == "Patient/3"
    assert resource["_status"]["extension"][0]["valueReference"]["reference"] == "Organization/2"


def test_extension_of_repeated_primitive_is_included() -> None:
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{"given": ["A", "B"], "_given": [None, {"extension": [extension(valueUri=URN)]}]}],
    }
    rewrite(resource, TARGETS)
    assert resource["name"][0]["_given"][1]["extension"][0]["valueUri"] == "Patient/1"


def test_narrative_links_and_images_follow() -> None:
    div = (
        f'<div xmlns="http://www.w3.org/1999/xhtml" title="{URN}"><a title="a &gt; b" href="{URN}#x">{URN}</a>'
        f'<img src=\'{OID}\' alt="{OID}"/><a href="urn:uuid:other">b</a></div>'
    )
    resource = observation(text={"status": "generated", "div": div})
    rewrite(resource, TARGETS)
    assert resource["text"]["div"] == (
        f'<div xmlns="http://www.w3.org/1999/xhtml" title="{URN}"><a title="a &gt; b" href="Patient/1#x">{URN}</a>'
        f'<img src=\'Organization/2\' alt="{OID}"/><a href="urn:uuid:other">b</a></div>'
    )


def test_nested_bundle_keeps_what_its_own_entries_answer() -> None:
    entries = [
        {"fullUrl": URN, "resource": {"resourceType": "Patient", "id": "p"}},
        {"fullUrl": WEB, "resource": observation(subject={"reference": URN}, performer=[{"reference": OID}])},
    ]
    resource = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    rewrite(resource, TARGETS)
    assert [e["fullUrl"] for e in entries] == [URN, WEB]
    assert entries[1]["resource"]["subject"]["reference"] == URN  # type: ignore[index]
    assert entries[1]["resource"]["performer"][0]["reference"] == "Organization/2"  # type: ignore[index]


def test_circular_references_follow_both_ways() -> None:
    left = observation(hasMember=[{"reference": "urn:uuid:b"}])
    right = observation(derivedFrom=[{"reference": "urn:uuid:a"}])
    targets = {"urn:uuid:a": "Observation/1", "urn:uuid:b": "Observation/2"}
    rewrite(left, targets)
    rewrite(right, targets)
    assert left["hasMember"][0]["reference"] == "Observation/2"
    assert right["derivedFrom"][0]["reference"] == "Observation/1"


def test_references_come_with_their_location() -> None:
    resource = observation(
        subject={"reference": "Patient/1", "identifier": {"assigner": {"reference": "Organization/1"}}},
        performer=[{"display": "no text"}, {"reference": "Practitioner/1"}],
        contained=[{"resourceType": "Encounter", "subject": {"reference": "Patient/2"}}],
    )
    assert [path for _, path in references(resource)] == [
        "Observation.subject",
        "Observation.subject.identifier.assigner",
        "Observation.performer[1]",
        "Observation.contained[0].subject",
    ]
    assert len(reference_holders(resource)) == 4


def test_conditional_references_are_listed() -> None:
    resource = observation(
        subject={"reference": "Patient?identifier=a|b"}, encounter={"reference": "Encounter/1?"}
    )
    assert conditional_references(resource) == [(resource["subject"], "Patient?identifier=a|b")]


def test_references_of_a_bundles_entries_are_not_its_own() -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": observation(subject={"reference": "Patient/1"})}],
    }
    assert list(references(bundle)) == []
    assert (
        reference_holders({"resourceType": "Parameters", "parameter": [{"name": "x", "resource": bundle}]})
        == []
    )


KEYS = [
    "resourceType",
    "subject",
    "reference",
    "extension",
    "valueUri",
    "text",
    "div",
    "contained",
    "_status",
    "entry",
]
KEYS += ["resource", "fullUrl", "identifier", "assigner", "parameter"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([URN, WEB, "Patient", "Observation", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(deadline=None)
@given(json_values, st.sampled_from(["Observation", "Bundle", "Parameters", "Patient", "Nonsense", 7]))
def test_any_shape_is_walked_without_failing(value: Any, resource_type: Any) -> None:
    resource = {"subject": value, "text": value, "entry": value, "parameter": value, "contained": value}
    resource["resourceType"] = resource_type
    rewrite(resource, TARGETS)
    assert len(list(references(resource))) == len(reference_holders(resource))


@settings(deadline=None)
@given(
    st.lists(st.uuids().map(lambda u: f"urn:uuid:{u}"), min_size=1, max_size=8, unique=True),
    st.data(),
)
def test_rewriting_there_and_back_is_the_identity(urns: list[str], data: st.DataObject) -> None:
    targets = {urn: f"Patient/{index}" for index, urn in enumerate(urns)}
    picked = data.draw(st.lists(st.sampled_from(urns), max_size=6))
    resource = observation(
        performer=[{"reference": urn} for urn in picked],
        extension=[extension(valueUrl=urn) for urn in picked],
        text={"status": "generated", "div": "".join(f'<a href="{urn}">x</a>' for urn in picked)},
    )
    before = copy.deepcopy(resource)
    rewrite(resource, targets)
    assert "urn:uuid" not in str(resource)
    rewrite(resource, {new: urn for urn, new in targets.items()})
    assert resource == before


def test_hostile_narrative_takes_linear_time() -> None:
    resource = observation(text={"div": "<a href " * 200_000})
    assert rewrite(resource, TARGETS) is None
