"""What the people's pages work with: settings, storage, the seal of secrets, the trail."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from fhir_server.access.grant import Grant
from fhir_server.audit.entry import Kind
from fhir_server.auth.joining import Sender
from fhir_server.auth.mfa import passkeys
from fhir_server.auth.places import Places, places
from fhir_server.auth.seal import Seal, seal

if TYPE_CHECKING:
    from fhir_server.exchange import Server
    from fhir_server.settings import Settings
    from fhir_server.storage.store import Store


class Desk:
    """One for each process; `server` is what answers FHIR requests, through which people search for patients."""

    def __init__(self, settings: Settings, server: Server) -> None:
        self.settings = settings
        self.server = server
        self.places: Places = places(settings)

    @property
    def store(self) -> Store:
        """The storage."""
        return self.server.store

    @cached_property
    def seal(self) -> Seal:
        """What seals the secrets of authenticator apps."""
        return seal(self.settings)

    @property
    def sender(self) -> Sender:
        """In whose name messages are sent."""
        return Sender(self.settings.brand_name, self.places.issuer)

    @property
    def site(self) -> passkeys.Site:
        """Whom passkeys are for."""
        return passkeys.site(self.places.issuer, self.settings.brand_name)

    async def note(
        self, kind: Kind, request: Request, account: str = "", status: int = 200, **detail: str
    ) -> None:
        """Put into the audit trail what somebody did on these pages; raises FhirError 503 where it cannot be."""
        grant = Grant(subject=account or "unknown", client="pages", address=address_of(request))
        await self.server.trail.note(kind, grant, status=status, detail=detail)


def desk(request: Request) -> Desk:
    """Return the desk of the app that a request came to."""
    found: Any = request.app.state.desk
    assert isinstance(found, Desk)
    return found


def address_of(request: Request) -> str:
    """Return the network address that a request comes from."""
    return request.client.host if request.client else ""
