"""Failures become FhirErrors in one place. Source: http://hl7.org/fhir/R4/http.html#Status-Codes"""

from __future__ import annotations

import logging

import psycopg
import psycopg_pool
import pytest
from psycopg import errors as pg

from fhir_server.faults import as_fhir_error, describe
from resources.outcome import FhirError, Issue


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (pg.QueryCanceled(), 503, "timeout", True),
        (psycopg_pool.PoolTimeout(), 503, "throttled", True),
        (pg.TooManyConnections(), 503, "throttled", True),
        (pg.SerializationFailure(), 409, "conflict", False),
        (pg.DeadlockDetected(), 409, "conflict", False),
        (psycopg.OperationalError(), 503, "transient", True),
        (psycopg_pool.PoolClosed(), 503, "transient", True),
        (psycopg.InterfaceError(), 503, "transient", True),
        (pg.AdminShutdown(), 503, "transient", True),
        (psycopg.DataError(), 400, "value", False),
        (pg.NumericValueOutOfRange(), 400, "value", False),
        (pg.ProgramLimitExceeded(), 400, "too-costly", False),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"), 400, "value", False),
        (RecursionError(), 400, "too-costly", False),
        (TimeoutError(), 503, "timeout", True),
        (KeyError("Smith"), 500, "exception", False),
    ],
)
def test_each_failure_has_its_status_and_issue_code(
    error: Exception, status: int, code: str, retry: bool
) -> None:
    found = as_fhir_error(error, "r-1")
    assert (found.status, found.issues[0].code, "Retry-After" in found.headers) == (status, code, retry)


def test_an_unexpected_failure_tells_the_request_id_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        found = as_fhir_error(ValueError("Patient Smith"), "r-1")
    assert "r-1" in found.issues[0].text
    assert "Smith" not in found.issues[0].text
    assert caplog.records[0].__dict__["request"] == "r-1"


def test_a_fhir_error_passes_as_it_is() -> None:
    error = FhirError(422, "invariant", "wrong", "Patient.name")
    assert as_fhir_error(error, "r-1") is error


def test_text_that_xml_cannot_carry_is_replaced() -> None:
    error = FhirError(400, issues=[Issue("value", "bad \x00\ud800 text", ("Patient.\x0bid",))])
    issue = as_fhir_error(error, "r-1").issues[0]
    assert (issue.text, issue.expression) == ("bad \ufffd\ufffd text", ("Patient.\ufffdid",))


def test_a_database_error_is_described_without_its_text() -> None:
    assert describe(pg.UniqueViolation("Key (id)=(smith)")) == "UniqueViolation 23505"
