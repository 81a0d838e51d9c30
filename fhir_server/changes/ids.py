"""New logical ids."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_id() -> str:
    """Return a UUID of version 7: unique, and growing with time, so that an index stays dense.

    Source: RFC 9562, section 5.7
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value &= ~(0xF << 76 | 0x3 << 62)
    return str(UUID(int=value | 0x7 << 76 | 0x2 << 62))
