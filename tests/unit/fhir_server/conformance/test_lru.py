"""A cache that never outgrows its bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.conformance.lru import Lru


def test_the_longest_unused_goes_first() -> None:
    cache: Lru[str, int] = Lru(3)
    for number, key in enumerate("abc"):
        cache.put(key, number)
    assert cache.get("a", -1) == 0
    cache.put("d", 3)
    assert [cache.get(key, -1) for key in "abcd"] == [0, -1, 2, 3]


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache: Lru[str, int] = Lru(3)
    cache.put("a", 1)
    cache.put("b", 2, size=4)
    assert (cache.get("a", -1), cache.get("b", -1), cache.size) == (1, -1, 1)


def test_a_new_value_takes_the_place_of_the_old() -> None:
    cache: Lru[str, int] = Lru(3)
    cache.put("a", 1, size=2)
    cache.put("a", 2, size=3)
    assert (cache.get("a", -1), cache.size, len(cache)) == (2, 3, 1)
    cache.clear()
    assert (cache.get("a", -1), cache.size) == (-1, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6))))
def test_the_size_is_that_of_what_is_kept_and_never_beyond_the_bound(puts: list[tuple[int, int]]) -> None:
    cache: Lru[int, int] = Lru(10)
    sizes = {}
    for key, size in puts:
        cache.put(key, size, size)
        sizes[key] = size
        kept = [one for one in range(10) if cache.get(one, -1) != -1]
        assert cache.size == sum(sizes[one] for one in kept) <= 10
