"""`healthbuddy reindex` against a server that listens."""

from __future__ import annotations

import httpx
from typer.testing import CliRunner

from fhir_server import cli
from tests.integration.reindex.test_custom_parameters import eyes

run = CliRunner()


def test_it_starts_a_job_and_tells_the_end(live_server: str) -> None:
    assert httpx.put(f"{live_server}/Patient/a", json=eyes("a", "green")).is_success
    result = run.invoke(cli.app, ["reindex", "--type", "Patient", "--base", live_server])
    assert result.exit_code == 0, result.output
    assert "1 resources looked at, 0 of them" in result.output


def test_the_servers_refusal_is_told(live_server: str) -> None:
    result = run.invoke(cli.app, ["reindex", "--type", "Nothing", "--base", live_server])
    assert result.exit_code == 1
    assert "'Nothing' is not a resource type" in result.output


def test_a_server_that_is_not_there_is_told() -> None:
    result = run.invoke(cli.app, ["reindex", "--base", "http://127.0.0.1:9/fhir"])
    assert result.exit_code == 1
    assert "No FHIR server answers" in result.output
