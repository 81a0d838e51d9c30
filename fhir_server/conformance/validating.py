"""Validation with all that this server knows: what it asks is fetched all at once, and asked again.

What is at hand costs no statement beyond one look at the epochs. Every round fetches everything that was asked in it,
for all resources of a bundle together; a further round comes only where an answer leads to new questions (a profile
of an extension of a profile). Profiles that are not R4's own are looked at in a thread, since nobody knows how long
their expressions take.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fhir_server import metrics
from fhir_server.conformance.asks import ServerAsks
from fhir_server.conformance.kept import kept
from fhir_server.exchange import Session
from resources.outcome import FhirError, Issue, Severity
from resources.validate.asks import PENDING, Coded, Verdict
from resources.validate.messages import issue
from resources.validate.options import Options
from resources.validate.validator import validate

Json = dict[str, Any]

MOST_ROUNDS = 40
"""The most times that answers may lead to new questions."""
UNKNOWN = "profile-unknown"
"""The message that nobody here knows a profile."""
LARGE = 64 * 1024
"""Bytes from which on a resource is validated beside the event loop."""


class Job(NamedTuple):
    """A resource to be validated, and how."""

    resource: Json
    options: Options


async def validated(
    session: Session, resource: Json, options: Options, *, size: int = 0, base: str = ""
) -> list[Issue]:
    """Return everything that is to be said of one resource; `size` is that of its text in bytes, where known."""
    (found,) = await validated_all(session, [Job(resource, options)], size=size, base=base)
    return found


async def validated_all(
    session: Session,
    jobs: Sequence[Job],
    *,
    size: int = 0,
    base: str = "",
    inside: Mapping[str, Json | None] | None = None,
) -> list[list[Issue]]:
    """Return everything that is to be said of each resource.

    Shape:  `inside` are resources that count as stored, by `Type/id`; None: as deleted
    Errors: 422 too-costly where profiles lead to ever more profiles
    """
    asks = ServerAsks(await kept(session), base, inside)
    asks.foreign = any(job.options.profiles or _claims(job.resource) for job in jobs)
    found: list[list[Issue]] = [[] for _ in jobs]
    open_ = list(range(len(jobs)))
    for _ in range(MOST_ROUNDS):
        if size > LARGE or asks.foreign:
            open_ = await asyncio.to_thread(_round, jobs, open_, asks, found)
        else:
            open_ = _round(jobs, open_, asks, found)
        if not open_:
            return [_counted(_explained(asks, job, said)) for said, job in zip(found, jobs, strict=True)]
        if asks.waiting:
            async with session.connection() as conn:
                await asks.fetch(conn)
    raise FhirError(422, "too-costly", f"Profiles lead to other profiles more than {MOST_ROUNDS} levels deep")


def _claims(resource: Json) -> bool:
    meta = resource.get("meta")
    return isinstance(meta, dict) and "profile" in meta


async def verdicts(session: Session, questions: Sequence[Coded]) -> list[Verdict]:
    """Return what is known of codes, in order."""
    asks = ServerAsks(await kept(session))
    for question in questions:
        asks.coded(question)
    if asks.waiting:
        async with session.connection() as conn:
            await asks.fetch(conn)
    found = [asks.coded(question) for question in questions]
    return [one for one in found if one is not PENDING]


async def known(session: Session, canonical: str) -> bool:
    """Return whether a profile is here and can be used."""
    asks = ServerAsks(await kept(session))
    asks.foreign = True
    if asks.structure(canonical) is PENDING:
        async with session.connection() as conn:
            await asks.fetch(conn)
    return asks.structure(canonical) is not None


def _round(
    jobs: Sequence[Job], open_: Sequence[int], asks: ServerAsks, found: list[list[Issue]]
) -> list[int]:
    """Validate the resources with the numbers `open_`; return those that asked what has no answer yet."""
    left = []
    for number in open_:
        before = asks.asked
        found[number] = validate(jobs[number].resource, asks, jobs[number].options)
        if asks.asked != before:
            left.append(number)
    return left


def _explained(asks: ServerAsks, job: Job, said: list[Issue]) -> list[Issue]:
    """Return `said` with the reason for each profile that is here but cannot be used, instead of calling it unknown."""
    root = str(job.resource.get("resourceType"))
    for url, why in asks.troubles.items():
        severity: Severity | None = "error" if url in job.options.profiles else None
        unknown = [one for one in said if one.id == UNKNOWN and url in one.text]
        if unknown:
            place = unknown[0].expression[0] if unknown[0].expression else root
            said = [one for one in said if one not in unknown]
            said.append(issue("profile-unusable", place, severity, profile=url, why=why))
    return said


def _counted(issues: list[Issue]) -> list[Issue]:
    for severity, count in Counter(one.severity for one in issues).items():
        metrics.VALIDATION.labels(severity).inc(count)
    return issues
