"""The apps and programs that may ask for tokens.

Source: RFC 6749 section 2, SMART App Launch 2.2 (client-public, client-confidential-symmetric and -asymmetric)
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from fhir_server.auth.opaque import digest, fresh
from fhir_server.auth.places import origin
from fhir_server.auth.revocations import revoke

Kind = Literal["public", "secret", "key"]
State = Literal["active", "pending", "off"]

CODE, REFRESH, CREDENTIALS = "authorization_code", "refresh_token", "client_credentials"

_COLUMNS = (
    "id, name, kind, state, secret, old_secret, old_secret_until > now() AS old_secret_holds, jwks, jwks_uri, "
    "redirect_uris, launch_uri, origins, grants, scopes, metadata, management, origin, created, updated"
)
_WRITE = """INSERT INTO auth_client (id, name, kind, state, secret, jwks, jwks_uri, redirect_uris, launch_uri, origins,
  grants, scopes, metadata, management, origin)
VALUES (%(id)s, %(name)s, %(kind)s, %(state)s, %(secret)s, %(jwks)s, %(jwks_uri)s, %(redirect_uris)s, %(launch_uri)s,
  %(origins)s, %(grants)s, %(scopes)s, %(metadata)s, %(management)s, %(origin)s)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, state = excluded.state,
  secret = excluded.secret, jwks = excluded.jwks, jwks_uri = excluded.jwks_uri,
  redirect_uris = excluded.redirect_uris, launch_uri = excluded.launch_uri, origins = excluded.origins,
  grants = excluded.grants, scopes = excluded.scopes, metadata = excluded.metadata, updated = now()"""


class Client(msgspec.Struct, kw_only=True):
    """An OAuth client.

    Shape:  `kind` says how it proves who it is; `scopes` are the most that it may ask for, normalized; `metadata` what
            people see of it (client_uri, logo_uri, …); `origin` where the row comes from (operator, registration,
            built-in); hashes are those of `opaque.digest`
    """

    id: str
    name: str
    kind: Kind
    state: State = "active"
    secret: bytes | None = None
    old_secret: bytes | None = None
    old_secret_holds: bool | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: str = ""
    redirect_uris: list[str] = []
    launch_uri: str = ""
    origins: list[str] = []
    grants: list[str] = []
    scopes: list[str] = []
    metadata: dict[str, Any] = {}
    management: bytes | None = None
    origin: str = "operator"
    created: datetime | None = None
    updated: datetime | None = None

    def proves(self, secret: str) -> bool:
        """Whether `secret` is this client's, or the one before while that still holds."""
        given = digest(secret)
        new = self.secret is not None and hmac.compare_digest(given, self.secret)
        old = (
            bool(self.old_secret_holds)
            and self.old_secret is not None
            and hmac.compare_digest(given, self.old_secret)
        )
        return new or old


async def load(conn: AsyncConnection[Any], client_id: str) -> Client | None:
    """Return a client."""
    if not client_id or len(client_id) > 255 or "\0" in client_id:
        return None
    return next(iter(await _found(conn, "WHERE id = %s", (client_id,))), None)


async def listed(conn: AsyncConnection[Any]) -> list[Client]:
    """Return all clients, by name."""
    return await _found(conn, "ORDER BY name, id", ())


async def _found(conn: AsyncConnection[Any], which: str, arguments: tuple[Any, ...]) -> list[Client]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM auth_client {which}", arguments)
        return [_of(row) for row in await cursor.fetchall()]


def _of(row: Mapping[str, Any]) -> Client:
    hashes: dict[str, Any] = {
        name: None if row[name] is None else bytes(row[name])
        for name in ("secret", "old_secret", "management")
    }
    return Client(**{**row, **hashes})


async def add(conn: AsyncConnection[Any], client: Client) -> str:
    """Return the new secret of a client that was added or replaced, '' for kinds that have none."""
    secret = fresh() if client.kind == "secret" and client.secret is None else ""
    if secret:
        client.secret = digest(secret)
    client.origins = sorted({*client.origins, *filter(None, map(origin, client.redirect_uris))})
    row = msgspec.structs.asdict(client)
    row |= {"jwks": Jsonb(client.jwks) if client.jwks else None, "metadata": Jsonb(client.metadata)}
    await conn.execute(_WRITE, row)
    return secret


async def ensure(conn: AsyncConnection[Any], client: Client) -> None:
    """Have a built-in client be there exactly as `client` says; it keeps its id."""
    client.origin = "built-in"
    await add(conn, client)


async def rotate_secret(conn: AsyncConnection[Any], client_id: str, overlap_hours: int) -> str:
    """Return a client's new secret; the old one holds for a while. '' where there is no such client with a secret."""
    secret = fresh()
    cursor = await conn.execute(
        """UPDATE auth_client SET old_secret = secret, old_secret_until = now() + make_interval(hours => %s),
        secret = %s, updated = now() WHERE id = %s AND kind = 'secret'""",
        (overlap_hours, digest(secret), client_id),
    )
    return secret if cursor.rowcount else ""


async def approve(conn: AsyncConnection[Any], client_id: str) -> bool:
    """Whether there was a client of that id that waited for a yes, which it now has."""
    cursor = await conn.execute(
        "UPDATE auth_client SET state = 'active', updated = now() WHERE id = %s AND state = 'pending'",
        (client_id,),
    )
    return cursor.rowcount > 0


async def remove(conn: AsyncConnection[Any], client_id: str, seconds: int = 3600) -> bool:
    """Whether there was such a client; its tokens end with it."""
    cursor = await conn.execute("DELETE FROM auth_client WHERE id = %s", (client_id,))
    if not cursor.rowcount:
        return False
    await revoke(conn, [f"client:{client_id}"], seconds)
    for table in ("auth_family", "auth_code", "auth_ask", "auth_agreed", "auth_launch", "auth_app_state"):
        await conn.execute(f"DELETE FROM {table} WHERE client = %s", (client_id,))
    return True


async def origins(conn: AsyncConnection[Any]) -> frozenset[str]:
    """Return the web origins of all clients that are in use."""
    rows = await (
        await conn.execute("SELECT DISTINCT unnest(origins) FROM auth_client WHERE state = 'active'")
    ).fetchall()
    return frozenset(one for (one,) in rows)
