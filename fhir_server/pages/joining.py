"""Sign up, confirm an address, accept an invitation, choose a new password."""

from __future__ import annotations

from starlette.background import BackgroundTask
from starlette.responses import Response

from fhir_server.auth import accounts, backoff, families, joining, passwords, tickets
from fhir_server.auth.accounts import AccountError
from fhir_server.pages.desk import Desk, address_of
from fhir_server.pages.frame import PageError, Visit, errors_of, page, render
from fhir_server.pages.signing import arrived

_OVER = ("This link does not hold any more", "It was used, or its time is over. Please ask for a new one.")


@page()
async def sign_up(visit: Visit) -> Response:
    """Make an account that waits for its address to be proved; says the same where there is one already."""
    if not visit.desk.settings.sign_up:
        raise PageError(404, "Accounts come by invitation", "Please ask the people who care for you for one.")
    if visit.request.method != "POST":
        return render(visit, "sign_up.html", name="", email="")
    name, email, password = visit.value("name", 300), visit.value("email", 300), visit.value("password", 5000)
    errors: dict[str, str] = {}
    for check, text in ((accounts.person_name, name), (accounts.address, email)):
        try:
            check(text)
        except AccountError as error:
            errors |= errors_of(error, {})
    errors |= joining.password_problem(password, None, name, email)
    if errors:
        return render(visit, "sign_up.html", 400, name=name, email=email, errors=errors)
    await _slowly(visit, email)
    hashed = await passwords.hashed(password)
    answer = _look(visit, email)
    answer.background = BackgroundTask(_signed_up, visit.desk, name, email, hashed)
    return answer


@page()
async def verify(visit: Visit) -> Response:
    """Take the link that proves an address; only a button uses it up, for scanners of mail open links."""
    ticket = visit.value("ticket", 200)
    if visit.request.method != "POST":
        return render(visit, "confirm.html", ticket=ticket)
    async with visit.desk.store.pool.connection() as conn, conn.transaction():
        right = await joining.verified(conn, ticket)
    if not right:
        raise PageError(400, *_OVER)
    text = "Your address is confirmed. You can sign in now."
    return render(
        visit, "message.html", title="Thank you", text=text, link="/auth/sign-in", link_text="Sign in"
    )


@page()
async def invitation(visit: Visit) -> Response:
    """Let somebody who was invited choose a password."""
    ticket = visit.value("ticket", 200)
    async with visit.desk.store.pool.connection() as conn:
        found = await tickets.seen(conn, "invitation", ticket)
    if found is None:
        raise PageError(400, *_OVER)
    name, email = found.data["name"], found.data["email"]
    shown = {"ticket": ticket, "name": name, "email": email}
    if visit.request.method != "POST":
        return render(visit, "invitation.html", **shown)
    password = visit.value("password", 5000)
    if errors := joining.password_problem(password, visit.value("again", 5000), name, email):
        return render(visit, "invitation.html", 400, errors=errors, **shown)
    hashed = await passwords.hashed(password)
    try:
        async with visit.desk.store.pool.connection() as conn, conn.transaction():
            account = await joining.accepted(conn, ticket, hashed)
    except AccountError as error:
        raise PageError(409, "There is an account already", str(error)) from None
    if account is None:
        raise PageError(400, *_OVER)
    await visit.desk.note("administration", visit.request, account.id, what="invitation accepted")
    return await arrived(visit, account, ("pwd",))


@page()
async def lost(visit: Visit) -> Response:
    """Send the link for a new password; says the same where there is no such account."""
    if visit.request.method != "POST":
        return render(visit, "lost.html", email="")
    email = visit.value("email", 300)
    try:
        accounts.address(email)
    except AccountError as error:
        return render(visit, "lost.html", 400, email=email, errors=errors_of(error, {}))
    await _slowly(visit, email)
    answer = _look(visit, email)
    answer.background = BackgroundTask(_lost, visit.desk, email)
    return answer


@page()
async def new_password(visit: Visit) -> Response:
    """Take the link for a new password, and that; all sessions end."""
    ticket = visit.value("ticket", 200)
    if visit.request.method != "POST":
        async with visit.desk.store.pool.connection() as conn:
            if await tickets.seen(conn, "reset", ticket) is None:
                raise PageError(400, *_OVER)
        return render(visit, "new_password.html", ticket=ticket)
    password = visit.value("password", 5000)
    if errors := joining.password_problem(password, visit.value("again", 5000)):
        return render(visit, "new_password.html", 400, ticket=ticket, errors=errors)
    hashed = await passwords.hashed(password)
    async with visit.desk.store.pool.connection() as conn, conn.transaction():
        done = await joining.reset(conn, visit.desk.sender, ticket, hashed)
    if done is None:
        raise PageError(400, *_OVER)
    account, _ended = done
    await families.revoke_sessions(visit.desk.store, account.id, None)
    await visit.desk.note("administration", visit.request, account.id, what="password reset")
    text = "Your new password holds. You were signed out everywhere."
    return render(visit, "message.html", title="Done", text=text, link="/auth/sign-in", link_text="Sign in")


async def _slowly(visit: Visit, email: str) -> None:
    async with visit.desk.store.pool.connection() as conn:
        wait = max(
            await backoff.tried(conn, "letter", accounts.address_key(email), backoff.MESSAGES),
            await backoff.tried(conn, "letters", address_of(visit.request), backoff.ADDRESS),
        )
    if wait:
        raise PageError(
            429, "Please wait", "We sent messages a moment ago. Look for them, or try again later."
        )


def _look(visit: Visit, email: str) -> Response:
    text = f"If {email} is right, a message with a link is on its way. Look among unwanted mail, too."
    return render(visit, "message.html", title="Look at your mail", text=text)


async def _signed_up(desk: Desk, name: str, email: str, hashed: str) -> None:
    async with desk.store.pool.connection() as conn, conn.transaction():
        await joining.signed_up(conn, desk.sender, name, accounts.address(email), hashed)


async def _lost(desk: Desk, email: str) -> None:
    async with desk.store.pool.connection() as conn, conn.transaction():
        await joining.asked_to_reset(conn, desk.sender, accounts.address(email))
