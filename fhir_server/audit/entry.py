"""One entry of the trail: who did what to what, from where, and how it ended. Its bytes are what is chained."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from time import time_ns
from typing import Any, Literal

import msgspec

from fhir_server.access.grant import Grant

Kind = Literal[
    "rest",
    "posted",
    "sign-in",
    "sign-out",
    "authorization",
    "consent",
    "emergency",
    "elevation",
    "export",
    "erasure",
    "administration",
    "retention",
]
"""What an entry is about; kinds.json says what each is called in an AuditEvent."""


class Entry(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """What happened.

    Shape:  `subject`, `client`, `user`, `roles`, `purpose`, `session`, `elevations`, `acting_for` and `address` are the
            grant's; `interaction` is R4's ('read', 'search-type', or an operation's '$everything');
            `type`, `id`, `version` name what was asked for; `query` is the search as it was sent;
            `patients` are the row numbers of the patients whose data were touched, sorted; `detail` is what the kind
            has to say beside; `content` the JSON of an AuditEvent that a client sent
    Units:  `at` microseconds since 1970 UTC; `status` of HTTP
    """

    at: int
    kind: Kind
    subject: str
    client: str
    user: str = ""
    roles: tuple[str, ...] = ()
    purpose: str = ""
    session: str = ""
    elevations: tuple[str, ...] = ()
    acting_for: tuple[str, ...] = ()
    address: str = ""
    request: str = ""
    interaction: str = ""
    type: str = ""
    id: str = ""
    version: int = 0
    query: str = ""
    status: int = 200
    patients: tuple[int, ...] = ()
    detail: Mapping[str, str] = {}
    content: str = ""

    @property
    def agent(self) -> str:
        """Who did it: the person, else the account, else the client."""
        return self.user or self.subject or self.client

    def packed(self) -> bytes:
        """Return the bytes that are chained."""
        return _PACK.encode(self)


_PACK = msgspec.msgpack.Encoder(order="deterministic")
_UNPACK = msgspec.msgpack.Decoder(Entry)


def unpacked(record: bytes) -> Entry:
    """Return the entry whose bytes are `record`; raises msgspec.DecodeError for what is none."""
    return _UNPACK.decode(record)


def chained(before: bytes, record: bytes) -> bytes:
    """Return the hash of an entry after one with the hash `before`."""
    return sha256(before + record).digest()


def entry(kind: Kind, grant: Grant, **said: Any) -> Entry:
    """Return an entry of this moment on behalf of `grant`; `said` are further fields of Entry."""
    return Entry(
        time_ns() // 1000,
        kind,
        grant.subject,
        grant.client,
        user=grant.user,
        roles=grant.roles,
        purpose=grant.purpose,
        session=grant.session,
        elevations=grant.elevations,
        acting_for=grant.acting_for,
        address=grant.address,
        **said,
    )
