"""Stored parameters among processes: in force in all of them at once, and jobs that outlive their worker."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.reindex.test_custom_parameters import EYES, eyes
from tests.live import SMALL, LiveServer, eventually, serving


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with serving(**SMALL) as one:
        yield one


def put(client: httpx.Client, resource: dict[str, Any]) -> None:
    answer = client.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.is_success, answer.text


def count(client: httpx.Client, color: str) -> int:
    answer = client.get("Patient", params={"eyes": color, "_summary": "count"})
    assert answer.is_success, answer.text
    return int(answer.json()["total"])


def complete(client: httpx.Client, color: str) -> bool:
    answer = client.get("Patient", params={"eyes": color}, headers={"Prefer": "handling=strict"})
    return answer.status_code == 200


def test_every_worker_knows_at_once_and_a_killed_job_goes_on(server: LiveServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=server.base, timeout=30)) for _ in range(4)]
        for number in range(40):
            put(clients[number % 4], eyes(f"old{number}", "grey"))
        with psycopg.connect(server.postgres.conninfo("healthbuddy"), application_name="healthbuddy") as held:
            held.execute("SELECT 1")  # the job waits for this transaction, which began before it
            put(clients[0], EYES)
            for number in range(40):
                put(clients[number % 4], eyes(f"new{number}", "green"))
                assert count(clients[(number + 1) % 4], "green") == number + 1
            assert not complete(clients[0], "grey")
            for child in server.children():
                os.kill(child, signal.SIGKILL)
        with httpx.Client(base_url=server.base, timeout=30) as client:
            assert eventually(lambda: complete(client, "grey"), 60)
            assert (count(client, "grey"), count(client, "green")) == (40, 40)
            assert client.delete("SearchParameter/eyes").is_success
    with httpx.Client(base_url=server.base, timeout=30) as other:
        assert eventually(
            lambda: other.get("Patient", params={"eyes": "grey"}).text.find("has no search") > 0, 1
        )
