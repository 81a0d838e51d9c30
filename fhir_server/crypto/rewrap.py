"""New wrapping keys: class keys, and then patients' keys, are wrapped anew; no content is touched.

Every step may be repeated: what was wrapped anew already is left alone, so that a run which was interrupted goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from fhir_server.crypto import envelope
from fhir_server.crypto.classes import BY_PATIENT, DataClass
from fhir_server.crypto.envelope import KeyId
from fhir_server.crypto.keystore import ClassKey
from fhir_server.crypto.providers import LocalFile
from fhir_server.crypto.ring import Ring, class_name, subject_name

AT_ONCE = 500


class Step(NamedTuple):
    """How far it is: keys wrapped anew, of how many."""

    done: int
    total: int


async def wrapping_key(ring: Ring, *, new: bool = True) -> int:
    """Wrap all class keys under the wrapping key in use and return how many were under another.

    Shape:  `new` makes one first, where it is in a file; key services rotate their own
    """
    if new and isinstance(ring.provider, LocalFile):
        ring.provider.rotate()
    provider, moved = ring.provider, 0
    for key in await ring.store.classes():
        if key.wrapped.under == provider.current() and isinstance(provider, LocalFile):
            continue
        name = class_name(key.kind, key.number)
        plain = await asyncio.to_thread(provider.unwrap, key.wrapped, name)
        wrapped = await asyncio.to_thread(provider.wrap, plain, name)
        await ring.store.keep_class(ClassKey(key.kind, key.number, wrapped), again=True)
        moved += 1
    if isinstance(provider, LocalFile):
        used = {key.wrapped.under for key in await ring.store.classes()}
        provider.retire(provider.names() - used)
    return moved


async def class_keys(ring: Ring) -> AsyncIterator[Step]:
    """Make a new key of each class that patients' keys hang on, and wrap these under it; yields how far it is."""
    await ring.load()
    numbers: dict[int, set[int]] = {}
    for key in await ring.store.classes():
        numbers.setdefault(key.kind, set()).add(key.number)
    kinds = [kind for kind in sorted(numbers) if kind in (*BY_PATIENT, DataClass.AUDIT)]
    for kind in kinds:
        if len(numbers[kind]) == 1:
            await ring.new_class(kind, max(numbers[kind]) + 1)
    await ring.store.advance()
    ring.forget()
    left = {kind: await ring.store.count_under_older(kind) for kind in kinds}
    total, done = sum(left.values()), 0
    yield Step(0, total)
    for kind in kinds:
        while moved := await _rewrapped(ring, kind):
            done += moved
            yield Step(done, max(total, done))
        newest, _ = await ring.last_class(kind)
        for number in numbers[kind]:
            if number < newest:
                await ring.store.drop_class(kind, number)


async def _rewrapped(ring: Ring, kind: int) -> int:
    """Wrap the next keys of a class under its newest key; return how many."""
    newest, under = await ring.last_class(kind)
    found = await ring.store.under_older(kind, newest, AT_ONCE)
    fresh: list[tuple[KeyId, int, bytes, bytes]] = []
    for key in found:
        assert key.wrapped is not None
        name = subject_name(key.id)
        plain = envelope.unwrap(key.wrapped, await ring.class_key(kind, key.under), name)
        fresh.append((key.id, newest, envelope.wrap(plain, under, name), key.wrapped))
    await ring.store.rewrap(fresh)
    return len(fresh)
