"""`healthbuddy serve` starts from nothing, survives the death of any of its processes, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from fhir_server import cli
from tests.live import SMALL, LiveServer, eventually, serving

PATIENT = {"resourceType": "Patient", "id": "one", "name": [{"family": "Kept"}]}


@pytest.fixture(scope="module")
def shared() -> Iterator[LiveServer]:
    with serving(**SMALL) as server:
        assert httpx.put(f"{server.base}/Patient/one", json=PATIENT, timeout=20).is_success
        yield server


def test_it_serves_what_was_written(shared: LiveServer) -> None:
    answer = shared.get("Patient/one")
    assert (answer.status_code, answer.json()["name"]) == (200, [{"family": "Kept"}])


def test_each_worker_has_a_lane(shared: LiveServer) -> None:
    assert len(shared.children()) == 4


def test_connections_are_dealt_evenly(shared: LiveServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(httpx.Client())
            assert client.get(f"{shared.base}/Patient/one").status_code == 200
        assert sorted(shared.connections().values()) == [4, 4]


def test_a_large_bundle_goes_through_a_lane(shared: LiveServer) -> None:
    entries = [
        {
            "resource": {"resourceType": "Basic", "id": f"b{n}", "code": {"text": "x" * 500}},
            "request": {"method": "PUT", "url": f"Basic/b{n}"},
        }
        for n in range(800)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = httpx.post(shared.base, json=bundle, timeout=60)
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["entry"]) == 800
    refused = httpx.post(shared.base, json={**bundle, "entry": entries + entries[:1]}, timeout=60)
    assert (refused.status_code, refused.json()["resourceType"]) == (400, "OperationOutcome")


def test_a_folder_is_loaded_and_what_is_refused_is_reported(shared: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "good.ndjson").write_text(
        "".join(f'{{"resourceType":"Basic","id":"g{n}","code":{{"text":"x"}}}}\n' for n in range(300))
    )
    (tmp_path / "bad.json").write_text('{"resourceType":"Basic","id":"bad","code":{"texts":"x"}}')
    report = tmp_path / "report" / "refused.ndjson"
    report.parent.mkdir()
    result = CliRunner().invoke(
        cli.app, ["load", str(tmp_path), "--base", shared.base, "--report", str(report)]
    )
    assert result.exit_code == 1
    assert "300 resources loaded" in result.output
    refused = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(Path(entry["source"]).name, entry["status"]) for entry in refused] == [("bad.json", 422)]
    assert "texts" in refused[0]["reason"]
    assert shared.get("Basic/g299").status_code == 200


def four_without(server: LiveServer, killed: int) -> bool:
    return len(set(server.children()) - {killed}) == 4


def test_any_killed_process_is_replaced(shared: LiveServer) -> None:
    for victim in shared.children():
        os.kill(victim, signal.SIGKILL)
        assert eventually(partial(four_without, shared, victim))
        assert all(eventually(lambda: shared.get("Patient/one").status_code == 200) for _ in range(4))


def test_a_killed_database_comes_back_while_the_server_runs(shared: LiveServer) -> None:
    killed = shared.kill_postgres()
    assert eventually(
        lambda: shared.get("Patient/one").status_code == 200 and shared.postgres.status().pid != killed
    )


def test_the_port_of_a_running_server_is_refused_with_a_hint(shared: LiveServer) -> None:
    command = [sys.executable, "-m", "fhir_server.cli", "serve", f"--port={shared.port}", "--no-demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "choose another port" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_any_address_but_loopback_is_refused_with_the_reason(host: str) -> None:
    command = [sys.executable, "-m", "fhir_server.cli", "serve", "--host", host, "--no-demo"]
    env = os.environ | {"HEALTHBUDDY_AUTHORIZATION": "open"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert done.returncode == 1
    assert "Without authorization" in done.stderr


def test_a_running_request_finishes_before_the_server_ends(shared: LiveServer) -> None:
    body = b'{"resourceType":"Basic","id":"late","code":{"text":"x"}}'
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as wire:
        head = f"PUT /fhir/Basic/late HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/fhir+json\r\n\r\n"
        wire.sendall(head.encode() + body[:10])
        time.sleep(0.2)
        shared.signal(signal.SIGTERM)
        time.sleep(0.3)
        wire.sendall(body[10:])
        assert wire.recv(4096).startswith(b"HTTP/1.1 201")
    assert shared.stop() == 0
    assert shared.postgres.status().pid is None


def test_a_killed_supervisor_takes_its_children_along_and_the_next_start_has_the_data() -> None:
    with serving(**SMALL, workers="1") as server:
        children = [psutil.Process(pid) for pid in server.children()]
        created = httpx.put(f"{server.base}/Patient/one", json=PATIENT, timeout=20)
        assert created.status_code == 201
        server.kill_supervisor()
        assert psutil.wait_procs(children, timeout=15)[1] == []
        server.start()
        assert server.get("Patient/one").status_code == 200
        assert server.stop() == 0
        assert server.postgres.status().pid is None
