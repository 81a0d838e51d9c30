"""What sealing costs a version, without a database: `python -m bench.sealing`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.crypto import envelope
from fhir_server.crypto.classes import DataClass
from fhir_server.crypto.envelope import KeyId, new_key
from fhir_server.crypto.keystore import KeyStore
from fhir_server.crypto.providers import LocalFile
from fhir_server.crypto.ring import Ring
from fhir_server.demo.generator import lifeline
from fhir_server.search.clear import clear_part
from fhir_server.storage.rows import tail, type_number
from fhir_server.storage.sealing import Sealer

ROUNDS = 200


def main() -> None:
    """Print microseconds of a processor for a version, by what is done with it."""
    versions = _versions()
    ring = Ring(KeyStore("postgresql://nowhere"), lambda: LocalFile.__new__(LocalFile), sealing=True)
    key = KeyId(DataClass.CLINICAL, 1, 1)
    ring._known[key] = AESGCM(new_key())
    ring._to_seal[DataClass.CLINICAL, 1] = key
    clear = [clear_part(number, content) for number, _, content in versions]
    sealed = [
        ring.sealed(DataClass.CLINICAL, (1,), content, envelope.bound(number, id_, 1), part)
        for (number, id_, content), part in zip(versions, clear, strict=True)
    ]
    rows = [(1, n, i, 1, None, True, 1, s) for (n, i, _), s in zip(versions, sealed, strict=True)]
    print(f"{len(versions)} versions, {sum(len(c) for *_, c in versions) // len(versions)} bytes each, "
          f"sealed {sum(map(len, sealed)) // len(sealed)}")  # fmt: skip
    ring._looked = time.monotonic() + 3600
    sealer = Sealer(ring, clear_part)
    _told("open", len(rows), lambda: asyncio.run(sealer.opened(rows)))
    _told("clear part", len(rows), lambda: [clear_part(n, c) for n, _, c in versions])
    _told(
        "seal",
        len(rows),
        lambda: [
            ring.sealed(DataClass.CLINICAL, (1,), content, envelope.bound(number, id_, 1), part)
            for (number, id_, content), part in zip(versions, clear, strict=True)
        ],
    )


def _versions() -> list[tuple[int, str, bytes]]:
    return [(type_number(one["resourceType"]), str(one["id"]), tail(one)) for one in lifeline(3)]


def _told(what: str, count: int, work: Callable[[], object]) -> None:
    best = min(_timed(work) for _ in range(max(3, ROUNDS // count)))
    print(f"{what:12} {best / count * 1e6:6.1f} µs a version")


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
