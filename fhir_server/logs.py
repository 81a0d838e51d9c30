"""Structured logs: one JSON object per line, with the request id, without PHI.

Messages are constant texts with closed-vocabulary arguments. Query strings, ids, bodies and the texts of database
errors (which quote values) are never written; of a traceback only its frames are.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

_EXTRA = ("request", "error", "interaction", "worker", "seconds", "count", "path", "pid")
_encode = msgspec.json.Encoder(enc_hook=str).encode

_REDACTED = "[redacted]"
_SUSPECT = re.compile(
    r"\?[^\s\"']*"  # a query string
    r"|\b(?:[A-Z][A-Za-z]{2,40})/[A-Za-z0-9\-.]{1,64}\b(?=$|[\s/\"',;:)\]])"  # Type/id
    r"|\b\d{3}-\d{2}-\d{4}\b"  # social security number
    r"|[\w.+\-]+@[\w\-]+\.[\w.\-]+"  # mail address
    r"|\b(?:\d{4}-\d{2}-\d{2})\b(?!T)"  # bare date, such as a birth date
    r"|\(.*?\)=\(.*?\)"  # PostgreSQL's Key (column)=(value)
    r"|postgres(?:ql)?://\S+"  # connection strings carry passwords
)


def redact(text: str) -> str:
    """Return `text` without what looks like a query, an identity, a date of birth or a credential."""
    return _SUSPECT.sub(_REDACTED, text)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line; texts are redacted, exceptions lose their messages."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        entry: dict[str, Any] = {
            "time": stamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name in _EXTRA:
            value = record.__dict__.get(name)
            if value is not None:
                entry[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = type(record.exc_info[1]).__name__
            entry["frames"] = frames(record.exc_info[2])
        return _encode(entry).decode()


def frames(trace: TracebackType | None) -> list[str]:
    """Return where an exception passed, innermost last, as file:line function."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-12:]]


def stamp(seconds: float) -> str:
    """Return `seconds` since the epoch as an ISO instant in UTC, milliseconds kept."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


def configure(level: str = "INFO") -> None:
    """Send all log records of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True


class AccessLog:
    """One line per request, collected and written in batches: a write per request costs more than the line.

    Shape:  names of interactions and types only; neither path nor query
    """

    __slots__ = ("_lines", "_second", "_stamp", "stream")

    def __init__(self, stream: BinaryIO | None) -> None:
        self.stream = stream
        self._lines: list[str] = []
        self._second, self._stamp = 0, ""

    def add(
        self,
        request_id: str,
        method: str,
        interaction: str,
        type_name: str,
        status: int,
        seconds: float,
        size: int,
    ) -> None:
        """Note one answered request."""
        if self.stream is None:
            return
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        self._lines.append(
            f'{{"time":"{self._stamp}.{int(now % 1 * 1000):03d}Z","level":"info","logger":"access",'
            f'"request":"{request_id}","method":"{method}","interaction":"{interaction}","type":"{type_name}",'
            f'"status":{status},"ms":{seconds * 1000:.2f},"bytes":{size}}}\n'
        )
        if len(self._lines) >= 512:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        if self._lines and self.stream is not None:
            lines, self._lines = self._lines, []
            try:
                self.stream.write("".join(lines).encode())
                self.stream.flush()
            except (OSError, ValueError):
                self.stream = None
