"""How people come to an account: signing up, an invitation, a lost password. Each by a link that holds once.

Nothing that is answered says whether an address has an account; what is sent does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from fhir_server.auth import accounts, outbox, passwords, sessions, tickets
from fhir_server.auth.accounts import Account, AccountError


class Sender(NamedTuple):
    """In whose name messages are sent, and where their links lead."""

    brand: str
    issuer: str

    def link(self, path: str, ticket: str) -> str:
        """Return the address of a page with a ticket."""
        return f"{self.issuer}/auth/{path}?ticket={ticket}"


async def signed_up(conn: AsyncConnection[Any], by: Sender, name: str, email: str, hashed: str) -> None:
    """Make an account that waits for its address to be proved; where there is one already, tell its holder."""
    found = await accounts.by_email(conn, email)
    if found is None:
        account = await accounts.create(conn, name=name, email=email, state="waiting", password=hashed)
        await asked_to_verify(conn, by, account)
        return
    if found.state == "waiting":
        await asked_to_verify(conn, by, found)
        return
    text = (
        f"Somebody, perhaps you, tried to make an account at {by.brand} with this address. You have one already:"
        f"\n\n{by.issuer}/auth/sign-in\n\nThere you can also ask for a new password. Nothing was changed."
    )
    await outbox.put(conn, "email", found.email, f"{by.brand}: you have an account", text)


async def asked_to_verify(conn: AsyncConnection[Any], by: Sender, account: Account) -> None:
    """Send the link that proves an address."""
    await tickets.withdrawn(conn, "verify", account.id)
    ticket = await tickets.issue(conn, "verify", account.id, {"email": account.email})
    text = (
        f"Welcome to {by.brand}. Please confirm that this address is yours:\n\n{by.link('verify', ticket)}\n\n"
        "The link holds for 24 hours. If you did not ask for this, do nothing."
    )
    await outbox.put(conn, "email", account.email, f"{by.brand}: confirm your address", text)


async def verified(conn: AsyncConnection[Any], ticket: str) -> bool:
    """Whether a link proves an address; the account may sign in then."""
    found = await tickets.used(conn, "verify", ticket)
    if found is None or found.account is None:
        return False
    return await accounts.verified(conn, found.account, found.data["email"])


async def invited(
    conn: AsyncConnection[Any],
    by: Sender,
    *,
    name: str,
    email: str,
    user: str,
    roles: Sequence[str],
    host: str = "",
) -> str:
    """Return the link of an invitation, which is also sent; the account is made when it is accepted.

    Errors: AccountError
    """
    who, to = accounts.person_name(name), accounts.address(email)
    if await accounts.by_email(conn, to) is not None:
        raise AccountError("There is an account with this e-mail address", "email")
    data = {"name": who, "email": to, "user": accounts.fhir_user(user), "roles": accounts.known_roles(roles)}
    link = by.link("invitation", await tickets.issue(conn, "invitation", None, data))
    text = (
        f"{who}, {host or by.brand} invites you to {by.brand}. Make your account here:\n\n{link}\n\n"
        "The link holds for seven days, and only once. If you do not know what this is about, do nothing."
    )
    await outbox.put(conn, "email", to, f"{by.brand}: your invitation", text)
    return link


async def accepted(conn: AsyncConnection[Any], ticket: str, hashed: str) -> Account | None:
    """Return the new account of an invitation, None where that is used or over; its address is proved by the link.

    Errors: AccountError where the address has got an account meanwhile
    """
    found = await tickets.used(conn, "invitation", ticket)
    if found is None:
        return None
    data = found.data
    return await accounts.create(
        conn,
        name=data["name"],
        email=data["email"],
        user=data["user"],
        roles=data["roles"],
        password=hashed,
        verified=True,
    )


async def asked_to_reset(conn: AsyncConnection[Any], by: Sender, email: str) -> None:
    """Send the link for a new password, where the address has an account that may sign in."""
    account = await accounts.by_email(conn, email)
    if account is None or account.state == "disabled":
        return
    await tickets.withdrawn(conn, "reset", account.id)
    ticket = await tickets.issue(conn, "reset", account.id, {"email": account.email})
    text = (
        f"You, or somebody else, asked for a new password at {by.brand}. Choose it here:\n\n"
        f"{by.link('reset/new', ticket)}\n\nThe link holds for 30 minutes. If it was not you, do nothing:"
        " your password stays as it is."
    )
    await outbox.put(conn, "email", account.email, f"{by.brand}: a new password", text)


async def reset(
    conn: AsyncConnection[Any], by: Sender, ticket: str, hashed: str
) -> tuple[Account, list[str]] | None:
    """Return whose password was replaced, and the sessions that this ended; None where the link does not hold.

    Shape:  second factors stay: who only reads the mail does not get in
    """
    found = await tickets.used(conn, "reset", ticket)
    account = await accounts.by_id(conn, found.account) if found and found.account else None
    if found is None or account is None or account.state == "disabled":
        return None
    await accounts.set_password(conn, account.id, hashed)
    await accounts.verified(conn, account.id, found.data["email"])
    await told_of_change(conn, by, account)
    return account, await sessions.ended(conn, account.id)


async def told_of_change(conn: AsyncConnection[Any], by: Sender, account: Account) -> None:
    """Tell somebody that the password was changed."""
    if account.email:
        text = (
            f"Your password at {by.brand} was changed just now. If that was not you, ask for a new one at once:\n\n"
            f"{by.issuer}/auth/reset"
        )
        await outbox.put(conn, "email", account.email, f"{by.brand}: your password was changed", text)


def password_problem(password: str, again: str | None, *about: str) -> dict[str, str]:
    """Return what is wrong with a new password, by field."""
    if problem := passwords.problem(password, about):
        return {"password": problem}
    if again is not None and again != password:
        return {"again": "The two are not the same"}
    return {}
