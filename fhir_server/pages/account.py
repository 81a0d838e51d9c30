"""The account: proofs, sessions, password, and the apps that have access."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from starlette.responses import Response

from fhir_server.auth import accounts, backoff, families, joining, passwords, sessions
from fhir_server.auth.accounts import AccountError
from fhir_server.auth.mfa import factors
from fhir_server.pages import wording
from fhir_server.pages.frame import PageError, Visit, errors_of, keep_cookie, page, render, to

_DONE = {
    "password": "Your password was changed. Other sessions were ended.",
    "factor": "The proof was removed.",
    "phone": "Your number was kept.",
    "session": "The session was ended.",
    "app": "The app has no access any more.",
}
_KEPT = "Your role needs a second proof. Add another one before you remove this."


@page(signed_in=True)
async def account(visit: Visit) -> Response:
    """Show the account."""
    return await _account(visit)


@page(signed_in=True, recent=True)
async def phone(visit: Visit) -> Response:
    """Keep or remove the telephone number that codes are sent to."""
    if visit.request.method != "POST":
        return to(visit, "/auth/account")
    try:
        number = accounts.phone_number(visit.value("phone", 40)) if visit.value("phone", 40).strip() else ""
    except AccountError as error:
        return await _account(visit, 400, errors=errors_of(error, {}))
    async with visit.desk.store.pool.connection() as conn:
        await accounts.set_phone(conn, visit.owner.id, number)
    await visit.desk.note("administration", visit.request, visit.owner.id, what="phone")
    return to(visit, "/auth/account", done="phone")


@page(signed_in=True, recent=True)
async def password(visit: Visit) -> Response:
    """Replace the password, which the old one is needed for; all other sessions end, and this one gets a new cookie."""
    if visit.request.method != "POST":
        return render(visit, "password.html")
    assert visit.session is not None
    owner, store = visit.owner, visit.desk.store
    async with store.pool.connection() as conn:
        wait = await backoff.tried(conn, "account", accounts.address_key(owner.email), backoff.ACCOUNT)
    if wait:
        raise PageError(429, "Please wait", "There were too many tries.")
    new = visit.value("password", 5000)
    errors = joining.password_problem(new, visit.value("again", 5000), owner.name, owner.email)
    if owner.password and not (await passwords.matches(visit.value("old", 5000), owner.password)).right:
        errors["old"] = "This is not your password"
    if errors:
        return render(visit, "password.html", 400, errors=errors)
    hashed, cookie = await passwords.hashed(new), sessions.new_cookie(secure=visit.secure)
    async with store.pool.connection() as conn, conn.transaction():
        await backoff.forgotten(conn, "account", accounts.address_key(owner.email))
        await accounts.set_password(conn, owner.id, hashed)
        ended = await _others(visit, conn)
        await sessions.advanced(conn, visit.session, cookie, ())
        await joining.told_of_change(conn, visit.desk.sender, owner)
    for one in ended:
        await families.revoke_sessions(store, owner.id, one)
    await visit.desk.note("administration", visit.request, owner.id, what="password")
    answer = to(visit, "/auth/account", done="password")
    keep_cookie(visit, answer, cookie)
    return answer


@page(signed_in=True)
async def end_session(visit: Visit) -> Response:
    """End one session, or all of them with all access that apps have."""
    if visit.request.method != "POST":
        return to(visit, "/auth/account")
    assert visit.session is not None
    wanted = visit.value("session", 60) or None
    async with visit.desk.store.pool.connection() as conn:
        await sessions.ended(conn, visit.owner.id, wanted)
    await families.revoke_sessions(visit.desk.store, visit.owner.id, wanted)
    await visit.desk.note(
        "sign-out", visit.request, visit.owner.id, what="everywhere" if wanted is None else "one"
    )
    if wanted is None or wanted == visit.session.id:
        return to(visit, "/auth/sign-in", left="1")
    return to(visit, "/auth/account", done="session")


@page(signed_in=True)
async def apps(visit: Visit) -> Response:
    """Show the apps with access, or end the access of one."""
    store = visit.desk.store
    if visit.request.method == "POST":
        client = visit.value("client", 300)
        await families.revoke_app(store, visit.owner.id, client)
        await visit.desk.note("authorization", visit.request, visit.owner.id, what="revoked", app=client)
        return to(visit, "/auth/account/apps", done="app")
    found = [
        {"app": one, "offers": wording.offers(one.scopes), "others": wording.others(one.scopes)}
        for one in await families.apps(store, visit.owner.id)
    ]
    return render(visit, "apps.html", apps=found, done=_DONE.get(visit.value("done"), ""))


async def _others(visit: Visit, conn: AsyncConnection[Any]) -> list[str]:
    assert visit.session is not None
    ended: list[str] = []
    for one in await sessions.listed(conn, visit.owner.id):
        if one.id != visit.session.id:
            ended += await sessions.ended(conn, visit.owner.id, one.id)
    return ended


async def _account(visit: Visit, status: int = 200, *, errors: dict[str, str] | None = None) -> Response:
    assert visit.session is not None
    async with visit.desk.store.pool.connection() as conn:
        found = await factors.of(conn, visit.owner.id)
        open_ = await sessions.listed(conn, visit.owner.id)
    return render(
        visit,
        "account.html",
        status,
        owner=visit.owner,
        factors=factors.strong(found),
        codes_left=sum(one.kind == "recovery" for one in found),
        sessions=open_,
        this=visit.session.id,
        done=_DONE.get(visit.value("done"), "") if visit.request.method == "GET" else "",
        error=_KEPT if visit.request.query_params.get("kept") else "",
        errors=errors or {},
    )
