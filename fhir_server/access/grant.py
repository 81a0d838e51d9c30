"""A grant: on whose behalf a request comes, by which app, and what was granted to it. A plain value that pickles."""

from __future__ import annotations

import msgspec


class Grant(msgspec.Struct, frozen=True):
    """What an access token (or this program itself) says of a request.

    Shape:  `subject` is the account's id, or the client's for a backend service; `client` the OAuth client;
            `scopes` are SMART v2 scopes, normalized (`patient/Observation.rs?category=laboratory`);
            `user` is who is signed in ('Practitioner/1', empty for a backend service); `patient` and `encounter` are
            the launch context's ids; `roles` are rows of roles.json; `purpose` is a code of v3 PurposeOfUse;
            `session` is what revocation names (a token family), `token` the token's own id;
            `elevations` are what was granted for a while and on record ('operator', 'break-glass:Patient/1');
            `acting_for` the Patients whom a proxy may act for in this session ('Patient/1'); `address` is where the
            request came from
    Units:  `expires` seconds since 1970 UTC, 0 never
    """

    subject: str
    client: str
    scopes: tuple[str, ...] = ()
    user: str = ""
    patient: str = ""
    encounter: str = ""
    roles: tuple[str, ...] = ()
    purpose: str = ""
    session: str = ""
    token: str = ""
    elevations: tuple[str, ...] = ()
    acting_for: tuple[str, ...] = ()
    address: str = ""
    expires: float = 0.0
    unbounded: bool = False


SYSTEM = Grant(subject="system", client="system", unbounded=True)
"""This program at work for itself: indexing, moving, counting. It never answers a client."""

OPEN = Grant(subject="anyone", client="open", unbounded=True)
"""Whoever comes, where authorization is switched off (loopback only)."""
