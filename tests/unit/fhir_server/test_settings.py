"""Settings come from environment, .env and TOML in that order, and their documentation is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from fhir_server.settings import PREFIX, Settings
from fhir_server.settings_reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.delenv(PREFIX + "CONFIG", raising=False)
    return tmp_path


def test_the_reference_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == reference(), (
        "run: python -m fhir_server.settings_reference > docs/reference/settings.md"
    )


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_stronger_source_wins(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nothing_set / "healthbuddy.toml").write_text("port = 1\nworkers = 3\npool_size = 5\n")
    (nothing_set / ".env").write_text("HEALTHBUDDY_PORT=2\nHEALTHBUDDY_WORKERS=4\nOTHER=x\n")
    monkeypatch.setenv("HEALTHBUDDY_PORT", "3")
    settings = Settings()
    assert (settings.port, settings.workers, settings.pool_size) == (3, 4, 5)


def test_another_toml_file_can_be_named(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nothing_set / "other.toml").write_text("time_zone = 'Europe/Vienna'\n")
    monkeypatch.setenv("HEALTHBUDDY_CONFIG", "other.toml")
    assert Settings().zone.key == "Europe/Vienna"


@pytest.mark.parametrize(
    "line",
    [
        "prot = 8000",
        "port = 70000",
        "time_zone = 'Nowhere/At_all'",
        "base_url = 'ftp://x'",
        "log_level = 'LOUD'",
        "database_url = 'mysql://x'",
        "port = = 1",
    ],
)
def test_a_wrong_line_in_the_toml_file_is_refused(nothing_set: Path, line: str) -> None:
    (nothing_set / "healthbuddy.toml").write_text(line)
    with pytest.raises((ValidationError, SettingsError)):
        Settings()


def test_a_toml_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHBUDDY_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        Settings()


def test_the_password_in_the_database_url_is_not_shown() -> None:
    assert "secret" not in repr(Settings(database_url="postgresql://me:secret@db/x"))


def test_without_a_number_there_are_at_least_two_workers() -> None:
    assert Settings().worker_count >= 2
    assert Settings(workers=1).worker_count == 1


def test_policies_by_type_are_read_from_toml_as_the_page_shows_them(nothing_set: Path) -> None:
    page = (PAGE.parents[1] / "how-to" / "validate.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    (nothing_set / "healthbuddy.toml").write_text(example)
    settings = Settings()
    found = [settings.policy(name) for name in ("Patient", "Observation", "Provenance")]
    assert found == ["warn", "reject", "gate"]
    assert len(settings.validation_profiles["Patient"]) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("VALIDATION_TYPES", '{"Patent": "reject"}', "Patent"),
        ("VALIDATION_TYPES", '{"Patient": "refuse"}', "gate"),
        ("VALIDATION_PROFILES", '{"Patient": ["http://p.test"]}', "whose policy is 'gate'"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ValidationError, match=said):
        Settings()
