"""Secrets that are checked in are found; what is here has none."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

SCAN = Path(__file__).parents[2] / "scripts" / "scan.py"


@pytest.fixture(scope="module")
def scan() -> Any:
    spec = importlib.util.spec_from_file_location("scan", SCAN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LONG = "a1B2" * 12


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN " + "EC PRIVATE KEY-----", "private key"),
        ('{"kty": "EC", "d": "' + LONG + '"}', "private JWK"),
        ("Bearer " + "eyJ" + LONG + ".eyJ" + LONG + "." + LONG, "signed token"),
        ("AKIA" + "ABCDEFGH12345678", "AWS access key"),
        ("ghp_" + LONG[:36], "GitHub token"),
        ("postgresql://me:" + "hunter2hunter2" + "@db/x", "password in a URL"),
    ],
)
def test_each_kind_is_found(scan: Any, text: str, kind: str) -> None:
    patterns, _ = scan.rules()
    assert [one.kind for one in scan.secrets(f"first\n{text}\n", "file", patterns)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:password@host/database",
        "https://example.org:8443/fhir",
        "BEGIN PUBLIC KEY",
        '"d": "x"',
    ],
)
def test_what_is_no_secret_is_let_through(scan: Any, text: str) -> None:
    patterns, _ = scan.rules()
    assert list(scan.secrets(text, "file", patterns)) == []


def test_every_exception_names_a_file_that_is_there_and_a_reason() -> None:
    for row in json.loads(SCAN.with_name("secrets.json").read_text())["allowed"]:
        assert (SCAN.parents[1] / row["file"]).exists() and row["reason"]


def test_nothing_checked_in_holds_a_secret(scan: Any) -> None:
    assert scan.scan() == []
