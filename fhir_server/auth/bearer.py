"""From an access token to the grant that it stands for.

A token is verified once and known by its hash until it expires; each time it is asked whether it was revoked. No
database is involved.

Source: RFC 6750, RFC 9068 section 4, RFC 8725 (which algorithms, and that a token is of the kind that it should be)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError

from fhir_server.access.grant import OPEN, Grant
from fhir_server.auth.keys import ALGORITHM, SigningKeys
from fhir_server.auth.places import Places
from fhir_server.auth.revocations import Revocations
from resources.outcome import FhirError

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

KIND = "at+jwt"
LONGEST = 24 * 1024
MOST = 10_000
"""Tokens that a process remembers."""

_STRINGS = ("fhirUser", "patient", "encounter", "purpose", "sid")
_LISTS = ("roles", "elevations", "acting_for")


class Known(msgspec.Struct):
    """A token that was verified."""

    grant: Grant
    issued: float
    kid: str


class Bearer:
    """Verifies access tokens."""

    def __init__(self, places: Places, keys: SigningKeys, revoked: Revocations) -> None:
        self._places = places
        self._keys = keys
        self._revoked = revoked
        self._known: dict[bytes, Known] = {}
        self._realm = f'Bearer realm="{places.base}"'

    async def grant(self, headers: Mapping[str, str], address: str) -> Grant:
        """Return what a request may do; `headers` by lower-case name.

        Errors: 401 login where there is no good token, 503 transient where nobody knows
        """
        said = headers.get("authorization")
        if said is None:
            text = "This needs an access token; /.well-known/smart-configuration says where to get one"
            raise FhirError(401, "login", text, headers={"WWW-Authenticate": self._realm})
        scheme, _, token = said.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST:
            raise self._refused("The Authorization header must be: Bearer, one space, an access token")
        return self.known(token, address)

    def known(self, token: str, address: str = "") -> Grant:
        """Return the grant of a token; raises FhirError 401, 503."""
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._known.get(hashed)
        if found is None:
            found = self._verified(token)
            self._remember(hashed, found)
        grant = found.grant
        if grant.expires <= time.time():
            self._known.pop(hashed, None)
            raise self._refused("The access token has expired")
        if self._keys.public(found.kid) is None:
            self._known.pop(hashed, None)
            raise self._refused("The key that signed the access token was withdrawn")
        self._revoked.require_fresh()
        if self._revoked.includes(grant.session, grant.token, grant.client, found.issued):
            raise self._refused("The access token was revoked")
        if grant.address != address:
            grant = found.grant = msgspec.structs.replace(grant, address=address)
        return grant

    def _remember(self, hashed: bytes, found: Known) -> None:
        if len(self._known) >= MOST:
            now = time.time()
            kept = [(key, one) for key, one in self._known.items() if one.grant.expires > now]
            self._known = dict(kept[-MOST // 2 :])
        self._known[hashed] = found

    def _verified(self, token: str) -> Known:
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
            key = self._key(header)
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, UnicodeError):
            raise self._refused("The access token is not one of this server's") from None
        return self._of(claims, str(header["kid"]))

    def _key(self, header: Mapping[str, Any]) -> RSAKey:
        """Return the key that must have signed; its kind and algorithm are ours to say, not the token's."""
        key = self._keys.public(str(header.get("kid", "")))
        if key is None or header.get("typ") != KIND or header.get("alg") != ALGORITHM:
            raise ValueError("not an access token of ours")
        return key

    def _of(self, claims: Mapping[str, Any], kid: str) -> Known:
        now = time.time()
        expires, issued = claims.get("exp"), claims.get("iat")
        if claims.get("iss") != self._places.issuer or claims.get("aud") != self._places.base:
            raise self._refused("The access token is for another server")
        if not isinstance(expires, int) or not isinstance(issued, int) or issued > now + 60:
            raise self._refused("The access token is not one of this server's")
        said = {name: str(claims.get(name, "")) for name in _STRINGS}
        lists = {name: tuple(claims.get(name, ())) for name in _LISTS}
        return Known(
            Grant(
                subject=claims["sub"],
                client=claims["client_id"],
                scopes=tuple(claims["scope"].split()),
                user=said["fhirUser"],
                patient=said["patient"],
                encounter=said["encounter"],
                purpose=said["purpose"],
                session=said["sid"],
                token=claims["jti"],
                expires=float(expires),
                roles=lists["roles"],
                elevations=lists["elevations"],
                acting_for=lists["acting_for"],
            ),
            float(issued),
            kid,
        )

    def _refused(self, text: str) -> FhirError:
        challenge = f'{self._realm}, error="invalid_token", error_description="{text}"'
        return FhirError(401, "login", text, headers={"WWW-Authenticate": challenge})


async def anyone(headers: Mapping[str, str], address: str) -> Grant:
    """Return the grant of whoever comes, where authorization is switched off."""
    del headers, address
    return OPEN
