"""The rate limits that the settings ask for."""

from __future__ import annotations

from fhir_server.rest.rates import Limits, Rates, SharedBuckets
from fhir_server.rest.rates_redis import redis_buckets
from fhir_server.settings import Settings


def rates_of(settings: Settings) -> Rates:
    """Return the limits of a server; buckets lie in memory that its workers share, or in Redis.

    Errors: RatesError where Redis is asked for and its library is not installed
    """
    limits = Limits(
        address=settings.rate_address,
        client=settings.rate_client,
        user=settings.rate_user,
        sign_in=settings.rate_sign_in,
        burst=settings.rate_burst_s,
    )
    local = SharedBuckets()
    url = settings.rate_redis_url
    return Rates(limits, redis_buckets(url, local) if url else local)
