"""`$validate`: everything that is to be said of a resource, one that is sent or one that is stored.

What is wrong with a resource is the result, also where its text cannot be read: 200 with an OperationOutcome. Only a
call that cannot be carried out is refused. Bodies are read here as they came, so that line and column can be told.

Source: http://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from fhir_server.access import seen
from fhir_server.conformance.policy import weighed
from fhir_server.conformance.validating import LARGE, validated
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import NOT_OURS, Call, Given, given_in
from fhir_server.operations.validate_modes import acceptable, removable
from fhir_server.routing import Route, route
from fhir_server.storage import read
from resources.codec.json import dump_json, parse_json
from resources.codec.positions import located
from resources.codec.xml import parse_xml
from resources.definitions import definitions
from resources.outcome import FhirError, Issue, operation_outcome
from resources.validate.explain import explain
from resources.validate.messages import issue
from resources.validate.options import Options

Json = dict[str, Any]
T = TypeVar("T")

NAME = "$validate"
KNOWN = frozenset({"resource", "mode", "profile"})
MODES = ("create", "update", "delete", "profile")
MOST_PROFILES = 20
JSON_BODIES = frozenset({"application/fhir+json", "application/json", "application/json+fhir", "text/json"})
XML_BODIES = frozenset({"application/fhir+xml", "application/xml", "application/xml+fhir", "text/xml"})


class Asked(NamedTuple):
    """What a call wants validated, and how.

    Shape:  `resource` None: the stored one; `text` the body that issues are located in, empty where there is none;
            `prefix` is where in the body the resource stands
    """

    resource: Any
    mode: str
    profiles: tuple[str, ...]
    text: bytes = b""
    prefix: str = ""


async def validate(session: Session, request: Request) -> Result:
    """Return the OperationOutcome.

    Errors: 400 for a call without a resource or with wrong parameters; 404 or 410 where the stored one is not there
    """
    place = route(request.method, request.path)
    try:
        asked = await _beside(request, lambda: _asked(request, place))
    except _UnreadableError as unreadable:
        return _answer(unreadable.issues)
    if asked.mode == "delete":
        return _answer(await removable(session, request, place))
    if asked.resource is None:
        asked = asked._replace(resource=await _stored(session, place))
    issues = list(_misplaced(asked.resource, place))
    if not issues:
        issues = await _found(session, request, place, asked)
    return _answer(await _beside(request, lambda: _in_text(issues, asked)))


async def _beside(request: Request, work: Callable[[], T]) -> T:
    """Return what `work` returns; in a thread where the body is large."""
    return await asyncio.to_thread(work) if len(request.body) > LARGE else work()


async def _found(session: Session, request: Request, place: Route, asked: Asked) -> list[Issue]:
    size, base, resource = len(request.body), request.base, asked.resource
    if asked.mode in ("create", "update"):
        (issues,) = await weighed(session, [resource], profiles=asked.profiles, size=size, base=base)
        return [*issues, *await acceptable(session, request, place, resource, asked.mode)]
    settings = session.server.settings
    options = Options(
        profiles=asked.profiles,
        references=settings.validation_references,
        best_practice=settings.validation_best_practice,
    )
    return await validated(session, resource, options, size=size, base=base)


def _answer(issues: list[Issue]) -> Result:
    return Result(200, dump_json(operation_outcome(issues)))


class _UnreadableError(Exception):
    """The resource's text cannot be read: that is the result."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__()
        self.issues = issues


def _asked(request: Request, place: Route) -> Asked:
    """Return what is asked; raises FhirError 400 for a call that means nothing."""
    body = _body(request)
    given = [Given(name, value) for name, value in request.query if name not in NOT_OURS and value]
    text, prefix, resource = request.body, "", body
    wrapped = isinstance(body, dict) and body.get("resourceType") == "Parameters" and _is_call(body, place)
    if wrapped:
        given += given_in(body)
    call = Call(_known(given), NAME)
    if call.one("resource") is not None and not wrapped:
        raise FhirError(400, "value", f"{NAME} takes a 'resource' in the body", "resource")
    if wrapped:
        resource, prefix = _resource_in(body)
    mode = call.text("mode") or ""
    if mode and mode not in MODES:
        raise FhirError(400, "value", f"'mode' is one of {', '.join(MODES)}", "mode")
    asked = Asked(resource, mode, _profiles(call), text, prefix)
    _refuse(asked, place)
    return asked


