"""What values of data types say of themselves. Source: http://hl7.org/fhir/R4/datatypes.html"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from resources.validate.rules.datatypes import check_attachment, check_identifier, check_meta, check_uri
from resources.validate.rules.narrative import check as check_narrative
from resources.validate.tags import problem_of
from tests.unit.resources.validate.rules.stage import Stage

DATA = b"some data"
TEXT = base64.b64encode(DATA).decode()
HASH = base64.b64encode(hashlib.sha1(DATA).digest()).decode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"data": TEXT, "size": 9, "hash": HASH}, []),
        ({"data": TEXT, "size": 8}, [("attachment-size", "A.size")]),
        ({"data": TEXT, "hash": TEXT}, [("attachment-hash", "A.hash")]),
        ({"url": "http://x.org/a.pdf", "size": 8}, []),
        ({"title": "lost"}, []),
        ({"contentType": "text/plain"}, [("attachment-empty", "A")]),
    ],
)
def test_an_attachment_is_as_long_and_hashes_as_it_says(value: Any, said: list[tuple[str, str]]) -> None:
    stage = Stage()
    check_attachment(stage, value, "A")
    assert stage.said == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"system": "http://x.org", "value": "1"}, []),
        ({"system": "local", "value": "1"}, [("identifier-system-relative", "I.system")]),
        ({"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}, []),
        ({"system": "urn:ietf:rfc:3986", "value": "1.2.3"}, [("identifier-urn-value", "I.value")]),
        ({"value": "1"}, []),
    ],
)
def test_the_system_of_an_identifier_is_an_absolute_uri(value: Any, said: list[tuple[str, str]]) -> None:
    stage = Stage()
    check_identifier(stage, value, "I")
    assert stage.said == said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("urn:oid:1.2.3", ""),
        ("urn:oid:4.2.3", "uri-oid-malformed"),
        ("urn:oid:1.02", "uri-oid-malformed"),
        ("urn:uuid:0c3201bd-1cbf-4d64-b04d-cd9187a4c6e0", ""),
        ("urn:uuid:0c3201bd", "uri-uuid-malformed"),
        ("http://x.org", ""),
    ],
)
def test_a_urn_is_well_formed(value: str, message: str) -> None:
    stage = Stage()
    check_uri(stage, value, "U")
    assert [one for one, _ in stage.said] == ([message] if message else [])


def test_a_profile_that_is_claimed_is_an_absolute_url() -> None:
    stage = Stage()
    check_meta(stage, {"profile": ["http://x.org/p", "StructureDefinition/p"]}, "P.meta")
    assert stage.said == [("meta-profile-relative", "P.meta.profile[1]")]


@pytest.mark.parametrize(
    "tag", ["en", "en-US", "zh-Hant-TW", "de-CH-1996", "sl-rozaj-biske", "x-ours", "i-klingon"]
)
def test_a_language_tag_of_bcp_47_is_right(tag: str) -> None:
    assert problem_of(tag) == ""


@pytest.mark.parametrize(
    "tag", ["english language", "en_US", "e", "en-", "en-US-US", "de-1996-1996", "en-a-bb-a-cc", "12"]
)
def test_what_bcp_47_does_not_allow_is_no_language_tag(tag: str) -> None:
    assert tag in problem_of(tag)


def test_the_narrative_is_in_the_language_of_the_resource() -> None:
    stage = Stage()
    for lang in ("de", "en"):
        div = f'<div xmlns="http://www.w3.org/1999/xhtml" lang="{lang}" xml:lang="{lang}">x</div>'
        check_narrative(
            stage, {"resourceType": "Patient", "language": "en", "text": {"div": div}}, "P", False
        )
    assert stage.said == [("language-disagrees", "P.text.div")] * 2


def test_a_narrative_is_missed_only_where_best_practice_is_asked_for() -> None:
    for best_practice, messages in ((False, []), (True, [("narrative-missing", "P")])):
        stage = Stage(best_practice=best_practice)
        check_narrative(stage, {"resourceType": "Patient"}, "P", False)
        check_narrative(stage, {"resourceType": "Patient"}, "P", True)
        check_narrative(stage, {"resourceType": "Bundle"}, "P", False)
        assert stage.said == messages


def test_a_narrative_that_shows_nothing_is_an_error() -> None:
    stage = Stage()
    div = '<div xmlns="http://www.w3.org/1999/xhtml"> <p/> </div>'
    check_narrative(stage, {"resourceType": "Patient", "text": {"div": div}}, "P", False)
    assert [(one.id, one.severity) for one in stage.issues] == [("narrative-blank", "error")]
