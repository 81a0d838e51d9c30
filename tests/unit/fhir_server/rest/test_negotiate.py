"""Content negotiation. Source: http://hl7.org/fhir/R4/http.html#mime-type, #parameters, #version-parameter"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.rest.negotiate import (
    OFFERED,
    Answer,
    accepted,
    body_format,
    content_type,
    negotiate,
    require_utf8,
)
from fhir_server.subset import Subset
from resources.outcome import FhirError


@pytest.mark.parametrize(
    ("accept", "mime"),
    [
        ("*/*", "application/fhir+json"),
        ("application/*", "application/fhir+json"),
        ("application/fhir+xml", "application/fhir+xml"),
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        ("text/json", "text/json"),
        ("application/json, */*", "application/json"),
        ("application/fhir+json;q=0.4, application/fhir+xml;q=0.9", "application/fhir+xml"),
        ("application/fhir+json;q=0, */*;q=0.1", "application/fhir+xml"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml"),
        ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
        (
            "application/fhir+json;fhirVersion=3.0, application/fhir+xml;fhirVersion=4.0",
            "application/fhir+xml",
        ),
        ("APPLICATION/FHIR+XML", "application/fhir+xml"),
        ("application/json+fhir", "application/json+fhir"),
    ],
)
def test_the_best_q_wins_then_the_most_specific_then_json(accept: str, mime: str) -> None:
    assert negotiate(accept, ()).mime == mime


@pytest.mark.parametrize(
    "accept",
    ["image/png", "application/fhir+json;fhirVersion=5.0", "x", "application/fhir+json;q=0", "*/*;q=x"],
)
def test_nothing_acceptable_is_406(accept: str) -> None:
    with pytest.raises(FhirError) as caught:
        negotiate(accept, ())
    assert caught.value.status == 406


@pytest.mark.parametrize(
    ("value", "xml"),
    [
        ("json", False),
        ("application/json", False),
        ("application/fhir+json", False),
        ("application/fhir json", False),
        ("text/json", False),
        ("xml", True),
        ("text/xml", True),
        ("application/xml", True),
        ("application/fhir+xml", True),
        ("application/fhir+xml; fhirVersion=4.0", True),
    ],
)
def test_format_overrides_accept_in_every_r4_spelling(value: str, xml: bool) -> None:
    assert negotiate("image/png", [("_format", value)]).xml is xml


@pytest.mark.parametrize("value", ["html", "ttl", "text/turtle", "yaml"])
def test_an_unsupported_format_is_406(value: str) -> None:
    with pytest.raises(FhirError) as caught:
        negotiate(None, [("_format", value)])
    assert caught.value.status == 406


def test_an_empty_format_is_as_none() -> None:
    assert negotiate("application/fhir+xml", [("_format", "")]).xml


@pytest.mark.parametrize(
    "query",
    [
        [("_pretty", "yes")],
        [("_summary", "short")],
        [("_elements", "a-b")],
        [("_format", "json"), ("_format", "xml")],
        [("_summary", "true"), ("_summary", "text")],
    ],
)
def test_a_malformed_control_parameter_is_400(query: list[tuple[str, str]]) -> None:
    with pytest.raises(FhirError) as caught:
        negotiate(None, query)
    assert caught.value.status == 400


def test_controls_are_read_together() -> None:
    query = [
        ("_summary", "data"),
        ("_pretty", "true"),
        ("_elements", "id, name"),
        ("_elements", "status"),
        ("x", "1"),
    ]
    assert negotiate(None, query) == Answer(pretty=True, subset=Subset("data", ("id", "name", "status")))


@pytest.mark.parametrize("value", [None, "", "json", "a/b/c", "application/fhir+json,x"])
def test_a_missing_or_malformed_content_type_is_415(value: str | None) -> None:
    with pytest.raises(FhirError) as caught:
        content_type(value)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    "value",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/fhir+json; charset=iso-8859-1",
        "application/fhir+json; fhirVersion=3.0",
        "application/fhir+turtle",
    ],
)
def test_a_body_of_another_type_charset_or_version_is_415(value: str) -> None:
    with pytest.raises(FhirError) as caught:
        body_format(content_type(value))
    assert caught.value.status == 415


@pytest.mark.parametrize(
    "value", ["application/fhir+json; charset=UTF-8; fhirVersion=4.0", 'text/json; charset="utf-8"']
)
def test_utf8_json_of_r4_is_taken(value: str) -> None:
    media = content_type(value)
    require_utf8(media)
    assert body_format(media) == "json"


@given(st.text(max_size=60))
def test_no_accept_header_breaks_negotiation(accept: str) -> None:
    assert accepted(accept) in (None, *OFFERED)
