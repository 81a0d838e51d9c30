"""Where the server listens: on this machine, elsewhere only with authorization and encrypted."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time

from fhir_server.commands.terminal import fail
from fhir_server.settings import Settings

OPEN_ELSEWHERE = (
    "Without authorization (HEALTHBUDDY_AUTHORIZATION=open) Health Buddy listens on loopback only (127.0.0.1, ::1,"
    " localhost), not on {host}: whoever reaches the port reads and writes everything. To use it from elsewhere,"
    " tunnel: ssh -L 8000:127.0.0.1:8000 HOST"
)
PLAIN_ELSEWHERE = (
    "To listen on {host}, give a certificate (HEALTHBUDDY_TLS_CERTIFICATE, HEALTHBUDDY_TLS_KEY) or name the proxies in"
    " front that speak HTTPS (HEALTHBUDDY_PROXIES, such as '[\"10.0.0.0/8\"]'): health data and tokens do not travel"
    " unencrypted."
)
NAMELESS_ELSEWHERE = (
    "To listen on {host}, say under which address others reach this server: HEALTHBUDDY_BASE_URL, such as"
    " https://ehr.example.org/fhir. It stands in tokens and links, and must not follow what a request claims."
)
OURS_S = 3.0
"""How long the workers of a killed server may take to let go of the port."""


def addresses(settings: Settings) -> list[str]:
    """Return the addresses that the host names, IPv4 first; exits with the reason where it may not listen there."""
    host = settings.host
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except socket.gaierror as error:
        raise fail(f"{host} is no address of this machine: {error.strerror}") from error
    if not host or not all(ipaddress.ip_address(one.split("%")[0]).is_loopback for one in found):
        _may_listen_elsewhere(settings)
    return sorted(found, key=lambda address: ":" in address)


def _may_listen_elsewhere(settings: Settings) -> None:
    host = settings.host or "every address"
    if settings.authorization == "open":
        raise fail(OPEN_ELSEWHERE.format(host=host))
    if settings.tls_certificate is None and not settings.proxies:
        raise fail(PLAIN_ELSEWHERE.format(host=host))
    if not settings.base_url.startswith("https://"):
        raise fail(NAMELESS_ELSEWHERE.format(host=host))


def listen(places: list[str], port: int) -> socket.socket:
    """Return a listening socket; exits with the reason where the port is taken."""
    address = places[0]
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + OURS_S
    while True:
        try:
            listener.bind((address, port))
            break
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            listener.close()
            raise fail(_taken(address, port, error)) from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _taken(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {address} is taken by another program (a Health Buddy that still runs?). "
            f"Stop that one, or choose another port: make run ARGS='--port {port + 1}'"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than we have: choose one above 1023 (HEALTHBUDDY_PORT)"
    return f"Cannot listen on {address} port {port}: {error.strerror}"
