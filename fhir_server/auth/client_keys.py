"""The public keys of clients: written down at registration, or fetched from where the client keeps them.

Source: SMART App Launch 2.2, client-confidential-asymmetric; RFC 7517
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from fhir_server.auth import fetching
from fhir_server.auth.clients import Client
from fhir_server.auth.errors import OAuthError

if TYPE_CHECKING:
    from fhir_server.storage.store import Store

Key = RSAKey | ECKey

ALGORITHMS = {"RS384": "RSA", "ES384": "EC"}
RSA_BITS_LEAST, RSA_BITS_MOST = 2048, 8192
"""Source: RFC 7518, section 3.3; larger ones only cost time."""

AGAIN_S = 10
"""Seconds within which an unknown key id does not make us ask again."""

_MOST = 50
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CACHED = """SELECT jwks, expires > now(), fetched > now() - make_interval(secs => %s) FROM auth_client_keys
WHERE url = %s"""
_KEEP = """INSERT INTO auth_client_keys (url, jwks, fetched, expires)
VALUES (%s, %s, now(), now() + make_interval(secs => %s))
ON CONFLICT (url) DO UPDATE SET jwks = excluded.jwks, fetched = excluded.fetched, expires = excluded.expires"""


def bad_key(text: str) -> OAuthError:
    """Return the refusal of a client whose keys do not do."""
    return OAuthError("invalid_client", text, 401)


def checked_set(jwks: object, error: Callable[[str], OAuthError]) -> dict[str, Any]:
    """Return a key set that has keys for our algorithms, and nothing secret; raises what `error` makes."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or len(keys) > _MOST or not all(isinstance(one, dict) for one in keys):
        raise error("A key set is {'keys': [...]}")
    if any(_PRIVATE & one.keys() for one in keys):
        raise error("The key set has private or symmetric keys: make new ones and send the public part alone")
    usable = [one for one in keys if usable_key(one) is not None]
    if not usable:
        raise error(
            "The key set has no key with a kid for RS384 (RSA, 2048 bits at least) or ES384 (EC, P-384)"
        )
    return {"keys": usable}


def usable_key(jwk: dict[str, Any]) -> Key | None:
    """Return the key of a JWK that may sign assertions, else None."""
    if not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
        return None
    kind, algorithm = jwk.get("kty"), jwk.get("alg")
    if algorithm is not None and ALGORITHMS.get(str(algorithm)) != kind:
        return None
    try:
        if kind == "RSA":
            rsa = RSAKey.import_key(jwk)
            return rsa if RSA_BITS_LEAST <= rsa.public_key.key_size <= RSA_BITS_MOST else None
        if kind == "EC" and jwk.get("crv") == "P-384":
            return ECKey.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError, UserWarning):
        return None
    return None


async def key_of(store: Store, client: Client, kid: str, algorithm: str, hosts: tuple[str, ...]) -> Key:
    """Return the key of a client that must have signed; `hosts` are those that need no public address.

    Errors: OAuthError invalid_client
    """
    jwks = client.jwks or await _fetched(store, client.jwks_uri, kid, hosts)
    wanted = ALGORITHMS.get(algorithm)
    for jwk in jwks["keys"]:
        if jwk.get("kid") == kid and jwk.get("kty") == wanted and (key := usable_key(jwk)) is not None:
            return key
    raise bad_key("The assertion is signed with a key that is not among the client's")


async def _fetched(store: Store, url: str, kid: str, hosts: tuple[str, ...]) -> dict[str, Any]:
    async with store.pool.connection() as conn:
        cached = await _cached(conn, url)
    if cached is not None:
        jwks, current, young = cached
        if current and (young or any(one.get("kid") == kid for one in jwks["keys"])):
            return jwks
    try:
        body, seconds = await fetching.fetch(url, hosts)
        jwks = checked_set(json.loads(body), bad_key)
    except (fetching.FetchError, ValueError, RecursionError) as error:
        raise bad_key(f"The client's keys cannot be fetched: {error}") from None
    async with store.pool.connection() as conn:
        await conn.execute(_KEEP, (url, Jsonb(jwks), seconds))
    return jwks


async def _cached(conn: AsyncConnection[Any], url: str) -> tuple[dict[str, Any], bool, bool] | None:
    return await (await conn.execute(_CACHED, (AGAIN_S, url))).fetchone()
