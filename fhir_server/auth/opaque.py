"""Values that open something: made from 256 random bits, stored as their hash."""

from __future__ import annotations

import hashlib
import secrets

LONGEST = 512
"""Characters beyond which nothing that we handed out can be what was sent."""


def fresh() -> str:
    """Return a new value, unguessable, safe in URLs."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> bytes:
    """Return what is stored of `value`: one that is too random to be guessed needs no slow hash."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
