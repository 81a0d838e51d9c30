"""Signing in with an OpenID provider: out to it, and back."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from fhir_server.auth import backoff, federation
from fhir_server.auth.federation import FederationError
from fhir_server.pages.desk import address_of
from fhir_server.pages.frame import PageError, Visit, keep_cookie, page
from fhir_server.pages.signing import arrived
from fhir_server.settings import IdentityProvider


@page()
async def out(visit: Visit) -> Response:
    """Send the browser to the provider."""
    name, provider = _provider(visit)
    try:
        async with visit.desk.store.pool.connection() as conn:
            if await backoff.tried(conn, "federation", address_of(visit.request), backoff.ADDRESS):
                raise PageError(429, "Please wait", "There were too many tries. Wait a few minutes.")
            back = _back(visit, name)
            url = await federation.begun(conn, name, provider, back, cookie=visit.cookie, request=visit.ask)
    except FederationError as error:
        raise PageError(502, "That did not work", str(error)) from None
    answer = RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})
    if visit.planted:
        keep_cookie(visit, answer, visit.cookie)
    return answer


@page()
async def back(visit: Visit) -> Response:
    """Take the provider's answer."""
    name, provider = _provider(visit)
    desk, said = visit.desk, visit.request.query_params
    answer = {key: said[key][:4000] for key in ("code", "state", "iss", "error") if key in said}
    try:
        async with desk.store.pool.connection() as conn:
            started = await federation.returned(conn, name, answer.get("state", ""), visit.cookie)
        claims = await federation.redeemed(provider, started, answer, _back(visit, name))
        async with desk.store.pool.connection() as conn, conn.transaction():
            account = await federation.account_of(conn, claims, may_join=desk.settings.sign_up)
            await backoff.lessened(conn, "federation", address_of(visit.request))
    except FederationError as error:
        await desk.note("sign-in", visit.request, status=401, why=str(error), by=name)
        raise PageError(401, "That did not work", str(error)) from None
    visit.waiting = started.request
    return await arrived(visit, account, ("fed",), proved=provider.mfa)


def _provider(visit: Visit) -> tuple[str, IdentityProvider]:
    name = str(visit.request.path_params["name"])
    found = visit.desk.settings.identity_providers.get(name)
    if found is None:
        raise PageError(404, "There is nothing here", "This service knows no such provider.")
    return name, found


def _back(visit: Visit, name: str) -> str:
    return visit.desk.places.at(f"/auth/federated/{name}/callback")
