"""Prometheus metrics, right with several forked workers; labels are closed vocabularies, never ids or values.

Every process writes to a file of its own in one folder, which the process that imports this first makes and
removes; whichever worker is scraped adds them all up.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextvars import ContextVar
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar


def _folder() -> str:
    """Return the folder of all workers' figures, made here unless a parent process made it."""
    known = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if known:
        Path(known).mkdir(parents=True, exist_ok=True)
        return known
    made, owner = tempfile.mkdtemp(prefix="healthbuddy-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = made
    atexit.register(lambda: shutil.rmtree(made, ignore_errors=True) if os.getpid() == owner else None)
    return made


FOLDER = _folder()

# The client library reads the folder's name when it is imported.
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest  # noqa: E402
from prometheus_client.exposition import CONTENT_TYPE_LATEST  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("healthbuddy_requests", "Answered FHIR requests", ["interaction", "type", "status"])
SECONDS = Histogram("healthbuddy_request_seconds", "Time to answer", ["interaction"], buckets=_BUCKETS)
SEARCH_SECONDS = Histogram(
    "healthbuddy_search_seconds", "Time a search spends per stage", ["stage"], buckets=_BUCKETS
)
IN_FLIGHT = Gauge("healthbuddy_in_flight", "Requests at work", multiprocess_mode="livesum")
QUEUED = Gauge("healthbuddy_queued", "Requests waiting for a place", multiprocess_mode="livesum")
REFUSED = Counter("healthbuddy_refused", "Requests refused because the worker was full")
POOL = Gauge("healthbuddy_pool", "Database connection pool", ["figure"], multiprocess_mode="livesum")
VALIDATION = Counter("healthbuddy_validation_issues", "What validation had to say", ["severity"])
HEAVY = Gauge(
    "healthbuddy_heavy_lane",
    "Heavy lane: work done in other processes",
    ["figure"],
    multiprocess_mode="livesum",
)

POOL_FIGURES = ("pool_size", "pool_available", "requests_waiting")


STAGES: ContextVar[list[tuple[str, float]] | None] = ContextVar("stages", default=None)
"""Where the stages of this search and their seconds are noted; None: nowhere."""


class search_stage:  # noqa: N801 - reads as a statement: with search_stage("page")
    """Times one stage of a search: parse, page, include or total."""

    __slots__ = ("stage", "started", "timer")
    timers: ClassVar[dict[str, Any]] = {}

    def __init__(self, stage: str) -> None:
        self.stage = stage
        timer = self.timers.get(stage)
        if timer is None:
            timer = self.timers[stage] = SEARCH_SECONDS.labels(stage)
        self.timer = timer

    def __enter__(self) -> None:
        self.started = perf_counter()

    def __exit__(self, *_: object) -> None:
        took = perf_counter() - self.started
        self.timer.observe(took)
        stages = STAGES.get()
        if stages is not None:
            stages.append((self.stage, took))


_request_children: dict[tuple[str, str, int], Any] = {}
_time_children: dict[str, Any] = {}


def observe(interaction: str, type_name: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    key = (interaction, type_name, status // 100)
    counter = _request_children.get(key)
    if counter is None:
        counter = _request_children[key] = REQUESTS.labels(interaction, type_name, f"{status // 100}xx")
    counter.inc()
    timer = _time_children.get(interaction)
    if timer is None:
        timer = _time_children[interaction] = SECONDS.labels(interaction)
    timer.observe(seconds)


def exposition() -> tuple[bytes, str]:
    """Return (text, content type) of all workers' figures together."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget(pid: int) -> None:
    """Drop the gauges of a worker that died; the supervisor calls this."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]