def _is_call(body: Json, place: Route) -> bool:
    """Whether a Parameters resource is the call's own, and not the resource to be validated."""
    listed = body.get("parameter")
    names = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return place.type != "Parameters" or "resource" in names


def _known(given: list[Given]) -> list[Given]:
    for one in given:
        if one.name not in KNOWN:
            text = f"{NAME} has no parameter '{one.name[:100]}'; it takes: {', '.join(sorted(KNOWN))}"
            raise FhirError(400, "not-supported", text)
    return given


def _resource_in(body: Json) -> tuple[Any, str]:
    """Return the resource in a call's Parameters and where it stands."""
    for number, one in enumerate(body.get("parameter", ())):
        if one.get("name") == "resource":
            if "resource" not in one:
                raise FhirError(400, "invalid", "The parameter 'resource' holds a resource", "resource")
            return one["resource"], f"Parameters.parameter[{number}].resource"
    return None, ""


def _profiles(call: Call) -> tuple[str, ...]:
    listed = call.all("profile")
    if any(not isinstance(one.value, str) for one in listed):
        raise FhirError(400, "value", f"{NAME} takes a canonical as 'profile'", "profile")
    if len(listed) > MOST_PROFILES:
        raise FhirError(400, "too-costly", f"{NAME} takes at most {MOST_PROFILES} profiles", "profile")
    return tuple(dict.fromkeys(one.value for one in listed))


def _refuse(asked: Asked, place: Route) -> None:
    """Refuse what does not go together. Source: the operation's notes on `resource` and `mode`."""
    if asked.mode in ("delete", "profile") and not place.id:
        raise FhirError(400, "invalid", f"The mode '{asked.mode}' is asked of an instance", "mode")
    if asked.mode == "profile" and asked.resource is not None:
        raise FhirError(
            400, "invalid", "The mode 'profile' validates the stored resource; send none", "resource"
        )
    if asked.mode == "profile" and not asked.profiles:
        raise FhirError(400, "required", "The mode 'profile' needs a 'profile'", "profile")
    if asked.mode == "create" and place.id:
        raise FhirError(400, "invalid", "The mode 'create' is asked of a type", "mode")
    if asked.resource is None and (not place.id or asked.mode in ("create", "update")):
        raise FhirError(400, "required", f"{NAME} needs a 'resource'", "resource")


def _body(request: Request) -> Any:
    """Return the parsed body, None where there is none; raises _UnreadableError where it cannot be parsed."""
    if request.resource is not None or not request.body.strip():
        return request.resource
    media = (request.header("content-type") or "").partition(";")[0].strip().lower()
    try:
        return parse_xml(request.body) if media in XML_BODIES else parse_json(request.body)
    except FhirError as error:
        raise _UnreadableError(error.issues) from None


async def _stored(session: Session, place: Route) -> Json:
    async with session.connection() as conn:
        row = read.there(await seen.current(conn, place.type, place.id), f"{place.type}/{place.id}")
    return parse_json(row.json())


def _misplaced(resource: Any, place: Route) -> list[Issue]:
    """Return an issue for what is no resource, or one of another type than the URL says."""
    if not isinstance(resource, dict):
        return explain(resource)
    found = resource.get("resourceType")
    if place.type in ("", "Resource", found) or not definitions().is_resource(str(found)):
        return []
    return [issue("resource-type-other", str(found), type=found, expected=place.type)]


def _in_text(issues: list[Issue], asked: Asked) -> list[Issue]:
    """Return `issues` with line and column in the body; their expressions begin at the resource itself."""
    if not asked.text:
        return issues
    return located(issues, asked.text, asked.prefix)


register(
    Operation(
        NAME,
        validate,
        "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        frozenset({"type", "instance"}),
        bodies=JSON_BODIES | XML_BODIES,
    )
)
