"""The command line tells what is wrong in a sentence and never shows a stack trace for it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from fhir_server import cli
from fhir_server.commands.binding import addresses, listen
from fhir_server.commands.serve import banner
from fhir_server.commands.terminal import fail
from fhir_server.settings import Settings
from fhir_server.version import VERSION


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, list(arguments))


def test_every_command_is_listed_with_a_word_about_it() -> None:
    shown = run("--help").output
    assert [name for name in cli.COMMANDS if f" {name} " not in shown] == []


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_can_be_asked_for_help(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_an_unknown_command_is_refused_by_name() -> None:
    result = run("sevre")
    assert result.exit_code == 2
    assert "sevre" in result.output


def test_version_names_the_program_and_fhir() -> None:
    assert f"{VERSION}, FHIR R4 4.0.1" in run("version").output


def test_a_wrong_setting_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEALTHBUDDY_PORT", "many")
    monkeypatch.setattr("sys.argv", ["healthbuddy", "definitions"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "Setting port" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [("--port", "99999"), ("--port", "-1"), ("--workers", "-1"), ("--workers", "65")]
)
def test_a_wrong_option_of_serve_is_told_like_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    monkeypatch.setattr("sys.argv", ["healthbuddy", "serve", *wrong])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert f"Setting {wrong[0].removeprefix('--')}: " in capsys.readouterr().err


def test_doctor_says_why_the_database_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEALTHBUDDY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", "postgresql://127.0.0.1:9/x?connect_timeout=2")
    refused = run("doctor")
    assert refused.exit_code == 1
    assert "Connection refused" in refused.output

    def ends(_settings: Settings) -> None:
        raise fail("it has a hole")

    monkeypatch.setattr("fhir_server.commands.database.running", ends)
    told = run("doctor")
    assert "it has a hole" in told.output and "see above" in told.output


def test_loading_from_nowhere_is_told(tmp_path: Path) -> None:
    result = run("load", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "does not exist" in result.output


def test_loading_into_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"resourceType": "Patient"}')
    result = run("load", str(tmp_path), "--base", "http://127.0.0.1:9/fhir")
    assert result.exit_code == 1
    assert "No FHIR server answers" in result.output


def test_demo_data_can_be_written_to_files(tmp_path: Path) -> None:
    assert run("demo", "--patients", "2", "--out", str(tmp_path)).exit_code == 0
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    assert json.loads(files[1].read_text())["type"] == "transaction"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.10"])
@pytest.mark.parametrize("authorization", ["open", "smart"])
def test_loopback_addresses_are_served(host: str, authorization: Literal["open", "smart"]) -> None:
    assert addresses(Settings(host=host, authorization=authorization))


SECURED: dict[str, Any] = {"authorization": "smart", "base_url": "https://ehr.example.org/fhir"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({**SECURED, "authorization": "open", "proxies": ("10.0.0.0/8",)}, "Without authorization"),
        ({"authorization": "open", "tls_certificate": "cert.pem"}, "Without authorization"),
        (SECURED, "give a certificate"),
        ({"authorization": "smart", "proxies": ("10.0.0.0/8",)}, "HEALTHBUDDY_BASE_URL"),
        ({"authorization": "smart", "proxies": ("10.0.0.0/8",), "base_url": "http://x/fhir"}, "BASE_URL"),
    ],
)
def test_other_addresses_are_refused_without_authorization_encryption_and_a_name(
    host: str, given: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        addresses(Settings(host=host, **given))
    assert why in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("given", [{"proxies": ("10.0.0.0/8",)}, {"tls_certificate": "cert.pem"}])
def test_other_addresses_are_served_with_all_of_them(given: dict[str, Any]) -> None:
    assert addresses(Settings(host="0.0.0.0", **SECURED, **given)) == ["0.0.0.0"]


def test_a_free_port_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(["127.0.0.1"], 0) as listener:
        assert listener.getsockname()[1] > 0


def test_a_taken_port_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("fhir_server.commands.binding.OURS_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(typer.Exit):
        listen(["127.0.0.1"], taken.getsockname()[1])
    assert "is taken" in capsys.readouterr().err


def test_the_banner_has_three_lines_to_try() -> None:
    text = banner(Settings(host="::1", port=8001, authorization="open"))
    assert text.count("curl 'http://[::1]:8001/fhir/") == 3
    secured = banner(Settings(authorization="smart"))
    assert secured.count("""curl -H "Authorization: Bearer $TOKEN" 'http://""") == 3
    assert "healthbuddy token" in secured


def test_fhirpath_shows_a_line_for_each_value(tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    file.write_text('{"resourceType":"Patient","name":[{"given":["Ann","Bea"]}],"birthDate":"1970"}')
    assert run("fhirpath", "name.given | birthDate", str(file)).output == '"Ann"\n"Bea"\n"1970"\n'
    assert run("fhirpath", "name.given", str(file), "--types").output.split()[:2] == [
        "Patient.name[0].given[0]",
        "string",
    ]


def test_fhirpath_tells_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "patient.xml"
    file.write_text('<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>')
    assert run("fhirpath", "active", str(file)).output == "true\n"
    for arguments in (
        ("name.where(", str(file)),
        ("nme", str(file), "--strict"),
        ("id", str(tmp_path / "none")),
    ):
        assert run("fhirpath", *arguments).exit_code == 1
