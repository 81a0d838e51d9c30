"""`healthbuddy user`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from fhir_server.commands.user import user

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command on this module's database."""
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", database_url)
    monkeypatch.setenv("HEALTHBUDDY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HEALTHBUDDY_AUTHORIZATION", "smart")

    def called(*words: str) -> Result:
        return CliRunner().invoke(user, list(words))

    return called


def rows(database_url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as conn:
        return conn.execute(sql).fetchall()


def test_an_account_is_made_with_a_password_that_is_shown_once(run: Run, database_url: str) -> None:
    done = run(
        "add", "doc@example.org", "--name", "Dr. Bo Berg", "--role", "clinician", "--as", "Practitioner/1"
    )
    assert done.exit_code == 0, done.output
    password = re.findall(r"[a-z0-9]{4}(?:-[a-z0-9]{4}){3}", done.output)[0]
    [(stored, state, roles)] = rows(
        database_url, "SELECT password, state, roles FROM account WHERE email = 'doc@example.org'"
    )
    assert str(stored).startswith("$argon2id$")
    assert password not in str(stored)
    assert (state, roles) == ("active", ["clinician"])
    listed = run("list").output
    assert "doc@example.org" in listed
    assert "Practitioner/1" in listed
    assert password not in listed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "no-address", "--name", "X", "--role", "patient"], "not an e-mail address"),
        (["add", "a@example.org", "--name", "X", "--role", "boss"], "There is no role 'boss'"),
        (
            ["add", "a@example.org", "--name", "X", "--role", "patient", "--as", "Group/1"],
            "'Group/1' is not one of",
        ),
        (["disable", "nobody@example.org"], "There is no account 'nobody@example.org'"),
    ],
)
def test_what_cannot_be_is_told(run: Run, words: list[str], told: str) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())


def test_closing_an_account_ends_its_sessions_and_is_in_the_trail(run: Run, database_url: str) -> None:
    run("add", "leaves@example.org", "--name", "Lee", "--role", "patient")
    [(account,)] = rows(database_url, "SELECT id FROM account WHERE email = 'leaves@example.org'")
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "INSERT INTO account_session (id, secret, account, amr, owes, agent, address, expires)"
            " VALUES ('s', 'x', %s, '{pwd}', '', '', '', now() + interval '1 hour')",
            (account,),
        )
        conn.execute(
            "INSERT INTO account_factor (id, account, kind, label, secret, confirmed)"
            " VALUES ('f', %s, 'totp', '', 'x', now())",
            (account,),
        )
    assert run("reset-mfa", "leaves@example.org").exit_code == 0
    assert rows(database_url, "SELECT 1 FROM account_session WHERE id = 's'") == []
    assert rows(database_url, "SELECT 1 FROM account_factor WHERE id = 'f'") == []
    assert run("disable", "leaves@example.org").exit_code == 0
    assert rows(database_url, f"SELECT state FROM account WHERE id = '{account}'") == [("disabled",)]
    assert run("enable", str(account)).exit_code == 0
    assert rows(database_url, f"SELECT state FROM account WHERE id = '{account}'") == [("active",)]
    noted = rows(database_url, "SELECT count(*) FROM audit_entry WHERE kind = 'administration'")
    assert int(str(noted[0][0])) >= 4


def test_an_invitation_is_sent_and_shown(run: Run, database_url: str) -> None:
    done = run("invite", "guest@example.org", "--name", "Guest", "--role", "patient", "--as", "Patient/1")
    assert re.search(r"http://127\.0\.0\.1:8000/auth/invitation\?ticket=[\w-]{43}", done.output)
    assert rows(database_url, "SELECT channel FROM account_outbox WHERE recipient = 'guest@example.org'") == [
        ("email",)
    ]
