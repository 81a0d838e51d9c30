"""TLS of our own: the certificate that is served, read again when its file changes.

Source: RFC 9325 (recommendations for TLS), https://wiki.mozilla.org/Security/Server_Side_TLS (intermediate)
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from fhir_server.settings import Settings

_log = logging.getLogger("fhir_server.tls")

LOOK_S = 60.0
"""Seconds between looks at the files."""

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""For TLS 1.2: forward secrecy and authenticated encryption alone (RFC 9325, section 4.2)."""


class CertificateError(Exception):
    """The certificate or its key cannot be used; the text says why."""


class Certificate:
    """The certificate of a server and its key.

    Errors: CertificateError where they cannot be read or do not belong together
    """

    def __init__(self, certificate: Path, key: Path | None, clock: Callable[[], float] = monotonic) -> None:
        self._files = (certificate, *([key] if key else []))
        self._certificate, self._key = certificate, key
        self._clock = clock
        self._state = self._stamps()
        self._context = self._read()
        self._looked = clock()

    def context(self) -> ssl.SSLContext:
        """Return what new connections are served with; files that became unusable leave the old one in force."""
        now = self._clock()
        if now >= self._looked + LOOK_S:
            self._looked = now
            try:
                if (state := self._stamps()) != self._state:
                    self._context, self._state = self._read(), state
            except CertificateError as error:
                _log.error("the new certificate is not used: %s", error)
        return self._context

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise CertificateError(f"{' and '.join(map(str, self._files))}: {error}") from None
        return context

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        try:
            return tuple((found.st_mtime_ns, found.st_ino) for found in (file.stat() for file in self._files))
        except OSError as error:
            raise CertificateError(str(error)) from None


def _no_password() -> str:
    raise ValueError("the key is locked by a password; store it without one, readable by this account alone")


def certificate_of(settings: Settings) -> Certificate | None:
    """Return the certificate that the settings name, None where they name none; raises CertificateError."""
    if settings.tls_certificate is None:
        return None
    return Certificate(settings.tls_certificate, settings.tls_key)
