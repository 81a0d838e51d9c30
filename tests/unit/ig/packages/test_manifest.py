"""Versions that packages ask for, and the order in which they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ig.packages.manifest import Manifest, asked, best, manifest, satisfies
from ig.packages.resolve import plan
from resources.outcome import FhirError


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("6.1.0", "6.1.0", True),
        ("6.1.3", "6.1.x", True),
        ("6.10.0", "6.1.x", False),
        ("6.1.0", "6.x", True),
        ("7.0.0", "6.x", False),
        ("6.1.0", "6.1", False),
        ("1.0.0", "latest", True),
    ],
)
def test_a_version_is_what_was_asked_for(version: str, wanted: str, fits: bool) -> None:
    assert satisfies(version, wanted) is fits


def test_the_greatest_release_is_taken_before_any_preview() -> None:
    assert best(["1.9.0", "1.10.0", "2.0.0-ballot"], "latest") == "1.10.0"
    assert best(["2.0.0-ballot"], "latest") == "2.0.0-ballot"
    assert best(["1.0.0"], "2.x") is None


@pytest.mark.parametrize("text", ["../x@1", "", "a b", "x@1/2", "@1"])
def test_what_is_no_name_of_a_package_is_refused(text: str) -> None:
    with pytest.raises(FhirError, match="is no package"):
        asked(text)


def test_a_name_is_read_with_its_version_or_the_latest() -> None:
    assert asked("a.b@1.0.x") == ("a.b", "1.0.x")
    assert asked("a.b#1.0.0") == ("a.b", "1.0.0")
    assert asked("a.b") == ("a.b", "latest")


@pytest.mark.parametrize(
    "json", [{}, {"name": "a"}, {"name": "../a", "version": "1"}, {"name": 1, "version": "1"}]
)
def test_a_manifest_without_name_or_version_is_refused(json: dict[str, object]) -> None:
    with pytest.raises(FhirError):
        manifest(json)


def test_only_packages_for_r4_count_as_such() -> None:
    assert manifest({"name": "a", "version": "1", "fhirVersions": ["4.0.1", "5.0.0"]}).for_r4
    assert manifest({"name": "a", "version": "1"}).for_r4
    assert not manifest({"name": "a", "version": "1", "fhirVersions": ["4.3.0"]}).for_r4


def made(name: str, **needs: str) -> Manifest:
    """Return a package in version 1.0.0 that needs others."""
    return Manifest(
        name, "1.0.0", dependencies={key.replace("_", "."): value for key, value in needs.items()}
    )


def test_dependencies_come_first_circles_are_cut_and_the_missing_are_named() -> None:
    known = {
        "b": made("b", c="1.x", top="1.0.0"),
        "c": made("c", gone="9.9.9", hl7_fhir_r4_core="4.0.1"),
        "d": made("d"),
    }

    def find(name: str, wanted: str) -> tuple[Manifest, Path] | None:
        return (known[name], Path(name)) if name in known and satisfies("1.0.0", wanted) else None

    top = made("top", b="1.0.0", d="1.0.0")
    result = plan(top, Path("top"), find, lambda name, _: name == "d")
    assert [one.name for one, _ in result.packages] == ["c", "b", "top"]
    assert result.missing == {"gone@9.9.9": "c@1.0.0"}
