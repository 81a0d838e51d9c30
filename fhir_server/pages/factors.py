"""Second factors: asked for at sign-in, added and removed in the account."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from psycopg import AsyncConnection
from starlette.responses import Response

from fhir_server.auth import backoff, sessions
from fhir_server.auth.mfa import codes, factors, passkeys, recovery, totp
from fhir_server.pages.frame import Visit, onward, page, render, to
from fhir_server.pages.signing import app_address

_AMR = {
    "totp": ("otp", "mfa"),
    "passkey": ("hwk", "mfa"),
    "recovery": ("kba", "mfa"),
    "email": ("otp", "mfa"),
}
"""Source: RFC 8176 section 2; a recovery code is the nearest to knowledge that it names."""


@page(half=True)
async def challenge(visit: Visit) -> Response:
    """Ask for the second factor of a sign-in, and judge it."""
    assert visit.session is not None
    if not visit.session.owes:
        return onward(visit)
    if visit.session.owes == "enrolment":
        return to(visit, "/auth/mfa/add")
    if visit.request.method != "POST":
        return await _challenge(visit)
    by = next((name for name in ("totp", "passkey", "recovery", "email") if visit.value(name)), "totp")
    async with visit.desk.store.pool.connection() as conn:
        wait = await backoff.tried(conn, "factor", visit.owner.id, backoff.FACTOR)
        right = not wait and await _judged(visit, conn, by)
        if right:
            await backoff.forgotten(conn, "factor", visit.owner.id)
    if not right:
        await visit.desk.note(
            "sign-in", visit.request, visit.owner.id, 401, why="wait" if wait else "wrong", by=by
        )
        text = (
            f"Too many tries. Please wait {wait} seconds." if wait else "That is not right, or not any more."
        )
        return await _challenge(visit, 429 if wait else 401, errors={by: text})
    return await _done(visit, _AMR[by])


@page(half=True)
async def send_code(visit: Visit) -> Response:
    """Send a code by e-mail or SMS, where the account has a strong factor that it stands in for."""
    assert visit.session is not None
    if visit.request.method != "POST" or visit.session.owes != "challenge":
        return to(visit, "/auth/mfa")
    async with visit.desk.store.pool.connection() as conn:
        ways = codes.channels(visit.owner, await factors.of(conn, visit.owner.id))
        channel = next((way for way in ways if way == visit.value("by")), None)
        wait = await backoff.tried(conn, "message", visit.owner.id, backoff.MESSAGES)
        if channel is not None and not wait:
            async with conn.transaction():
                await codes.sent(conn, visit.owner, visit.session.id, channel, visit.desk.settings.brand_name)
    if channel is None or wait:
        return await _challenge(visit, 429 if wait else 400, errors={"email": "No code can be sent now."})
    return await _challenge(visit, told=channel)


@page(half=True, recent=True)
async def add(visit: Visit) -> Response:
    """Show the ways to add a factor: as a choice of one's own, or because the role asks for it."""
    if _locked(visit):
        return to(visit, "/auth/mfa")
    return await _adding(visit)


@page(half=True, recent=True)
async def add_app(visit: Visit) -> Response:
    """Take the first code of an authenticator app."""
    if _locked(visit) or visit.request.method != "POST":
        return to(visit, "/auth/mfa/add")
    async with visit.desk.store.pool.connection() as conn:
        if await backoff.tried(conn, "enrolment", visit.owner.id, backoff.FACTOR):
            right = False
        else:
            right = await totp.confirmed(conn, visit.desk.seal, visit.owner.id, visit.value("code", 20))
        if right:
            await backoff.forgotten(conn, "enrolment", visit.owner.id)
    if not right:
        text = "That is not the code that the app shows now. Is the time of your phone right?"
        return await _adding(visit, 401, errors={"code": text})
    return await _added(visit, "totp")


@page(half=True, recent=True)
async def add_passkey(visit: Visit) -> Response:
    """Take a new passkey."""
    if _locked(visit) or visit.request.method != "POST":
        return to(visit, "/auth/mfa/add")
    answer, label = visit.value("credential", 20_001), visit.value("label", 100)
    async with visit.desk.store.pool.connection() as conn:
        right = await passkeys.made(conn, visit.desk.site, visit.owner, answer, label)
    if not right:
        return await _adding(
            visit, 401, errors={"passkey": "This passkey could not be taken. Please try again."}
        )
    return await _added(visit, "passkey")


@page(signed_in=True, recent=True)
async def new_codes(visit: Visit) -> Response:
    """Replace the recovery codes and show the new ones, once."""
    if visit.request.method != "POST":
        return to(visit, "/auth/account")
    async with visit.desk.store.pool.connection() as conn, conn.transaction():
        shown = await recovery.made(conn, visit.owner.id)
    await visit.desk.note("administration", visit.request, visit.owner.id, what="recovery codes")
    return render(visit, "codes.html", codes=shown, onward="/auth/account")


