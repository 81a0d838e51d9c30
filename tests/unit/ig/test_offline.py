"""Answers from package files alone."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ig.offline import Offline
from ig.packages.archive import MAX_MEMBER, members
from resources.outcome import FhirError
from resources.validate.asks import Coded, Target

URL = "http://x.org/fhir/"
VALUESET = {
    "resourceType": "ValueSet",
    "url": URL + "vs",
    "version": "1",
    "compose": {"include": [{"system": URL + "cs"}]},
}
SYSTEM = {"resourceType": "CodeSystem", "url": URL + "cs", "content": "complete", "concept": [{"code": "a"}]}
FORM = {"resourceType": "Questionnaire", "url": URL + "q", "version": "2"}


def package(folder: Path, files: dict[str, Any], name: str = "p.tgz") -> Path:
    path = folder / name
    with tarfile.open(path, "w:gz") as archive:
        for file, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(file)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_codes_are_answered_from_the_package_and_from_r4(tmp_path: Path) -> None:
    asks = Offline([package(tmp_path, {"package/vs.json": VALUESET, "package/cs.json": SYSTEM})])
    assert asks.coded(Coded(URL + "vs|1", URL + "cs", "a")).member is True
    assert asks.coded(Coded(URL + "vs", URL + "cs", "b")).member is False
    assert asks.coded(Coded(URL + "vs|7", URL + "cs", "a")).member is None
    assert (
        asks.coded(Coded("http://hl7.org/fhir/ValueSet/administrative-gender", None, "male")).member is True
    )
    assert asks.coded(Coded("", "http://loinc.org", "1")).member is None


def test_resources_at_hand_go_before_packages(tmp_path: Path) -> None:
    other = SYSTEM | {"concept": [{"code": "b"}]}
    asks = Offline([package(tmp_path, {"package/cs.json": SYSTEM})], [other])
    assert asks.coded(Coded("", URL + "cs", "b")).member is True


def test_structures_of_r4_are_known_and_others_not() -> None:
    asks = Offline()
    patient = asks.structure("http://hl7.org/fhir/StructureDefinition/Patient")
    assert patient is not None
    assert patient.type == "Patient"
    assert asks.structure("http://x.org/fhir/StructureDefinition/none") is None


def test_references_are_answered_from_what_was_given(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "id": "1"}
    asks = Offline([package(tmp_path, {"package/q.json": FORM})], targets={"Patient/1": patient})
    assert asks.target(URL + "q|2") == Target("Questionnaire", FORM)
    assert asks.target(URL + "q|1") is None
    assert asks.target("Patient/1") == Target("Patient", patient)
    assert asks.target("Patient/2") == Target("Patient", None)
    assert asks.target("http://else.org/Patient/2") is None
    assert Offline().target("Patient/2") is None


def test_only_plain_files_of_the_package_are_read(tmp_path: Path) -> None:
    path = package(
        tmp_path,
        {
            "package/a.json": {"a": 1},
            "package/example/b.json": {"b": 1},
            "package/../c.json": {"c": 1},
            "other/d.json": {"d": 1},
            "package/e.txt": b"e",
        },
    )
    assert [json.loads(data) for _, data in members(path)] == [{"a": 1}]


def test_a_link_in_a_package_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "link.tgz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("package/passwd.json")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert list(members(path)) == []


def test_what_is_no_package_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.tgz"
    broken.write_bytes(b"no archive")
    with pytest.raises(FhirError, match="not a package"):
        list(members(broken))
    assert MAX_MEMBER > 1000
    monkeypatch.setattr("ig.packages.archive.MAX_MEMBER", 10)
    with pytest.raises(FhirError, match="larger"):
        list(members(package(tmp_path, {"package/a.json": VALUESET})))
    monkeypatch.undo()
    monkeypatch.setattr("ig.packages.archive.MAX_MEMBERS", 1)
    with pytest.raises(FhirError, match="larger"):
        list(members(package(tmp_path, {"package/a.json": {}, "package/b.json": {}})))


def test_what_is_no_json_in_a_package_is_passed_over(tmp_path: Path) -> None:
    asks = Offline(
        [package(tmp_path, {"package/x.json": b"{", "package/y.json": b"[]", "package/cs.json": SYSTEM})]
    )
    assert asks.find("CodeSystem", URL + "cs") == SYSTEM


def test_a_supplement_is_not_taken_for_its_code_system(tmp_path: Path) -> None:
    extra = SYSTEM | {"content": "supplement", "concept": [{"code": "z"}]}
    asks = Offline([package(tmp_path, {"package/a.json": extra, "package/b.json": SYSTEM})])
    assert asks.coded(Coded("", URL + "cs", "a")).member is True
