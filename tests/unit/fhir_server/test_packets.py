"""An answer's head and body leave in one packet; nothing that was written is kept back for good."""

import asyncio
from typing import cast

from fhir_server.packets import Joined


class Wire:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.sent: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.sent.append(b"".join(parts))

    def close(self) -> None:
        self.sent.append("closed")

    def is_closing(self) -> bool:
        return False


def joined() -> tuple[Joined, Wire]:
    wire = Wire()
    return Joined(cast("asyncio.Transport", wire)), wire


async def test_head_and_body_leave_together_at_once() -> None:
    transport, wire = joined()
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.sent == [b"head body"]


async def test_a_head_alone_leaves_at_the_end_of_the_turn() -> None:
    transport, wire = joined()
    transport.write(b"head")
    assert wire.sent == []
    await asyncio.sleep(0)
    assert wire.sent == [b"head"]


async def test_order_is_kept() -> None:
    transport, wire = joined()
    for part in (b"1", b"2", b"3"):
        transport.write(part)
    await asyncio.sleep(0)
    transport.write(b"4")
    await asyncio.sleep(0)
    assert wire.sent == [b"12", b"3", b"4"]


async def test_what_is_held_leaves_before_the_end() -> None:
    transport, wire = joined()
    transport.write(b"last")
    transport.close()
    await asyncio.sleep(0)
    assert wire.sent == [b"last", "closed"]


async def test_everything_else_is_asked_of_the_transport_below() -> None:
    transport, _ = joined()
    assert transport.is_closing() is False
