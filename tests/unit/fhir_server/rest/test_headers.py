"""HTTP header values. Source: http://hl7.org/fhir/R4/http.html#concurrency, #cread, #ops; RFC 9110"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.changes.conditions import entity_tags
from fhir_server.rest.headers import (
    http_date,
    not_modified,
    parse_http_date,
    prefer,
    sane_request_id,
)
from resources.outcome import FhirError

MOMENT = datetime(2024, 2, 29, 13, 5, 7, 654321, UTC)


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ('W/"3"', ("3",)),
        ('"3"', ("3",)),
        ("3", ("3",)),
        ('W/"1", W/"2"', ("1", "2")),
        (" * ", ("*",)),
    ],
)
def test_entity_tags_are_read_weak_strong_and_bare(value: str, tags: tuple[str, ...]) -> None:
    assert entity_tags("If-Match", value) == tags


@pytest.mark.parametrize(
    "value", ["", "W/3", 'W/"', '"a b"', 'W/"1",', 'W/"1" W/"2"', '"é"', '"' + "1" * 5000 + '"']
)
def test_a_malformed_entity_tag_is_400(value: str) -> None:
    with pytest.raises(FhirError) as caught:
        entity_tags("If-Match", value)
    assert caught.value.status == 400


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
        min_value=datetime(1900, 1, 2),  # noqa: DTZ001 - Hypothesis wants it without zone
    )
)
def test_http_dates_are_imf_fixdates_and_read_back(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert http_date(moment) == format_datetime(whole.astimezone(UTC), usegmt=True)
    assert parse_http_date(http_date(moment)) == whole


@pytest.mark.parametrize(
    "value", ["", "yesterday", "Sun, 99 Foo 2024 00:00:00 GMT", "1", "Mon, 01 Jan 99999 00:00:00 GMT"]
)
def test_an_invalid_http_date_is_none(value: str) -> None:
    assert parse_http_date(value) is None


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": 'W/"3"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": 'W/"2"'}, False),
        ({"if-modified-since": "Thu, 29 Feb 2024 13:05:07 GMT"}, True),
        ({"if-modified-since": "Thu, 29 Feb 2024 13:05:06 GMT"}, False),
        ({"if-modified-since": "nonsense"}, False),
        ({"if-none-match": 'W/"2"', "if-modified-since": "Thu, 29 Feb 2024 13:05:07 GMT"}, False),
    ],
)
def test_conditional_read_weighs_tag_before_date(headers: dict[str, str], unchanged: bool) -> None:
    assert not_modified(headers, 3, MOMENT) is unchanged


@pytest.mark.parametrize(
    ("value", "content", "handling"),
    [
        ("return=minimal", "minimal", ""),
        ("return=OperationOutcome", "operationoutcome", ""),
        ("handling=strict, return=representation", "representation", "strict"),
        ('return="minimal"; handling=lenient', "minimal", "lenient"),
        ("return=other, x=1", "representation", ""),
    ],
)
def test_prefer_reads_what_it_knows_and_ignores_the_rest(value: str, content: str, handling: str) -> None:
    found = prefer(value)
    assert (found.content, found.handling) == (content, handling)


@pytest.mark.parametrize("value", [None, "", "a b", "x" * 65, "a\nb", 'a"b', "é"])
def test_a_request_id_that_cannot_be_logged_is_not_taken(value: str | None) -> None:
    assert sane_request_id(value) is None


def test_a_sane_request_id_is_kept() -> None:
    assert sane_request_id("7f3a-01.b_C") == "7f3a-01.b_C"
