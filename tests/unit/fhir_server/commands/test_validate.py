"""`healthbuddy validate`: files are validated without a server, and the answer says where."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fhir_server import cli
from resources.codec.xml import dump_xml

PATIENT: dict[str, Any] = {"resourceType": "Patient", "active": True, "name": [{"family": "a"}]}
WRONG = {**PATIENT, "gender": "x"}
PROFILE: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "url": "http://profiles.test/p",
    "version": "1",
    "name": "P",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "snapshot": {
        "element": [
            {"id": "Patient", "path": "Patient", "min": 0, "max": "*"},
            {
                "id": "Patient.birthDate",
                "path": "Patient.birthDate",
                "min": 1,
                "max": "1",
                "type": [{"code": "date"}],
            },
        ]
    },
}


def run(*arguments: object) -> Result:
    """Return the result of a call; results are in `stdout`."""
    return CliRunner().invoke(cli.app, ["validate", *map(str, arguments)])


def told(result: Result) -> list[dict[str, Any]]:
    """Return the lines of JSON that were written."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_right_file_is_answered_by_nothing_and_zero(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(PATIENT))
    result = run(tmp_path / "a.json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 validated: 0 errors" in result.stderr


def test_an_error_is_told_with_its_place_and_answered_by_one(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(WRONG, indent=1))
    result = run(file)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{file}:9:2: error ")
    assert "Patient.gender [binding-required]" in result.stdout


@pytest.mark.parametrize("name", ["a.xml", "b.json", "c.ndjson", "d.json.gz"])
def test_every_kind_of_file_is_read(tmp_path: Path, name: str) -> None:
    text = dump_xml(WRONG) if name.endswith("xml") else json.dumps(WRONG).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    (one,) = told(run(tmp_path, "--format", "json"))
    assert (one["id"], one["expression"], one["file"]) == (
        "binding-required",
        ["Patient.gender"],
        str(tmp_path / name),
    )
    assert one["line"] == 1


def test_a_line_of_ndjson_is_told_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, (PATIENT, PATIENT, WRONG))) + "\n\n{")
    wrong, broken = told(run(tmp_path, "--format", "json"))
    assert (wrong["line"], broken["line"]) == (3, 5)


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_validated(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"resourceType": "Patient",\n oops}')
    (tmp_path / "b.xml").write_text("<Patient")
    (tmp_path / "c.json").write_text(json.dumps(PATIENT))
    result = run(tmp_path, "--format", "json")
    assert [one["code"] for one in told(result)] == ["structure", "structure"]
    assert "3 validated: 2 errors" in result.stderr


def test_an_entry_is_told_by_its_place_in_the_bundle(tmp_path: Path) -> None:
    entry = {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": WRONG}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    (tmp_path / "a.json").write_text(json.dumps(bundle))
    (one,) = told(run(tmp_path, "--format", "json"))
    assert one["expression"] == ["Bundle.entry[0].resource.gender"]


def test_outcomes_name_their_file(tmp_path: Path) -> None:
    for name, resource in (("a.json", PATIENT), ("b.json", WRONG)):
        (tmp_path / name).write_text(json.dumps(resource))
    right, wrong = told(run(tmp_path, "--format", "outcome"))
    assert right["issue"] == [{"severity": "information", "code": "informational", "diagnostics": "All OK"}]
    assert wrong["extension"][0]["valueString"] == str(tmp_path / "b.json")
    assert wrong["issue"][0]["severity"] == "error"


@pytest.mark.parametrize("source", ["--package", "--with"])
def test_a_profile_comes_from_a_package_or_a_file(tmp_path: Path, source: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(PATIENT))
    unknown = run(file, "--profile", PROFILE["url"], "--format", "json")
    assert [one["severity"] for one in told(unknown)] == ["error"]
    held = tmp_path / ("p.tgz" if source == "--package" else "p.json")
    data = json.dumps(PROFILE).encode()
    if source == "--package":
        with tarfile.open(held, "w:gz") as archive:
            member = tarfile.TarInfo("package/StructureDefinition-p.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    else:
        held.write_bytes(data)
    result = run(file, "--profile", PROFILE["url"], source, held, "--format", "json")
    assert [(one["severity"], one["id"]) for one in told(result)] == [("error", "cardinality-min")]
    file.write_text(json.dumps({**PATIENT, "birthDate": "2000"}))
    assert run(file, "--profile", PROFILE["url"], source, held).exit_code == 0


def test_the_level_leaves_out_what_is_less(tmp_path: Path) -> None:
    resource = {**PATIENT, "extension": [{"url": "http://nobody.test/e", "valueString": "a"}]}
    (tmp_path / "a.json").write_text(json.dumps(resource))
    assert [one["severity"] for one in told(run(tmp_path, "--format", "json"))] == ["warning"]
    result = run(tmp_path, "--level", "error")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 warnings" in result.stderr


@pytest.mark.parametrize("arguments", [["nothing.json"], ["empty"], ["a.json", "--package", "a.json"]])
def test_a_call_that_cannot_be_is_told_in_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.json").write_text(json.dumps(PATIENT))
    result = run(*[tmp_path / one if not one.startswith("-") else one for one in arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr
