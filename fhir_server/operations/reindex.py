"""`$reindex`: index stored resources anew in the background; its state, its end.

Source: http://hl7.org/fhir/R4/async.html for the status request; the operation itself is ours
"""

from __future__ import annotations

from typing import Any

from fhir_server.changes.ids import new_id
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.routing import route
from fhir_server.search import custom
from fhir_server.storage import jobs
from fhir_server.storage.jobs import Job
from fhir_server.storage.rows import instant, type_name, type_number
from fhir_server.version import CANONICAL
from resources.codec.json import dump_json
from resources.definitions import definitions
from resources.outcome import FhirError

NAME = "$reindex"
KNOWN = frozenset({"type", "rewrite"})
RETRY_S = 2


async def reindex(session: Session, request: Request) -> Result:
    """Return 202 with the address of the new job's status.

    Errors: 400 for a type that R4 does not have, or one that the URL does not mean
    """
    call = read_call(request, NAME, KNOWN)
    level = route(request.method, request.path).type
    asked = [str(one.value) for one in call.all("type")]
    wrong = next((name for name in asked if not definitions().is_resource(name)), None)
    if wrong is not None:
        raise FhirError(400, "value", f"'{wrong[:100]}' is not a resource type of R4", "type")
    if level and set(asked) - {level}:
        raise FhirError(400, "invalid", f"The URL asks for {level} alone: leave out 'type'", "type")
    types = sorted({type_number(name) for name in ([level] if level else asked)})
    waiting = [
        param.id
        for _, param in custom.stored()
        if param.id in custom.Stored.pending and (not types or type_number(param.type) in types)
    ]
    async with session.connection() as conn:
        job = await jobs.create(
            conn, new_id(), "requested", types, params=waiting, rewrite=call.flag("rewrite")
        )
    return _state(job, request.base, 202)


async def status(session: Session, id_: str, base: str) -> Result:
    """Return how far a job is: 202 until it has ended, then 200.

    Errors: 404 for a job that never was or was cancelled
    """
    async with session.connection() as conn:
        job = await jobs.get(conn, id_)
    if job is None:
        raise FhirError(404, "not-found", f"There is no job '{id_}'")
    if job.state == "cancelled":
        raise FhirError(404, "not-found", f"The job '{id_}' was cancelled at {job.percent} %")
    return _state(job, base, 200 if job.state == "done" else 202)


async def cancel(session: Session, id_: str) -> Result:
    """Return 202 once a job is cancelled: what it has indexed so far stays.

    Errors: 404 for a job that never was, 409 for one that has ended
    """
    async with session.connection() as conn:
        job = await jobs.cancel(conn, id_)
    if job is None:
        raise FhirError(404, "not-found", f"There is no job '{id_}'")
    if job.state == "done":
        raise FhirError(409, "conflict", f"The job '{id_}' has ended already")
    return Result(202, None)


def _state(job: Job, base: str, code: int) -> Result:
    headers = {"Content-Location": f"{base}/_job/{job.id}"}
    if code == 202:
        headers |= {"Retry-After": str(RETRY_S), "X-Progress": progress(job)}
    return Result(code, dump_json(parameters(job)), headers=headers)


def progress(job: Job) -> str:
    """Return how far a job is, as text of less than 100 characters."""
    if job.state == "queued":
        return "queued"
    return f"{job.percent} % ({job.done} of {job.total} resources, {job.rate:.0f}/s)"


def parameters(job: Job) -> dict[str, Any]:
    """Return a job as a Parameters resource."""
    given: list[dict[str, Any]] = [
        {"name": "job", "valueId": job.id},
        {"name": "state", "valueCode": job.state},
        {"name": "reason", "valueCode": job.why},
        *({"name": "type", "valueCode": type_name(number)} for number in job.types),
        {"name": "percent", "valueInteger": job.percent},
        {"name": "done", "valueDecimal": job.done},
        {"name": "total", "valueDecimal": job.total},
        {"name": "changed", "valueDecimal": job.written},
        {"name": "rate", "valueDecimal": round(job.rate, 1)},
        {"name": "created", "valueInstant": instant(job.created)},
    ]
    moments = (("started", job.started), ("finished", job.finished), ("eta", job.eta))
    given += [{"name": name, "valueInstant": instant(moment)} for name, moment in moments if moment]
    if job.problem:
        given.append({"name": "problem", "valueString": job.problem})
    return {"resourceType": "Parameters", "parameter": given}


register(
    Operation(
        NAME,
        reindex,
        f"{CANONICAL}/OperationDefinition/reindex",
        frozenset({"system", "type"}),
        affects_state=True,
    )
)
describe(
    NAME,
    "Index stored resources anew in the background, without new versions. Answers 202 with Content-Location: GET there"
    " tells how far it is (202, at the end 200), DELETE cancels. A stored SearchParameter starts this by itself.",
    (
        Parameter(
            "type", "in", 0, "*", "code", "Resource types; without any all of them, or the one in the URL"
        ),
        Parameter("rewrite", "in", 0, "1", "boolean", "Also write index rows that look right"),
        Parameter("job", "out", 1, "1", "id", "The job"),
        Parameter("state", "out", 1, "1", "code", "queued | running | done"),
        Parameter("reason", "out", 1, "1", "code", "requested | parameters | upgrade"),
        Parameter("type", "out", 0, "*", "code", "Resource types; none stands for all"),
        Parameter("percent", "out", 1, "1", "integer", "How much is done"),
        Parameter("done", "out", 1, "1", "decimal", "Resources looked at"),
        Parameter("total", "out", 1, "1", "decimal", "Resources to look at, counted at the start"),
        Parameter(
            "changed", "out", 1, "1", "decimal", "Resources whose index rows were not as they should be"
        ),
        Parameter("rate", "out", 1, "1", "decimal", "Resources a second"),
        Parameter("created", "out", 1, "1", "instant", "When it was asked for"),
        Parameter("started", "out", 0, "1", "instant", "When it began"),
        Parameter("finished", "out", 0, "1", "instant", "When it ended"),
        Parameter("eta", "out", 0, "1", "instant", "When it will have ended at this rate"),
        Parameter("problem", "out", 0, "1", "string", "A resource that could not be indexed"),
    ),
)
