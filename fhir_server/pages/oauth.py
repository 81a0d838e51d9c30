"""The endpoints of the authorization server.

Source: RFC 6749, RFC 7009, RFC 7591, RFC 7592, RFC 7662, SMART App Launch 2.2
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fhir_server.access.grant import Grant
from fhir_server.access.scopes import covers
from fhir_server.auth import asking, authorizing, granting, introspection, launches, registration
from fhir_server.auth.errors import OAuthError, RefusedError
from fhir_server.auth.words import CREATE_LAUNCH
from fhir_server.faults import as_fhir_error
from fhir_server.pages import answers
from fhir_server.pages.answers import address, authority, document, form, oauth, told
from fhir_server.pages.frame import Visit, render

_NOTED = frozenset({"invalid_client", "invalid_grant"})


def _on(url: str) -> RedirectResponse:
    """Return the way on: 303, so that nothing that was posted is posted again (RFC 9700, section 4.12)."""
    return RedirectResponse(url, 303, headers=answers.NO_STORE)


def _page(request: Request, error: RefusedError) -> Response:
    visit = Visit(request)
    visit.planted = False  # a form that another site sends comes without our cookie, and must not cost it
    return render(visit, "message.html", error.status, title="This app cannot be connected", text=error.text)


async def authorize(request: Request) -> Response:
    """Check what an app asks for, and lead its person on."""
    try:
        if request.method == "POST":
            said = await answers.pairs(request)
        else:
            said = answers.parsed(request.scope["query_string"])
        return _on(await authorizing.begin(authority(request), said))
    except OAuthError as error:
        return _page(request, RefusedError(error.code, error.text, error.status))
    except Exception as error:
        return _page(request, _trouble(error))


async def going_on(request: Request) -> Response:
    """Lead a person through what is missing, and back to the app."""
    mine = authority(request)
    try:
        signed = await mine.people.signed_in(mine.store, request.cookies)
        return _on(await asking.proceed(mine, request.query_params.get("request", "")[:200], signed))
    except OAuthError as error:
        return _page(request, RefusedError(error.code, error.text, error.status))
    except Exception as error:
        return _page(request, _trouble(error))


def _trouble(error: Exception) -> RefusedError:
    known = as_fhir_error(error, "")
    return RefusedError("server_error", "That did not work. Please try again in a minute.", known.status)


@oauth
async def token(request: Request) -> Response:
    """Give tokens."""
    mine = authority(request)
    said = await form(request)
    try:
        found = await granting.token(mine, said, request.headers.get("authorization"), address(request))
    except OAuthError as error:
        if error.code in _NOTED:
            grant = Grant("unknown", said.get("client_id", "unknown")[:255], address=address(request))
            await mine.trail.note("authorization", grant, status=error.status, detail={"refused": error.code})
        raise
    return told(found)


@oauth
async def introspect(request: Request) -> Response:
    """Say what a token is worth."""
    said = await form(request)
    return told(
        await introspection.introspect(authority(request), said, request.headers.get("authorization"))
    )


@oauth
async def revoke(request: Request) -> Response:
    """Take a token back."""
    said = await form(request)
    await introspection.revoke_token(authority(request), said, request.headers.get("authorization"))
    return told({})


@oauth
async def register(request: Request) -> Response:
    """Register an app."""
    return told(await registration.register(authority(request), await document(request)), 201)


@oauth
async def registered(request: Request) -> Response:
    """Show, change or remove an app's registration."""
    mine = authority(request)
    client = await registration.managed(mine, request.path_params["id"], request.headers.get("authorization"))
    if request.method == "PUT":
        return told(await registration.change(mine, client, await document(request)))
    if request.method == "DELETE":
        await registration.remove(mine, client)
        return Response(status_code=204, headers=answers.NO_STORE)
    return told(registration.described(mine, client))


@oauth
async def launch(request: Request) -> Response:
    """Begin a launch from an EHR: for the person who is signed in there, with a token that may."""
    mine = authority(request)
    grant = await mine.bearer.grant(request.headers, address(request))
    if not covers(grant.scopes, CREATE_LAUNCH):
        headers = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{CREATE_LAUNCH}"'}
        raise OAuthError("insufficient_scope", f"This needs the scope {CREATE_LAUNCH}", 403, headers)
    said = await document(request)
    client = said.pop("client_id", "")
    if not isinstance(client, str):
        raise OAuthError("invalid_request", "client_id must be a string")
    found = await launches.create(mine, grant.subject, client, said)
    await mine.trail.note("authorization", grant, detail={"launch": client})
    return told(found, 201)


ROUTES = [
    Route("/auth/authorize", authorize, methods=["GET", "POST"]),
    Route("/auth/continue", going_on, methods=["GET"]),
    Route("/auth/token", token, methods=["POST"]),
    Route("/auth/introspect", introspect, methods=["POST"]),
    Route("/auth/revoke", revoke, methods=["POST"]),
    Route("/auth/register", register, methods=["POST"]),
    Route("/auth/register/{id}", registered, methods=["GET", "PUT", "DELETE"]),
    Route("/auth/launches", launch, methods=["POST"]),
]
