"""What other servers get wrong, each a test.

Source: http://hl7.org/fhir/R4/search.html, the section named with each test
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.search.rows.making import LOINC, MRN_TYPE, observed, patient
from tests.conformance.search.server import Server, keys, link, serving

Json = dict[str, Any]


@pytest.fixture
def own(fresh_database_url: str) -> Iterator[Server]:
    """Yield a server with a database of its own, to write to."""
    with serving(fresh_database_url) as one:
        yield one


def refusal(server: Server, url: str, *pairs: tuple[str, str]) -> str:
    """Return what an OperationOutcome says of a search that must be refused with 400."""
    answer = server.get(url, pairs)
    assert answer.status_code == 400, answer.text[:500]
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return " ".join(one.get("diagnostics", "") for one in outcome["issue"])


# #modifiers: "Server SHALL reject any search request that contains … a modifier that the server does not support"


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("Patient", "birthdate:exact", "1970"),
        ("Patient", "given:below", "Eve"),
        ("Patient", "gender:otype", "x"),
        ("Observation", "value-quantity:not", "5"),
        ("Observation", "subject:exact", "Patient/x"),
        ("Observation", "code-value-quantity:not", "a$5"),
        ("Observation", "patient.birthdate:exact", "1970"),
        ("Observation", "patient.nonsense:exact", "1970"),
        ("Patient", "_has:Observation:patient:date:exact", "1970"),
        ("Patient", "_include:nonsense", "Patient:organization"),
        ("Patient", "_revinclude:nonsense", "Observation:subject"),
        ("Patient", "_count:exact", "5"),
        ("Patient", "_sort:exact", "given"),
    ],
)
def test_a_modifier_that_does_not_belong_is_refused(server: Server, url: str, name: str, value: str) -> None:
    assert refusal(server, url, (name, value))


def test_an_unsupported_modifier_is_refused_even_when_unknown_parameters_are_ignored(server: Server) -> None:
    lenient = {"Prefer": "handling=lenient"}
    answer = server.runner.run(server.client.get("Patient?gender:otype=x", headers=lenient))
    assert answer.status_code == 400


def test_chains_heed_their_modifier(server: Server) -> None:
    """#chaining"""
    asked = ("code", "ref")
    exact = server.matches("Observation", [asked, ("patient.given:exact", "eve")])
    loose = server.matches("Observation", [asked, ("patient.given", "eve")])
    negated = server.matches("Observation", [asked, ("patient.gender:not", "female")])
    missing = server.matches("Observation", [asked, ("patient.gender:missing", "true")])
    assert exact == negated == missing == []
    assert len(loose) == 3


def test_includes_heed_their_target_type(server: Server) -> None:
    """#include: the third part names the only type that is wanted"""
    asked = [("_id", "row-group,row-relative"), ("_include", "Observation:subject:Group")]
    assert keys(server.bundle("Observation", asked), "include") == ["Group/row-eve"]


def test_no_system_is_not_any_system(server: Server) -> None:
    """#token: `|code` matches where there is no system, `code` whatever the system"""
    assert server.matches("Condition", [("code", "|ha125")]) == ["Condition/row-nosystem"]
    assert len(server.matches("Condition", [("code", "ha125")])) == 2


def test_negation_is_of_the_set_and_takes_in_what_is_missing(server: Server) -> None:
    """#token: no item may match; "this includes resources that have no value for the parameter" """
    found = server.matches("Patient", [("language:not", "FR"), ("_id", "row-talks,row-dutch,row-eve")])
    assert sorted(found) == ["Patient/row-dutch", "Patient/row-eve"]


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "2020-03-01"), ("Asia/Tokyo", "2020-02-29"), ("America/New_York", "2020-03-01")]
)
def test_what_has_no_zone_is_in_that_of_the_server(fresh_database_url: str, zone: str, day: str) -> None:
    """#date: "Where both search parameters and resource element date times do not have time zones, the servers local
    time zone should be assumed"

    Half past eight in the evening of 29 February in UTC is 1 March in Tokyo; a day is that of the server.
    """
    with serving(fresh_database_url, time_zone=zone) as own:
        instant = {"UTC": "2020-03-01T00:30:00Z", "Asia/Tokyo": "2020-02-28T15:00:00Z"}
        own.put(observed("x", effectiveDateTime=instant.get(zone, "2020-03-02T04:59:59Z")))
        own.put(observed("day", effectiveDateTime=day))
        assert sorted(own.matches("Observation", [("date", day)])) == [
            "Observation/row-day",
            "Observation/row-x",
        ]
        assert own.matches("Observation", [("date", f"{day}T12:00:00")]) == []


