"""Sign in and out."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from fhir_server.auth import accounts, asking, backoff, families, sessions, signing_in
from fhir_server.auth.accounts import Account
from fhir_server.auth.mfa import passkeys
from fhir_server.pages.desk import address_of
from fhir_server.pages.frame import PageError, Visit, keep_cookie, onward, page, render, to

WRONG = "The e-mail address and the password do not go together."
_UNREADY = {
    "waiting": "Your address is not confirmed yet: please open the link that we sent you.",
    "disabled": "This account is closed. Please ask the people who run this service.",
}


@page()
async def sign_in(visit: Visit) -> Response:
    """Show the page, or judge what was entered."""
    if visit.request.method != "POST":
        return await _form(visit)
    email, password = visit.value("email", 300), visit.value("password", 5000)
    address = address_of(visit.request)
    judged = await signing_in.by_password(visit.desk.store, email, password, address)
    if judged.account is not None:
        return await arrived(visit, judged.account, ("pwd",))
    why = "wait" if judged.wait else judged.unready or "wrong"
    await visit.desk.note("sign-in", visit.request, judged.known, 401, why=why, by="password")
    if judged.wait:
        return await _form(
            visit, 429, email=email, error=f"Too many tries. Please wait {_span(judged.wait)}."
        )
    return await _form(visit, 401, email=email, error=_UNREADY.get(judged.unready, WRONG))


@page()
async def with_passkey(visit: Visit) -> Response:
    """Let somebody sign in with a passkey alone: it proves both having and knowing."""
    store, site = visit.desk.store, visit.desk.site
    if visit.request.method != "POST":
        async with store.pool.connection() as conn:
            options = await passkeys.asked(conn, site, None)
        return render(
            visit, "passkey_sign_in.html", script=True, options=options, to_app=await app_address(visit)
        )
    address = address_of(visit.request)
    async with store.pool.connection() as conn:
        wait = await backoff.tried(conn, "address", address, backoff.ADDRESS)
        shown = (
            None
            if wait
            else await passkeys.shown(conn, visit.desk.site, None, visit.value("credential", 20_001))
        )
        if shown is not None:
            await backoff.lessened(conn, "address", address)
    account = await _active(visit, shown.account) if shown else None
    if account is None:
        await visit.desk.note("sign-in", visit.request, status=401, why="wrong", by="passkey")
        return await _form(
            visit, 401, error="This passkey is not known here, or it was too late. Please try again."
        )
    return await arrived(visit, account, ("hwk", "user", "mfa"), proved=True)


async def arrived(visit: Visit, account: Account, amr: Sequence[str], *, proved: bool = False) -> Response:
    """Begin the session of somebody whose first proof is right; `proved` where no second is owed after it."""
    desk, request = visit.desk, visit.request
    async with desk.store.pool.connection() as conn:
        owes = "" if proved else await signing_in.owed(conn, account, desk.settings.mfa_roles)
        cookie = await signing_in.moved(
            conn,
            visit.cookie,
            account.id,
            amr=amr,
            owes=owes,
            agent=request.headers.get("user-agent", ""),
            address=address_of(request),
        )
    if not owes:
        await desk.note("sign-in", request, account.id, by=" ".join(amr))
        return onward(visit, cookie)
    answer = to(visit, "/auth/mfa" if owes == "challenge" else "/auth/mfa/add")
    keep_cookie(visit, answer, cookie)
    return answer


@page(half=True)
async def sign_out(visit: Visit) -> Response:
    """End the session."""
    if visit.session is not None:
        async with visit.desk.store.pool.connection() as conn:
            await sessions.ended(conn, visit.session.account, visit.session.id)
        await families.revoke_sessions(visit.desk.store, visit.session.account, visit.session.id)
        await visit.desk.note("sign-out", visit.request, visit.session.account)
    answer = to(visit, "/auth/sign-in", left="1")
    keep_cookie(visit, answer, sessions.new_cookie(secure=visit.secure))
    return answer


async def app_address(visit: Visit) -> str:
    """Return the address of the app that waits, empty where none does; raises PageError for one that gave up."""
    authority = visit.authority
    if not visit.ask or authority is None:
        return ""
    ask = await asking.asked(authority, visit.ask)
    if ask is None:
        raise PageError(
            400, "Please start again", "The app waited too long. Go back to it and connect once more."
        )
    return ask.redirect_uri


async def _form(visit: Visit, status: int = 200, *, email: str = "", error: str = "") -> Response:
    settings = visit.desk.settings
    providers = {name: one.label or name for name, one in settings.identity_providers.items()}
    return render(
        visit,
        "sign_in.html",
        status,
        email=email,
        error=error,
        providers=providers,
        sign_up=settings.sign_up,
        left=visit.request.query_params.get("left") == "1",
        again=visit.request.query_params.get("again") == "1",
        to_app=await app_address(visit),
    )


async def _active(visit: Visit, account: str) -> Account | None:
    async with visit.desk.store.pool.connection() as conn:
        found = await accounts.by_id(conn, account)
    return found if found is not None and found.state == "active" else None


def _span(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
