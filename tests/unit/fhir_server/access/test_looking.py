"""Looks that many share: nobody is told what was looked up before he asked."""

from __future__ import annotations

import asyncio

import pytest

from fhir_server.access.looking import Looking


class Source:
    """Counts looks, each of which takes a turn and finds what is there when it begins."""

    def __init__(self) -> None:
        self.value = 1
        self.looks = 0
        self.fails = False

    async def look(self) -> int:
        """Return the value as it was at the beginning."""
        self.looks += 1
        found = self.value
        await asyncio.sleep(0.01)
        if self.fails:
            raise ConnectionError
        return found


async def test_who_comes_during_a_look_is_told_by_the_next() -> None:
    source = Source()
    looking = Looking(source.look)
    first = asyncio.create_task(looking.now())
    await asyncio.sleep(0)
    source.value = 2
    others = await asyncio.gather(*(looking.now() for _ in range(50)))
    assert (await first, set(others), source.looks) == (1, {2}, 2)


async def test_one_after_the_other_each_looks() -> None:
    source = Source()
    looking = Looking(source.look)
    assert [await looking.now() for _ in range(3)] == [1, 1, 1]
    assert source.looks == 3


async def test_a_look_that_fails_is_told_to_all_who_share_it_and_the_next_is_made() -> None:
    source = Source()
    looking = Looking(source.look)
    source.fails = True
    told = await asyncio.gather(*(looking.now() for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in told] == [ConnectionError] * 5
    source.fails = False
    assert await looking.now() == 1


async def test_one_who_leaves_takes_nobody_with_him() -> None:
    source = Source()
    looking = Looking(source.look)
    tasks = [asyncio.create_task(looking.now()) for _ in range(4)]
    await asyncio.sleep(0.001)
    tasks[0].cancel()
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert await asyncio.gather(*tasks[2:]) == [1, 1]
    assert await looking.now() == 1
