"""Send pieces to the server, patiently, and tell what it refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import SystemRandom
from typing import Any, NamedTuple

import httpx
import msgspec

from fhir_server.loader.pieces import Piece, Refusal, as_batch

JSON = "application/fhir+json"
HEADERS = {"Content-Type": JSON, "Accept": JSON, "Prefer": "return=minimal"}
TIMEOUT = httpx.Timeout(600.0, connect=10.0)
ATTEMPTS = 12
LONGEST_WAIT_S = 30.0
TRY_AGAIN = frozenset({409, 429, 502, 503, 504})
"""Statuses after which nothing was stored and a later attempt may succeed (502 and 504 come from proxies)."""


_chance = SystemRandom()


class Outcome(NamedTuple):
    """What became of one piece."""

    loaded: int
    refused: list[Refusal]


class Sender:
    """One connection pool to the FHIR base `base`; used by several threads."""

    def __init__(
        self,
        base: str,
        *,
        connections: int = 8,
        auth: httpx.Auth | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx.Client(timeout=TIMEOUT, limits=limits, headers=HEADERS, auth=auth)
        self._base = base.rstrip("/")
        self._sleep = sleep

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, piece: Piece) -> Outcome:
        """Return what the server made of `piece`; a group that it refuses as a whole is sent entry by entry."""
        answer = self._post(piece.body, piece.safe)
        if isinstance(answer, str):
            return Outcome(0, [Refusal(source, 0, answer) for source in piece.sources])
        if answer.is_success and (piece.split or b'"batch-response"' not in answer.content[:4096]):
            return Outcome(piece.count, [])
        if piece.split and 400 <= answer.status_code < 500:
            answer = self._post(as_batch(piece), piece.safe)
            if isinstance(answer, str):
                return Outcome(0, [Refusal(source, 0, answer) for source in piece.sources])
        if not answer.is_success:
            reason = reason_of(answer.content)
            return Outcome(0, [Refusal(source, answer.status_code, reason) for source in piece.sources])
        refused = list(_refused_entries(piece, answer.content))
        return Outcome(piece.count - len(refused), refused)

    def _post(self, body: bytes, safe: bool) -> httpx.Response | str:
        """Return the server's answer, or why there is none."""
        said = "the server did not answer"
        for attempt in range(ATTEMPTS):
            try:
                answer = self._client.post(self._base, content=body)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                said = f"the server cannot be reached: {error}"
                wait = None
            except httpx.HTTPError as error:
                said = f"the connection broke, what was stored is unknown: {type(error).__name__}"
                if not safe:
                    return said
                wait = None
            else:
                if answer.status_code not in TRY_AGAIN or attempt == ATTEMPTS - 1:
                    return answer
                if not safe and answer.status_code in (502, 504):
                    return answer
                wait = _retry_after(answer)
            self._sleep(
                wait if wait is not None else min(0.1 * 2**attempt, LONGEST_WAIT_S) * _chance.uniform(0.5, 1)
            )
        return said


def _retry_after(answer: httpx.Response) -> float | None:
    given = answer.headers.get("retry-after", "")
    return min(float(given), LONGEST_WAIT_S) if given.isdigit() else None


def _refused_entries(piece: Piece, content: bytes) -> Iterator[Refusal]:
    entries = msgspec.json.decode(content).get("entry", [])
    for number, entry in enumerate(entries):
        response = entry.get("response", {})
        status = str(response.get("status", ""))[:3]
        if not status.startswith("2"):
            source = piece.sources[number] if piece.split else f"{piece.sources[0]}#{number}"
            yield Refusal(
                source, int(status) if status.isdigit() else 0, issues_text(response.get("outcome"))
            )


def reason_of(content: bytes) -> str:
    """Return what the OperationOutcome in `content` says, else the beginning of the content."""
    try:
        return issues_text(msgspec.json.decode(content))
    except msgspec.DecodeError:
        return content[:300].decode(errors="replace").strip() or "no reason given"


def issues_text(outcome: Any) -> str:
    """Return the issues of an OperationOutcome as one line."""
    issues = outcome.get("issue", []) if isinstance(outcome, dict) else []
    return "; ".join(map(_issue_text, issues)) or "no reason given"


def _issue_text(issue: dict[str, Any]) -> str:
    text = issue.get("diagnostics") or issue.get("details", {}).get("text") or issue.get("code", "")
    where = ", ".join(issue.get("expression", ()))
    return f"{text} [{where}]" if where else str(text)
