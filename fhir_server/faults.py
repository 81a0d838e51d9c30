"""Every failure becomes one FhirError here; nothing of our insides leaves with it.

Source: http://hl7.org/fhir/R4/http.html#Status-Codes, http://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

import logging
import re

import msgspec
import psycopg
import psycopg_pool
from psycopg import errors as pg

from resources.outcome import FhirError, Issue

_log = logging.getLogger("fhir_server")

_AFTER = {"Retry-After": "1"}
_LATER = {"Retry-After": "5"}

_TABLE: tuple[tuple[tuple[type[BaseException], ...], int, str, str, dict[str, str]], ...] = (
    (
        (pg.QueryCanceled,),
        503,
        "timeout",
        "The request took too long and was stopped; narrow it or try later",
        _LATER,
    ),
    (
        (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests, pg.TooManyConnections, pg.LockNotAvailable),
        503,
        "throttled",
        "The server is busy; try again shortly",
        _AFTER,
    ),
    (
        (pg.SerializationFailure, pg.DeadlockDetected, pg.UniqueViolation),
        409,
        "conflict",
        "Other requests kept changing the same data; nothing was stored; try again",
        {},
    ),
    (
        (pg.ProgramLimitExceeded,),
        400,
        "too-costly",
        "The request holds a value or a combination that is too large",
        {},
    ),
    ((psycopg.DataError,), 400, "value", "The request holds a value that cannot be stored or compared", {}),
    (
        (psycopg.OperationalError, psycopg.InterfaceError),
        503,
        "transient",
        "The database is not reachable now",
        _AFTER,
    ),
    ((UnicodeError,), 400, "value", "The request holds text that is not valid Unicode", {}),
    ((RecursionError,), 400, "too-costly", "The request is nested too deeply", {}),
    ((MemoryError,), 503, "throttled", "The server is short of memory; try again later", _LATER),
    ((TimeoutError,), 503, "timeout", "The request took too long and was stopped", _LATER),
)
"""First match wins: (exceptions, status, issue code, text, extra headers)."""


def as_fhir_error(error: BaseException, request_id: str) -> FhirError:
    """Return what the client may know of `error`; whatever nobody expected is logged and becomes a bare 500."""
    if isinstance(error, FhirError):
        return _clean(error)
    for classes, status, code, text, headers in _TABLE:
        if isinstance(error, classes):
            _log.warning(
                "refused with %d %s", status, code, extra={"request": request_id, "error": describe(error)}
            )
            return FhirError(status, code, text, headers=dict(headers))
    _log.error("unexpected failure", exc_info=error, extra={"request": request_id})
    return FhirError(
        500, "exception", f"The server failed to answer; its log names this request {request_id}"
    )


def describe(error: BaseException) -> str:
    """Return the class and SQLSTATE of `error`: its text may quote a patient's data."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__


_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def _clean(error: FhirError) -> FhirError:
    """Return `error` with texts that JSON and XML can both carry."""
    for issue in error.issues:
        if _UNWRITABLE.search(issue.text) or any(map(_UNWRITABLE.search, issue.expression)):
            return FhirError(error.status, issues=map(_written, error.issues), headers=error.headers)
    return error


def _written(issue: Issue) -> Issue:
    expression = tuple(_UNWRITABLE.sub("\ufffd", part) for part in issue.expression)
    return msgspec.structs.replace(issue, text=_UNWRITABLE.sub("\ufffd", issue.text), expression=expression)
