"""Metrics add up over forked workers and carry no identities."""

from __future__ import annotations

import os
import re

from fhir_server import metrics


def test_requests_of_forked_workers_are_added_up() -> None:
    before = _count("history-system", "4xx")
    metrics.observe("history-system", "", 404, 0.002)
    pid = os.fork()
    if pid == 0:
        metrics.observe("history-system", "", 404, 0.002)
        os._exit(0)
    os.waitpid(pid, 0)
    assert _count("history-system", "4xx") == before + 2


def test_labels_are_closed_vocabularies() -> None:
    metrics.observe("read", "Patient", 200, 0.001)
    text = metrics.exposition()[0].decode()
    names = set(re.findall(r"(\w+)=\"", text))
    assert names <= {"interaction", "type", "status", "le", "stage", "figure", "pid", "severity"}


def test_gauges_of_a_dead_worker_are_forgotten() -> None:
    before = _in_flight()
    pid = os.fork()
    if pid == 0:
        metrics.IN_FLIGHT.set(700)
        os._exit(0)
    os.waitpid(pid, 0)
    assert _in_flight() == before + 700
    metrics.forget(pid)
    assert _in_flight() == before


def _in_flight() -> float:
    found = re.search(r"^healthbuddy_in_flight (\S+)$", metrics.exposition()[0].decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _count(interaction: str, status: str) -> float:
    text = metrics.exposition()[0].decode()
    pattern = rf'healthbuddy_requests_total{{interaction="{interaction}",status="{status}",type=""}} (\S+)'
    found = re.search(pattern, text)
    return float(found[1]) if found else 0.0
