"""Rate limits: a bucket each for addresses, apps and people, shared by all processes of a machine.

Source: RFC 6585 section 4
"""

from __future__ import annotations

import os

import pytest

from fhir_server.access.grant import OPEN, Grant
from fhir_server.rest.rates import WAYS, Limits, Rates, SharedBuckets
from resources.outcome import FhirError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def allowed(buckets: SharedBuckets, key: str, rate: float, burst: float, most: int = 1000) -> int:
    return next(n for n in range(most) if buckets.taken(key, rate, burst))


def test_a_burst_is_allowed_and_then_the_rate(clock: Clock) -> None:
    buckets = SharedBuckets(clock)
    assert allowed(buckets, "a", rate=5, burst=2) == 10
    clock.now += 1
    assert allowed(buckets, "a", rate=5, burst=2) == 5


def test_the_wait_that_is_told_suffices_and_nothing_shorter_does(clock: Clock) -> None:
    buckets = SharedBuckets(clock)
    allowed(buckets, "a", rate=4, burst=1)
    wait = buckets.taken("a", 4, 1)
    assert wait == pytest.approx(0.25)
    clock.now += wait - 0.01
    assert buckets.taken("a", 4, 1) > 0
    clock.now += 0.01
    assert buckets.taken("a", 4, 1) == 0


def test_what_is_refused_costs_nothing(clock: Clock) -> None:
    buckets = SharedBuckets(clock)
    allowed(buckets, "a", rate=1, burst=1)
    for _ in range(100):
        assert buckets.taken("a", 1, 1) == pytest.approx(1)
    clock.now += 1
    assert buckets.taken("a", 1, 1) == 0


def test_one_bucket_does_not_empty_another(clock: Clock) -> None:
    buckets = SharedBuckets(clock)
    allowed(buckets, "a", rate=1, burst=1)
    assert buckets.taken("b", 1, 1) == 0


def test_an_unused_bucket_holds_no_more_than_the_burst(clock: Clock) -> None:
    buckets = SharedBuckets(clock)
    assert buckets.taken("a", 5, 2) == 0
    clock.now += 10_000
    assert allowed(buckets, "a", rate=5, burst=2) == 10


def test_more_keys_than_places_give_away_the_bucket_that_is_full_soonest(clock: Clock) -> None:
    buckets = SharedBuckets(clock, places=WAYS)
    allowed(buckets, "busy", rate=1, burst=50)
    for n in range(20):
        assert buckets.taken(f"other {n}", 1, 50) == 0
    assert buckets.taken("busy", 1, 50) > 0


def test_processes_that_are_forked_share_the_buckets(clock: Clock) -> None:
    buckets = SharedBuckets(clock)
    for _ in range(2):
        if (pid := os.fork()) == 0:
            os._exit(0 if all(buckets.taken("a", 1, 4) == 0 for _ in range(2)) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert buckets.taken("a", 1, 4) > 0


def grant(client: str = "app", user: str = "Practitioner/1", subject: str = "dr") -> Grant:
    return Grant(subject=subject, client=client, user=user)


async def refusal(rates: Rates, who: Grant, most: int = 100) -> tuple[int, FhirError]:
    for n in range(most):
        try:
            await rates.spend(who)
        except FhirError as error:
            return n, error
    raise AssertionError("never refused")


async def test_too_many_requests_are_answered_429_with_the_time_to_wait(clock: Clock) -> None:
    rates = Rates(Limits(client=0.5, burst=4), SharedBuckets(clock))
    count, error = await refusal(rates, grant())
    assert (count, error.status, error.issues[0].code) == (2, 429, "throttled")
    assert error.headers == {"Retry-After": "2"}
    assert rates.refused == 1


async def test_a_person_is_limited_over_all_apps_and_an_app_over_all_people(clock: Clock) -> None:
    rates = Rates(Limits(client=3, user=2, burst=1), SharedBuckets(clock))
    for client in ("one", "two"):
        await rates.spend(grant(client))
    with pytest.raises(FhirError, match="This account"):
        await rates.spend(grant("three"))
    crowd = Rates(Limits(client=3, user=2, burst=1), SharedBuckets(clock))
    for who in ("a", "b", "c"):
        await crowd.spend(grant(subject=who))
    with pytest.raises(FhirError, match="This app"):
        await crowd.spend(grant(subject="d"))


async def test_where_there_is_no_authorization_only_addresses_are_counted(clock: Clock) -> None:
    rates = Rates(Limits(client=1, user=1, address=1, burst=1), SharedBuckets(clock))
    for _ in range(10):
        await rates.spend(OPEN)
    await rates.arrived("192.0.2.1", signing_in=False)
    with pytest.raises(FhirError, match="This address"):
        await rates.arrived("192.0.2.1", signing_in=False)
    await rates.arrived("192.0.2.2", signing_in=False)


async def test_signing_in_has_its_own_slower_bucket(clock: Clock) -> None:
    rates = Rates(Limits(address=100, sign_in=1, burst=1), SharedBuckets(clock))
    await rates.arrived("192.0.2.1", signing_in=True)
    with pytest.raises(FhirError):
        await rates.arrived("192.0.2.1", signing_in=True)
    await rates.arrived("192.0.2.1", signing_in=False)


async def test_a_rate_below_the_burst_still_lets_one_request_through(clock: Clock) -> None:
    rates = Rates(Limits(client=0.01, burst=1), SharedBuckets(clock))
    await rates.spend(grant())
    with pytest.raises(FhirError):
        await rates.spend(grant())
