"""How long the disk takes to make 8 kB durable: what every committed write waits for at least.

python bench/flush.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

ROUNDS = 300
PAGE = b"\0" * 8192


def main(folder: str | None = None) -> None:
    """Print p50 and p99 of write + fdatasync."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(ROUNDS):
            os.pwrite(file.fileno(), PAGE, 0)
            start = time.perf_counter()
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    times.sort()
    print(f"flush of 8 kB: p50 {times[ROUNDS // 2]:.2f} ms, p99 {times[int(ROUNDS * 0.99)]:.2f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