def test_a_composite_is_of_one_component(server: Server) -> None:
    """#composite: 8480-6 is 70 and 8462-4 is 50; nobody has 8480-6 of 50"""
    code = "component-code-value-quantity"
    assert server.matches("Observation", [(code, f"{LOINC}|8480-6$50")]) == []
    assert server.matches("Observation", [(code, f"{LOINC}|8480-6$70")]) == ["Observation/row-parts"]


def test_several_kinds_come_along_at_once(server: Server) -> None:
    """#revinclude"""
    asked = [
        ("_id", "row-eve"),
        ("_revinclude", "Observation:subject"),
        ("_revinclude", "MedicationRequest:patient"),
        ("_revinclude", "Condition:subject"),
    ]
    found = keys(server.bundle("Patient", asked), "include")
    assert {key.partition("/")[0] for key in found} == {"Observation", "MedicationRequest", "Condition"}


def test_what_comes_along_is_no_match(server: Server) -> None:
    """#count: "It does not count extra resources such as … included" """
    asked = [
        ("_id", "row-eve"),
        ("_revinclude", "Observation:subject"),
        ("_total", "accurate"),
        ("_count", "1"),
    ]
    page = server.bundle("Patient", asked)
    assert (page["total"], keys(page)) == (1, ["Patient/row-eve"])
    assert len(keys(page, "include")) > 1
    assert link(page, "next") is None


def test_the_last_page_is_reached_one_by_one(server: Server) -> None:
    """#count: however deep"""
    everything = server.matches("Observation", [("_sort", "-date"), ("_count", "1000"), ("_elements", "id")])
    found = server.matches("Observation", [("_sort", "-date"), ("_count", "1"), ("_elements", "id")])
    assert len(found) > 200
    assert found == everything


@pytest.mark.parametrize("sort", ["_id", "-date", "_lastUpdated", "value-quantity"])
def test_no_match_disappears_between_pages(own: Server, sort: str) -> None:
    """#count: what matches throughout comes once, while others come, go and change"""
    days = [
        observed(f"{day:02}", effectiveDateTime=f"2020-01-{day:02}", valueQuantity={"value": day})
        for day in range(1, 21)
    ]
    own.put(*days)
    page = own.bundle("Observation", [("_sort", sort), ("_count", "4")])
    found = keys(page)
    for turn in range(1, 30):
        following = link(page, "next")
        if following is None:
            break
        own.put(observed(f"new{turn}", effectiveDateTime=f"2020-01-{turn:02}", valueQuantity={"value": turn}))
        assert own.delete(f"Observation/row-new{turn - 1}").status_code in (200, 204, 404)
        page = own.bundle(following)
        found += keys(page)
    mine = [key for key in found if "new" not in key]
    assert sorted(mine) == [f"Observation/row-{day:02}" for day in range(1, 21)]


def test_what_is_deleted_is_neither_found_nor_counted(own: Server) -> None:
    own.put(patient("a", "Ann"), patient("b", "Bob"), observed("o", subject={"reference": "Patient/row-a"}))
    assert own.total("Patient") == 2
    own.delete("Observation/row-o")
    own.delete("Patient/row-a")
    assert own.matches("Patient") == ["Patient/row-b"]
    assert own.total("Patient") == 1
    assert own.matches("Patient", [("_has:Observation:subject:code", "row")]) == []


def test_a_new_value_replaces_the_old_in_every_index(own: Server) -> None:
    own.put(patient("a", "Ann", birthDate="1970-01-01", gender="male", identifier=[{"value": "1"}]))
    own.put(patient("a", "Bea", birthDate="1980-01-01", gender="female", identifier=[{"value": "2"}]))
    for name, old, new in (
        ("given", "ann", "bea"),
        ("birthdate", "1970", "1980"),
        ("gender", "male", "female"),
        ("identifier", "1", "2"),
    ):
        assert own.matches("Patient", [(name, old)]) == [], name
        assert own.matches("Patient", [(name, new)]) == ["Patient/row-a"], name


def test_an_element_with_extensions_alone_is_missing(own: Server) -> None:
    """#modifiers: "where the element is present with extensions but no @value is specified" """
    reason = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
        ]
    }
    own.put(of_patient := patient("a") | {"_gender": reason, "_birthDate": reason})
    assert "gender" not in of_patient
    for code in ("gender", "birthdate"):
        assert own.matches("Patient", [(f"{code}:missing", "true")]) == ["Patient/row-a"]
        assert own.matches("Patient", [(f"{code}:missing", "false")]) == []


# #errors and #conformance


def test_an_unknown_parameter_is_refused_when_strict(server: Server) -> None:
    assert "nonsense" in refusal(server, "Patient", ("nonsense", "1"))


