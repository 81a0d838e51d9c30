"""What the authorization server asks of the accounts: who is signed in, and whether that still holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fhir_server.storage.store import Store


class Signed(Protocol):
    """A person who signed in; see `sessions.SignedIn`."""

    @property
    def account(self) -> str:
        """The account's id."""
        ...

    @property
    def session(self) -> str:
        """The session's id, which is no secret."""
        ...

    @property
    def user(self) -> str:
        """Who that is: 'Practitioner/1'."""
        ...

    @property
    def name(self) -> str:
        """The name to show."""
        ...

    @property
    def roles(self) -> tuple[str, ...]:
        """The account's roles."""
        ...

    @property
    def amr(self) -> tuple[str, ...]:
        """How it was proved. Source: RFC 8176"""
        ...

    @property
    def auth_time(self) -> int:
        """When, in seconds since 1970."""
        ...

    @property
    def acting_for(self) -> tuple[str, ...]:
        """The Patients whom this person may act for."""
        ...


class People(Protocol):
    """The accounts of a server."""

    async def signed_in(self, store: Store, cookies: Mapping[str, str]) -> Signed | None:
        """Return who is signed in by these cookies."""
        ...

    async def alive(self, store: Store, session: str) -> bool:
        """Whether a session has not ended."""
        ...

    async def person(self, store: Store, account: str) -> Signed | None:
        """Return an account as it stands now, None where it may do nothing."""
        ...
