"""Where the authorization server and what it protects are, as absolute URLs, and how long what it issues lives."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from fhir_server.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Places(msgspec.Struct, frozen=True):
    """The addresses of one server.

    Shape:  `base` is the FHIR base, what tokens are for; `issuer` the same without its `/fhir`; `others` are names of
            the same base that `aud` may also say
    """

    base: str
    issuer: str
    others: tuple[str, ...] = ()

    def at(self, path: str) -> str:
        """Return the absolute URL of one of our paths."""
        return f"{self.issuer}{path}"

    def means_us(self, audience: str) -> bool:
        """Whether `audience` names this FHIR server."""
        return audience.rstrip("/") in (self.base, *self.others)


class Lifetimes(msgspec.Struct, frozen=True):
    """Units:  seconds.

    Source: SMART App Launch 2.2 (a code: about a minute), 45 CFR 170.315(g)(10) (refresh tokens: three months at least)
    """

    access: int = 900
    refresh: int = 120 * 86_400
    code: int = 60
    ask: int = 600
    launch: int = 300


def places(settings: Settings) -> Places:
    """Return the addresses that `settings` say; without a base URL, those of the loopback address listened on."""
    base = settings.own_base
    issuer = base.removesuffix("/fhir")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if settings.base_url or host not in LOOPBACK:
        return Places(base, issuer)
    return Places(base, issuer, tuple(base.replace(host, name, 1) for name in LOOPBACK if name != host))


def lifetimes(settings: Settings) -> Lifetimes:
    """Return the lifetimes that `settings` say."""
    return Lifetimes(settings.access_token_minutes * 60, settings.refresh_token_days * 86_400)


def origin(url: str) -> str:
    """Return the web origin of an http(s) URL as browsers write it, '' for others. Source: RFC 6454, section 6.2"""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")
