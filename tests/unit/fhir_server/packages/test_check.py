"""What a server lacks for a CapabilityStatement. Source: http://hl7.org/fhir/R4/capabilitystatement-operations.html"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.packages.check import COMBINATION, EXPECTATION, definitions_of, lacks

Json = dict[str, Any]
NAME = {"name": "name", "type": "string", "definition": "http://hl7.org/fhir/SearchParameter/Patient-name"}


def statement(resource: Json | None = None, rest: Json | None = None, **more: Any) -> Json:
    """Return a CapabilityStatement with one resource."""
    listed = [{"type": "Patient", **resource}] if resource is not None else []
    return {"resourceType": "CapabilityStatement", **more, "rest": [{"resource": listed, **(rest or {})}]}


SERVER = statement(
    {
        "interaction": [{"code": "read"}],
        "versioning": "versioned",
        "updateCreate": True,
        "conditionalDelete": "single",
        "searchInclude": ["Patient:link"],
        "searchRevInclude": ["Observation:subject"],
        "searchParam": [NAME],
        "operation": [
            {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}
        ],
        "supportedProfile": ["http://p.test/p"],
        "referencePolicy": ["literal"],
    },
    {"interaction": [{"code": "batch"}]},
    format=["application/fhir+json"],
)


def expected(code: str) -> Json:
    """Return the extension list of an expectation."""
    return {"extension": [{"url": EXPECTATION, "valueCode": code}]}


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        ({"interaction": [{"code": "read"}, {"code": "patch"}]}, "interaction[1]"),
        ({"versioning": "versioned-update"}, "versioning"),
        ({"conditionalCreate": True}, "conditionalCreate"),
        ({"conditionalDelete": "multiple"}, "conditionalDelete"),
        ({"conditionalRead": "full-support"}, "conditionalRead"),
        ({"searchInclude": ["Patient:link", "Patient:organization"]}, "searchInclude[1]"),
        ({"searchRevInclude": ["Condition:subject"]}, "searchRevInclude[0]"),
        ({"searchParam": [NAME, {"name": "phone", "type": "token"}]}, "searchParam[1]"),
        ({"searchParam": [{**NAME, "type": "token"}]}, "searchParam[0]"),
        ({"operation": [{"name": "match", "definition": "http://x.test/match"}]}, "operation[0]"),
        ({"supportedProfile": ["http://p.test/p|2", "http://p.test/q"]}, "supportedProfile[1]"),
        ({"referencePolicy": ["literal", "local"]}, "referencePolicy[1]"),
    ],
)
def test_what_a_type_lacks_is_told_with_its_place(resource: Json, place: str) -> None:
    (one,) = lacks(statement(resource), SERVER)
    assert (one.where, one.expectation) == ("Patient", "SHALL")
    assert one.expression == f"CapabilityStatement.rest[0].resource[0].{place}"
    assert one.issue.severity == "error"


def test_a_server_has_all_that_it_has_itself() -> None:
    assert lacks(SERVER, SERVER) == []


def test_a_missing_type_is_told_once() -> None:
    wanted = {
        "rest": [{"resource": [{"type": "Group", "interaction": [{"code": "read"}], **expected("SHOULD")}]}]
    }
    (one,) = lacks(wanted, SERVER)
    assert (one.where, one.expectation, one.issue.severity) == ("Group", "SHOULD", "warning")


def test_the_whole_server_is_compared_too() -> None:
    wanted = statement(
        None, {"interaction": [{"code": "batch"}, {"code": "transaction"}]}, format=["json", "xml"]
    )
    assert [one.expression for one in lacks(wanted, SERVER)] == [
        "CapabilityStatement.format[1]",
        "CapabilityStatement.rest[0].interaction[1]",
    ]


@pytest.mark.parametrize(
    ("code", "severity"), [("SHALL", "error"), ("SHOULD", "warning"), ("MAY", "information")]
)
def test_an_expectation_makes_the_severity(code: str, severity: str) -> None:
    wanted = {"supportedProfile": ["http://p.test/q"], "_supportedProfile": [expected(code)]}
    (one,) = lacks(statement(wanted), SERVER)
    assert one.issue.severity == severity


def test_what_should_not_be_there_is_not_missing() -> None:
    assert lacks(statement({"interaction": [{"code": "delete", **expected("SHOULD-NOT")}]}), SERVER) == []


def test_a_combination_lacks_the_parameters_that_are_not_there() -> None:
    parts = [{"url": "required", "valueString": name} for name in ("name", "phone")]
    combination = {"url": COMBINATION, "extension": [*expected("SHALL")["extension"], *parts]}
    (one,) = lacks(statement({"extension": [combination]}), SERVER)
    assert "name + phone, without phone" in one.text
    assert lacks(statement({"extension": [{**combination, "extension": parts[:1]}]}), SERVER) == []


def test_another_definition_is_a_hint_unless_it_is_derived() -> None:
    own = "http://guide.test/SearchParameter/name"
    wanted = statement({"searchParam": [{**NAME, "definition": own}]})
    (one,) = lacks(wanted, SERVER)
    assert one.issue.severity == "information"
    assert definitions_of(wanted) == {own}
    assert lacks(wanted, SERVER, {own: str(NAME["definition"])}) == []