@page(signed_in=True, recent=True)
async def remove(visit: Visit) -> Response:
    """Remove a factor; the last strong one of somebody who must have one stays."""
    if visit.request.method != "POST":
        return to(visit, "/auth/account")
    wanted, roles = visit.value("factor", 60), visit.desk.settings.mfa_roles
    async with visit.desk.store.pool.connection() as conn, conn.transaction():
        strong = factors.strong(await factors.of(conn, visit.owner.id))
        last = [one.id for one in strong] == [wanted]
        if last and factors.required(visit.owner, roles):
            return to(visit, "/auth/account", kept="1")
        await factors.removed(conn, visit.owner.id, wanted)
    await visit.desk.note("administration", visit.request, visit.owner.id, what="factor removed")
    return to(visit, "/auth/account", done="factor")


async def _judged(visit: Visit, conn: AsyncConnection[Any], by: str) -> bool:
    assert visit.session is not None
    account, value = visit.owner.id, visit.value(by, 20_001)
    if by == "totp":
        return await totp.accepted(conn, visit.desk.seal, account, value)
    if by == "recovery":
        return await recovery.accepted(conn, account, value)
    if by == "email":
        return await codes.accepted(conn, account, visit.session.id, value)
    return await passkeys.shown(conn, visit.desk.site, account, value) is not None


async def _challenge(
    visit: Visit, status: int = 200, *, errors: dict[str, str] | None = None, told: str = ""
) -> Response:
    async with visit.desk.store.pool.connection() as conn:
        found = await factors.of(conn, visit.owner.id)
        kinds = {one.kind for one in found}
        options = await passkeys.asked(conn, visit.desk.site, visit.owner.id) if "passkey" in kinds else None
    return render(
        visit,
        "challenge.html",
        status,
        script=options is not None,
        to_app=await app_address(visit),
        kinds=kinds,
        ways=codes.channels(visit.owner, found),
        options=options,
        told=told,
        errors=errors or {},
    )


async def _adding(visit: Visit, status: int = 200, *, errors: dict[str, str] | None = None) -> Response:
    brand, name = visit.desk.settings.brand_name, visit.owner.email or visit.owner.name
    async with visit.desk.store.pool.connection() as conn:
        seal = visit.desk.seal
        setup = await totp.waiting(conn, seal, visit.owner.id, issuer=brand, name=name)
        if setup is None:
            setup = await totp.begun(conn, seal, visit.owner.id, issuer=brand, name=name)
        options = await passkeys.creation(conn, visit.desk.site, visit.owner)
    return render(
        visit,
        "add_factor.html",
        status,
        script=True,
        to_app=await app_address(visit),
        owed=visit.session is not None and visit.session.owes == "enrolment",
        picture=f"data:image/svg+xml,{quote(setup.picture)}",
        secret=" ".join(setup.secret[n : n + 4] for n in range(0, len(setup.secret), 4)),
        options=options,
        errors=errors or {},
    )


async def _added(visit: Visit, kind: str) -> Response:
    """Go on after a factor was added; the first comes with recovery codes."""
    assert visit.session is not None
    await visit.desk.note("administration", visit.request, visit.owner.id, what=f"{kind} added")
    async with visit.desk.store.pool.connection() as conn, conn.transaction():
        has = any(one.kind == "recovery" for one in await factors.of(conn, visit.owner.id))
        shown = [] if has else await recovery.made(conn, visit.owner.id)
    if not visit.session.owes:
        onward_ = "/auth/account"
        return render(visit, "codes.html", codes=shown, onward=onward_) if shown else to(visit, onward_)
    answer = await _done(visit, _AMR[kind])
    if not shown:
        return answer
    page_ = render(visit, "codes.html", codes=shown, onward=answer.headers["location"])
    page_.headers["set-cookie"] = answer.headers["set-cookie"]
    return page_


async def _done(visit: Visit, amr: tuple[str, ...]) -> Response:
    assert visit.session is not None
    cookie = sessions.new_cookie(secure=visit.secure)
    async with visit.desk.store.pool.connection() as conn:
        await sessions.advanced(conn, visit.session, cookie, amr)
    await visit.desk.note("sign-in", visit.request, visit.owner.id, by=" ".join((*visit.session.amr, *amr)))
    return onward(visit, cookie)


def _locked(visit: Visit) -> bool:
    """Whether a factor is owed that is there already: who has only the password cannot add another."""
    return visit.session is not None and visit.session.owes == "challenge"