def test_an_unknown_parameter_is_named_and_left_out_when_lenient(server: Server) -> None:
    lenient = {"Prefer": "handling=lenient"}
    answer = server.runner.run(server.client.get("Patient?nonsense=1&_id=row-eve", headers=lenient))
    page = answer.json()
    assert keys(page) == ["Patient/row-eve"]
    outcome = next(entry["resource"] for entry in page["entry"] if entry["search"]["mode"] == "outcome")
    assert "nonsense" in outcome["issue"][0]["diagnostics"]
    assert "nonsense" not in (link(page, "self") or "")


def test_an_empty_parameter_is_ignored(server: Server) -> None:
    """#errors: "Empty parameters are not an error - they are just ignored by the server" """
    assert server.matches("Patient", [("_id", "row-eve"), ("gender", ""), ("nonsense", "")]) == [
        "Patient/row-eve"
    ]


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("Condition", "onset-date", "23 May 2009"),
        ("Patient", "birthdate", "2009-13"),
        ("Patient", "active", "maybe"),
        ("Patient", "active", "http://hl7.org/fhir/special-values|true"),
        ("Patient", "phone", "phone|555"),
        ("Patient", "gender:missing", "perhaps"),
        ("Patient", "family", "xx\\xx"),  # #escaping: "The parameter value xx\\xx is illegal"
        ("Patient", "identifier:of-type", f"{MRN_TYPE}|MR"),
        ("ChargeItem", "factor-override", "many"),
        ("Observation", "code-value-quantity", "only-one"),
        ("Observation", "component-code-value-quantity", "a$1$2"),
        (
            "ChargeItem",
            "context",
            "example",
        ),  # #reference: an Encounter and an EpisodeOfCare, "SHOULD reject"
    ],
)
def test_a_value_that_cannot_be_is_refused(server: Server, url: str, name: str, value: str) -> None:
    """#errors: "Where the content of the parameter is syntactically incorrect, servers SHOULD return an error" """
    assert refusal(server, url, (name, value))


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("Observation", "subject", "101"),
        ("Observation", "patient.identifier", "http://example.com/fhir/identifier/mrn|123456"),
        ("Observation", "code", "loinc|1234-1"),
        ("Condition", "onset-date", "le1895"),
    ],
)
def test_a_value_that_nobody_has_finds_nothing(server: Server, url: str, name: str, value: str) -> None:
    """#errors: "where the issue is a logical condition … the server SHOULD process the search" """
    assert server.matches(url, [(name, value)]) == []
    assert server.total(url, [(name, value)]) == 0


def test_a_query_too_long_for_an_address_is_posted(server: Server) -> None:
    ids = ",".join(["row-eve", *(f"nobody{number}" for number in range(1_500))])
    answer = server.post("Patient/_search", [("_id", ids)])
    assert keys(answer.json()) == ["Patient/row-eve"]


@pytest.mark.parametrize("count", ["0", "1000"])
def test_the_count_of_a_page_is_kept(server: Server, count: str) -> None:
    """#count: "if _count has the value 0, this shall be treated the same as _summary=count" """
    page = server.bundle("Patient", [("_count", count)])
    if count == "0":
        assert page["total"] > 20
        assert not page.get("entry")
        assert link(page, "next") is None
    else:
        assert len(keys(page)) == server.total("Patient")


def test_an_iterated_include_goes_on(server: Server) -> None:
    """#include: "The inclusion process can be iterative, if (and only if) the modifier :iterate is included" """
    asked = [("_id", "row-potassium"), ("_include", "DiagnosticReport:result")]
    chain = ("_include:iterate", "Observation:subject")
    once = keys(server.bundle("DiagnosticReport", asked), "include")
    assert once == ["Observation/row-potassium"]
    ids = [("_id", "row-prov"), ("_include", "Provenance:target"), chain]
    assert sorted(keys(server.bundle("Provenance", ids), "include")) == [
        "Observation/row-relative",
        "Patient/row-eve",
    ]
    plain = [*ids[:2], ("_include", "Observation:subject")]
    answer = server.get("Provenance", plain)
    assert answer.status_code == 400 or keys(answer.json(), "include") == ["Observation/row-relative"]


@pytest.mark.parametrize(
    ("mode", "there", "gone"),
    [
        ("true", "identifier", "maritalStatus"),
        ("text", "text", "identifier"),
        ("data", "identifier", "text"),
        ("false", "maritalStatus", "nothing"),
    ],
)
def test_summaries_hold_what_they_are_to_hold(own: Server, mode: str, there: str, gone: str) -> None:
    """#summary"""
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    own.put(patient("a", "Ann", text=text, identifier=[{"value": "1"}], maritalStatus={"text": "single"}))
    found = own.bundle("Patient", [("_summary", mode)])["entry"][0]["resource"]
    assert there in found
    assert gone not in found
    tags = [tag["code"] for tag in found.get("meta", {}).get("tag", [])]
    assert (tags == ["SUBSETTED"]) == (mode != "false")
