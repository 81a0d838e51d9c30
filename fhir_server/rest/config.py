"""The limits that the HTTP side keeps."""

from __future__ import annotations

import msgspec


class RestConfig(msgspec.Struct, frozen=True):
    """Limits of one worker.

    Shape:  `public_base` is the FHIR base to write into answers, empty to follow the Host header
    Units:  bytes, seconds
    """

    public_base: str = ""
    max_body: int = 50 * 1024 * 1024
    body_budget: int = 128 * 1024 * 1024
    body_seconds: float = 60.0
    max_url: int = 16 * 1024
    max_headers: int = 32 * 1024
    in_flight: int = 64
    queue: int = 256
    queue_seconds: float = 5.0
