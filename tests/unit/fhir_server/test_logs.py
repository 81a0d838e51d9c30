"""Logs are JSON lines with a request id and without PHI."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from fhir_server.logs import AccessLog, JsonFormatter, redact


@pytest.mark.parametrize(
    "text",
    [
        "GET /fhir/Patient?name=Smith&birthdate=1970-01-01",
        "Patient/smith-1970 is not known here",
        "mail jane.smith@example.org",
        "ssn 123-45-6789",
        "Key (id)=(smith-1970) already exists",
        "postgresql://user:smith@db/x",
        "born 1970-01-01",
    ],
)
def test_what_looks_like_phi_is_redacted(text: str) -> None:
    redacted = redact(text)
    assert "[redacted]" in redacted
    assert not any(secret in redacted for secret in ("smith", "Smith", "1970", "6789"))


def test_plain_messages_stay_as_they_are() -> None:
    assert redact("worker 3 started in 0.4 s") == "worker 3 started in 0.4 s"


def test_an_exception_is_logged_by_class_and_frames_never_by_its_text() -> None:
    try:
        int("Patient Smith, born 1970")
    except ValueError as error:
        entry = _formatted(logging.ERROR, "unexpected failure", exc_info=error, extra={"request": "abc"})
    assert entry["exception"] == "ValueError"
    assert entry["request"] == "abc"
    assert "Smith" not in json.dumps(entry)
    assert any("test_logs.py" in frame for frame in entry["frames"])


def test_the_access_line_is_json_with_fixed_fields() -> None:
    stream = io.BytesIO()
    access = AccessLog(stream)
    access.add("r-1", "GET", "read", "Patient", 200, 0.00123, 512)
    access.flush()
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "logger": "access", "request": "r-1", "method": "GET", "interaction": "read",
        "type": "Patient", "status": 200, "ms": 1.23, "bytes": 512,
    }  # fmt: skip


def test_a_closed_stream_ends_the_access_log_quietly() -> None:
    stream = io.BytesIO()
    access = AccessLog(stream)
    access.add("r-1", "GET", "read", "Patient", 200, 0.1, 1)
    stream.close()
    access.flush()
    assert access.stream is None


def _formatted(level: int, message: str, exc_info: BaseException, extra: dict[str, Any]) -> dict[str, Any]:
    raised = (type(exc_info), exc_info, exc_info.__traceback__)
    record = logging.getLogger("test.logs").makeRecord(
        "test.logs", level, __file__, 1, message, (), raised, extra=extra
    )
    entry: dict[str, Any] = json.loads(JsonFormatter().format(record))
    return entry
