"""The values that handlers speak: a request in, a result out, and the session between them. No web framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fhir_server.access.grant import OPEN, Grant
from resources.outcome import FhirError, Issue

if TYPE_CHECKING:
    from fhir_server.access.compiling import Policies
    from fhir_server.audit.trail import Trail
    from fhir_server.settings import Settings
    from fhir_server.storage.store import Store

Pairs = Sequence[tuple[str, str]]


class Request(msgspec.Struct, frozen=True):
    """One FHIR request, whoever sent it: HTTP, a bundle entry, a heavy lane.

    Shape:  `path` is relative to the FHIR base, without leading slash and decoded; `query` keeps order and repeats;
            `headers` have lower-case names; `body` is the JSON bytes of a resource (XML is converted before);
            `base` is the server's absolute FHIR base without trailing slash; `resource` is the parsed body where
            somebody upstream (a bundle) already has it; `grant` is on whose behalf it comes
    """

    method: str
    path: str
    query: Pairs = ()
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    base: str = ""
    id: str = ""
    resource: dict[str, Any] | None = None
    grant: Grant = OPEN

    def header(self, name: str) -> str | None:
        """Return the header called `name` (lower case), None where it was not sent."""
        return self.headers.get(name)

    @property
    def segments(self) -> list[str]:
        """The parts of the path."""
        return [part for part in self.path.split("/") if part]

    @property
    def strict(self) -> bool:
        """Whether `Prefer: handling=strict` was asked for."""
        return "handling=strict" in self._preferences

    @property
    def wants_bodies(self) -> bool:
        """Whether `Prefer: return=representation` was asked for."""
        return "return=representation" in self._preferences

    @property
    def _preferences(self) -> str:
        """The Prefer header without what makes no difference (RFC 7240, section 2)."""
        return self.headers.get("prefer", "").replace(" ", "").replace('"', "").lower()


class Result(msgspec.Struct):
    """What an interaction answers.

    Shape:  `body` is JSON bytes or None; `version` and `updated` describe the resource in `body` (ETag,
            Last-Modified); `location` is relative ('Patient/1/_history/2'); `issues` are warnings or hints that
            `Prefer: return=OperationOutcome` shows; `kind` tells the REST layer whether `body` is one resource,
            a searchset/history Bundle (subsetting goes per entry) or neither; `mime` is the type of a body that is no
            FHIR resource and goes out as it is; `touched` are the patients (row numbers) whose data were read or
            written, where another process did that
    """

    status: int
    body: bytes | None = None
    version: int | None = None
    updated: datetime | None = None
    location: str | None = None
    issues: list[Issue] = []
    kind: str = "resource"
    mime: str = ""
    headers: dict[str, str] = {}
    touched: tuple[int, ...] = ()


class Server(Protocol):
    """What every handler may reach: settings, storage and the table of interactions of this process."""

    settings: Settings
    store: Store
    handlers: Mapping[str, Handler]
    policies: Policies
    trail: Trail


class Session:
    """One request's (or one transaction's) way to the database.

    With `conn` given, all work happens on that connection, inside its transaction; without, each piece of work
    borrows one from the pool.
    """

    __slots__ = ("conn", "server")

    def __init__(self, server: Server, conn: AsyncConnection[Any] | None = None) -> None:
        self.server = server
        self.conn = conn

    @property
    def store(self) -> Store:
        """The storage of this process."""
        return self.server.store

    def connection(self) -> Lent:
        """Lend a connection: the transaction's own, else an autocommit one from the pool."""
        return Lent(None if self.conn is not None else self.server.store.pool, self.conn)


class Lent:
    """A connection for the time of a `with`.

    It asks the pool directly: `pool.connection()` also commits, which costs an eighth of a read (10 of 85 µs) and
    means nothing to an autocommit connection. What is left open or broken is rolled back or replaced by the pool.
    """

    __slots__ = ("conn", "pool")

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]] | None, conn: AsyncConnection[Any] | None
    ) -> None:
        self.pool = pool
        self.conn = conn

    async def __aenter__(self) -> AsyncConnection[Any]:
        """Return the connection."""
        if self.conn is None:
            assert self.pool is not None
            self.conn = await self.pool.getconn()
        return self.conn

    async def __aexit__(self, *_: object) -> None:
        """Give back what was borrowed."""
        if self.pool is not None and self.conn is not None:
            await self.pool.putconn(self.conn)


class Handler(Protocol):
    """An interaction: one file each, in `fhir_server/interactions/`."""

    async def __call__(self, session: Session, request: Request, /) -> Result:
        """Answer `request`; raises FhirError."""
        ...


def only(pairs: Pairs, name: str) -> str | None:
    """Return the one value of parameter `name`; raises FhirError where it is repeated."""
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise FhirError(400, "invalid", f"The parameter '{name}' may be given once, not {len(values)} times")
    return values[0] if values else None
