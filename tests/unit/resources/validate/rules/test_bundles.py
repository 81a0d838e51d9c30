"""Bundles. Source: http://hl7.org/fhir/R4/bundle.html, documents.html#content"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate.rules.bundles import check
from tests.unit.resources.validate.rules.stage import Stage, scope_of

BASE = "http://x.org/fhir/"
LINK = [{"relation": "self", "url": BASE}]


def said(kind: str, *entries: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries), **more}
    stage = Stage()
    check(stage, bundle, "Bundle", scope_of(bundle))
    return stage.said


def entry(name: str, **more: Any) -> dict[str, Any]:
    kind, _, key = name.partition("/")
    return {"fullUrl": BASE + name, "resource": {"resourceType": kind, "id": key}, **more}


def test_a_full_url_is_there_absolute_and_ends_with_type_and_id() -> None:
    assert said("collection", entry("Patient/1")) == []
    patient = {"resourceType": "Patient", "id": "1"}
    assert said("collection", {"resource": patient}) == [
        ("bundle-fullurl-missing", "Bundle.entry[0].fullUrl")
    ]
    for kind in ("batch", "transaction"):
        assert said(kind, {"resource": patient}) == []
    for url, message in (
        ("Patient/1", "bundle-fullurl-relative"),
        (BASE + "Patient/2", "bundle-fullurl-id"),
        (BASE + "Device/1", "bundle-fullurl-id"),
    ):
        assert said("collection", {"fullUrl": url, "resource": patient}) == [
            (message, "Bundle.entry[0].fullUrl")
        ]
    assert (
        said("collection", {"fullUrl": "urn:uuid:0c3201bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": patient})
        == []
    )


def test_a_full_url_stands_once_in_one_version() -> None:
    twice = [entry("Patient/1"), entry("Patient/1")]
    assert said("collection", *twice) == [("bundle-fullurl-duplicate", "Bundle.entry[1].fullUrl")]
    assert said("history", *twice) == []
    twice[1]["resource"] |= {"meta": {"versionId": "2"}}
    assert said("collection", *twice) == []


@pytest.mark.parametrize(
    ("method", "url", "body", "messages"),
    [
        ("POST", "Patient", {"resourceType": "Patient"}, []),
        ("POST", "Patient", None, ["bundle-method-resource"]),
        ("POST", "Patient/1", {"resourceType": "Patient"}, ["bundle-request-url"]),
        ("POST", "Device", {"resourceType": "Patient"}, ["bundle-request-url"]),
        ("POST", "Patient/$match", {"resourceType": "Parameters"}, []),
        ("PUT", "Patient/1", {"resourceType": "Patient", "id": "1"}, []),
        ("PUT", "Patient?identifier=1", {"resourceType": "Patient"}, []),
        ("PUT", "Patient", {"resourceType": "Patient"}, ["bundle-request-url"]),
        ("PUT", "Patient/2", {"resourceType": "Patient", "id": "1"}, ["bundle-request-url"]),
        ("DELETE", "Patient/1", None, []),
        ("DELETE", "Patient", None, ["bundle-request-url"]),
        ("DELETE", "Patient/1", {"resourceType": "Patient"}, ["bundle-method-resource"]),
        ("GET", "Patient?name=x", None, []),
        ("PATCH", "Patient/1", {"resourceType": "Binary"}, []),
        ("PATCH", "Pacient/1", {"resourceType": "Binary"}, ["bundle-request-url"]),
    ],
)
def test_a_request_fits_its_method(method: str, url: str, body: Any, messages: list[str]) -> None:
    one: dict[str, Any] = {"request": {"method": method, "url": url}}
    if body is not None:
        one["resource"] = body
    assert [message for message, _ in said("transaction", one)] == messages


def test_a_response_begins_with_a_status() -> None:
    assert said("batch-response", {"response": {"status": "201 Created"}}) == []
    assert said("batch-response", {"response": {"status": "Created"}}) == [
        ("bundle-response-status", "Bundle.entry[0].response.status")
    ]


def test_the_search_mode_outcome_is_for_outcomes() -> None:
    found = entry("Patient/1", search={"mode": "outcome"})
    assert said("searchset", found, link=LINK) == [("bundle-search-outcome", "Bundle.entry[0].search.mode")]


def test_a_searchset_says_how_it_was_found_and_links_stand_once() -> None:
    assert said("searchset") == [("bundle-self-missing", "Bundle.link")]
    assert said("searchset", link=LINK + LINK) == [("bundle-link-duplicate", "Bundle.link[1].relation")]


def test_a_document_has_entries_that_are_all_reached() -> None:
    assert said("document") == [("bundle-entries-missing", "Bundle.entry")]
    composition = entry("Composition/1")
    composition["resource"] |= {"subject": {"reference": "Patient/1"}}
    provenance = entry("Provenance/1")
    provenance["resource"] |= {"target": [{"reference": "Patient/1"}]}
    reached = [composition, entry("Patient/1"), provenance, entry("Binary/1")]
    assert said("document", *reached) == []
    assert said("document", *reached, entry("Device/1")) == [("bundle-entry-unreachable", "Bundle.entry[4]")]
