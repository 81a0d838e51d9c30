"""Packages in a running server: installed, found, active, shared, changed by others, removed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from fhir_server.cli import app
from fhir_server.packages.client import Client, HttpCarrier
from fhir_server.packages.install import Summary, content, install, installed, remove
from ig.packages.archive import read_manifest
from tests.shared import shared_path

Json = dict[str, Any]
URL = "http://example.org/fhir"
PROFILE: Json = {
    "resourceType": "StructureDefinition",
    "id": "short-patient",
    "url": f"{URL}/StructureDefinition/short-patient",
    "version": "1.0.0",
    "name": "ShortPatient",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]},
}
SYSTEM: Json = {
    "resourceType": "CodeSystem",
    "id": "letters",
    "url": f"{URL}/CodeSystem/letters",
    "version": "1.0.0",
    "status": "active",
    "content": "complete",
    "concept": [{"code": "a"}, {"code": "b"}],
}


@pytest.fixture
def client(live_server: str) -> Iterator[Client]:
    """Yield a client of the server that listens."""
    carrier = HttpCarrier(live_server)
    yield Client(carrier)
    carrier.close()


def package(folder: Path, name: str, resources: list[Json], **more: Any) -> Path:
    """Return a package file."""
    path = folder / f"{name}.tgz"
    files = {"package.json": {"name": name, "version": "1.0.0", "fhirVersions": ["4.0.1"]} | more}
    files |= {f"{one['resourceType']}-{one['id']}.json": one for one in resources}
    with tarfile.open(path, "w:gz") as archive:
        for file, json_ in files.items():
            data = json.dumps(json_).encode()
            info = tarfile.TarInfo(f"package/{file}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def put_in(client: Client, path: Path, examples: bool = False) -> Summary:
    """Install a package file."""
    found = read_manifest(path)
    return install(client, found, content(found, path, examples))


def test_a_package_is_installed_listed_and_removed(client: Client, tmp_path: Path, live_server: str) -> None:
    path = package(tmp_path, "one.pack", [PROFILE, SYSTEM])
    assert put_in(client, path).written == 3  # and the guide that says what the package is
    assert "one.pack@1.0.0" in installed(client)
    profile = httpx.get(f"{live_server}/StructureDefinition/short-patient").json()
    assert profile["url"] == PROFILE["url"]
    again = put_in(client, path)
    assert (again.written, again.same) == (0, 3)
    assert profile["meta"] == httpx.get(f"{live_server}/StructureDefinition/short-patient").json()["meta"]
    assert remove(client, "one.pack@1.0.0").removed == 3
    assert httpx.get(f"{live_server}/StructureDefinition/short-patient").status_code == 410
    assert "one.pack@1.0.0" not in installed(client)


def test_a_profile_is_in_force_at_once_and_gone_at_once(
    client: Client, tmp_path: Path, live_server: str
) -> None:
    path = package(tmp_path, "two.pack", [PROFILE])
    ask = f"{live_server}/Patient/$validate?profile={PROFILE['url']}"

    def said() -> set[str]:
        answer = httpx.post(ask, json={"resourceType": "Patient", "active": True}).json()
        return {
            e["valueString"]
            for issue in answer["issue"]
            for e in issue.get("extension", ())
            if "valueString" in e
        }

    assert said() == {"profile-unknown"}
    put_in(client, path)
    assert said() == {"cardinality-min"}
    remove(client, "two.pack@1.0.0")
    assert said() == {"profile-unknown"}


def test_what_two_packages_bring_stays_until_both_are_gone(
    client: Client, tmp_path: Path, live_server: str
) -> None:
    put_in(client, package(tmp_path, "three.pack", [SYSTEM]))
    put_in(client, package(tmp_path, "four.pack", [SYSTEM]))
    kept = remove(client, "three.pack@1.0.0").kept
    assert [what for what, _ in kept] == ["CodeSystem/letters"]
    assert httpx.get(f"{live_server}/CodeSystem/letters").status_code == 200
    remove(client, "four.pack@1.0.0")
    assert httpx.get(f"{live_server}/CodeSystem/letters").status_code == 410


def test_what_somebody_has_changed_is_kept_and_told(client: Client, tmp_path: Path, live_server: str) -> None:
    path = package(tmp_path, "five.pack", [SYSTEM])
    put_in(client, path)
    mine = httpx.get(f"{live_server}/CodeSystem/letters").json()
    mine["concept"].append({"code": "c"})
    assert httpx.put(f"{live_server}/CodeSystem/letters", json=mine).status_code == 200
    assert [what for what, _ in put_in(client, path).kept] == ["CodeSystem/letters"]
    assert [what for what, _ in remove(client, "five.pack@1.0.0").kept] == ["CodeSystem/letters"]
    left = httpx.get(f"{live_server}/CodeSystem/letters").json()
    assert [one["code"] for one in left["concept"]] == ["a", "b", "c"]
    assert "tag" not in left["meta"]
    httpx.delete(f"{live_server}/CodeSystem/letters")


def test_an_id_that_is_taken_gets_a_suffix_and_versions_stand_side_by_side(
    client: Client, tmp_path: Path, live_server: str
) -> None:
    put_in(client, package(tmp_path, "six.pack", [SYSTEM]))
    put_in(client, package(tmp_path, "seven.pack", [SYSTEM | {"version": "2.0.0"}]))
    found = httpx.get(f"{live_server}/CodeSystem", params={"url": SYSTEM["url"]}).json()["entry"]
    ids = {entry["resource"]["version"]: entry["resource"]["id"] for entry in found}
    assert ids["1.0.0"] == "letters"
    assert ids["2.0.0"].startswith("letters-")
    for label in ("six.pack@1.0.0", "seven.pack@1.0.0"):
        remove(client, label)


def test_what_the_server_refuses_is_told_and_the_rest_is_installed(client: Client, tmp_path: Path) -> None:
    wrong = SYSTEM | {"id": "wrong", "url": f"{URL}/CodeSystem/wrong", "status": "nonsense"}
    summary = put_in(client, package(tmp_path, "eight.pack", [SYSTEM, wrong]))
    assert [what for what, _ in summary.refused] == ["CodeSystem/wrong"]
    assert "nonsense" in summary.refused[0][1]
    assert summary.written == 2
    remove(client, "eight.pack@1.0.0")


def test_the_command_installs_from_a_folder_what_a_package_depends_on(
    tmp_path: Path, live_server: str
) -> None:
    package(tmp_path, "base.pack", [SYSTEM])
    path = package(
        tmp_path, "top.pack", [PROFILE], dependencies={"base.pack": "1.0.x", "hl7.fhir.r4.core": "4.0.1"}
    )
    runner = CliRunner()
    done = runner.invoke(
        app, ["ig", "install", str(path), "--folder", str(tmp_path), "--complete", "--base", live_server]
    )
    assert done.exit_code == 0, done.output
    listed = runner.invoke(app, ["ig", "list", "--base", live_server]).output
    assert "top.pack@1.0.0" in listed
    assert "base.pack@1.0.0" in listed
    for label in ("top.pack@1.0.0", "base.pack@1.0.0"):
        assert runner.invoke(app, ["ig", "remove", label, "--base", live_server]).exit_code == 0


def test_a_missing_dependency_is_told_and_refused_on_request(tmp_path: Path, live_server: str) -> None:
    path = package(tmp_path, "lone.pack", [PROFILE], dependencies={"no.pack": "1.0.0"})
    runner = CliRunner()
    refused = runner.invoke(app, ["ig", "install", str(path), "--complete", "--base", live_server])
    assert refused.exit_code == 1
    assert "no.pack@1.0.0" in refused.output
    done = runner.invoke(app, ["ig", "install", str(path), "--base", live_server])
    assert done.exit_code == 0
    assert "no.pack@1.0.0" in done.output
    runner.invoke(app, ["ig", "remove", "lone.pack@1.0.0", "--base", live_server])


def test_a_package_of_another_fhir_version_is_refused(tmp_path: Path, live_server: str) -> None:
    path = package(tmp_path, "five.zero", [PROFILE], fhirVersions=["5.0.0"])
    refused = CliRunner().invoke(app, ["ig", "install", str(path), "--base", live_server])
    assert refused.exit_code == 1
    assert "5.0.0" in refused.output


@pytest.mark.parametrize(
    ("name", "label", "profile", "count"),
    [
        ("us-core-6.1.0", "hl7.fhir.us.core@6.1.0", "us/core/StructureDefinition/us-core-patient", 210),
        ("ips-1.1.0", "hl7.fhir.uv.ips@1.1.0", "uv/ips/StructureDefinition/Patient-uv-ips", 104),
        ("carin-bb-2.0.0", "hl7.fhir.us.carin-bb@2.0.0", "us/carin-bb/StructureDefinition/C4BB-Patient", 91),
    ],
)
def test_published_guides_install_whole(
    client: Client, live_server: str, name: str, label: str, profile: str, count: int
) -> None:
    summary = put_in(client, shared_path("packages") / f"{name}.tgz")
    assert (summary.written, summary.refused, summary.kept) == (count, [], [])
    url = f"http://hl7.org/fhir/{profile}"
    version = label.partition("@")[2]
    found = httpx.get(f"{live_server}/StructureDefinition", params={"url": url, "version": version}).json()
    assert found["total"] == 1
    assert remove(client, label).removed == count


def test_search_parameters_of_a_guide_take_effect_on_what_is_stored(client: Client, live_server: str) -> None:
    race = {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension": [
            {
                "url": "ombCategory",
                "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"},
            },
            {"url": "text", "valueString": "White"},
        ],
    }
    httpx.put(f"{live_server}/Patient/p1", json={"resourceType": "Patient", "id": "p1", "extension": [race]})
    put_in(client, shared_path("packages") / "us-core-6.1.0.tgz")
    httpx.put(f"{live_server}/Patient/p2", json={"resourceType": "Patient", "id": "p2", "extension": [race]})
    answer = httpx.get(f"{live_server}/Patient", params={"race": "2106-3"}).json()
    found = {e["resource"]["id"] for e in answer["entry"] if e["search"]["mode"] == "match"}
    assert "p2" in found
    assert found == {"p1", "p2"} or any(e["search"]["mode"] == "outcome" for e in answer["entry"])
    remove(client, "hl7.fhir.us.core@6.1.0")
    strict = httpx.get(f"{live_server}/Patient?race=2106-3", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400


def test_what_the_server_lacks_for_a_guide_is_shown(live_server: str, tmp_path: Path) -> None:
    def statement(id_: str, interaction: str) -> Json:
        shall = {
            "url": "http://hl7.org/fhir/StructureDefinition/capabilitystatement-expectation",
            "valueCode": "SHALL",
        }
        resource = {"type": "Patient", "interaction": [{"code": interaction, "extension": [shall]}]}
        return {
            "resourceType": "CapabilityStatement",
            "id": id_,
            "url": f"{URL}/CapabilityStatement/{id_}",
            "version": "1.0.0",
            "status": "active",
            "date": "2026-01-01",
            "kind": "requirements",
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": [resource]}],
        }

    path = package(tmp_path, "nine.pack", [statement("plain", "read")])
    runner = CliRunner()
    runner.invoke(app, ["ig", "install", str(path), "--base", live_server])
    done = runner.invoke(app, ["ig", "check", "nine.pack@1.0.0", "--base", live_server])
    assert (done.exit_code, "nothing is missing" in done.output) == (0, True)
    unknown = runner.invoke(app, ["ig", "check", "ten.pack@1.0.0", "--base", live_server])
    assert unknown.exit_code == 1
    runner.invoke(app, ["ig", "remove", "nine.pack@1.0.0", "--base", live_server])


def test_a_guide_that_asks_for_more_than_there_is_ends_with_1(live_server: str, client: Client) -> None:
    put_in(client, shared_path("packages") / "us-core-6.1.0.tgz")
    done = CliRunner().invoke(app, ["ig", "check", "hl7.fhir.us.core@6.1.0", "--base", live_server])
    assert done.exit_code == 1
    assert done.output.count("SHALL") == 1, "the profile of another guide, which is not installed"
    assert "Questionnaire" in done.output
    remove(client, "hl7.fhir.us.core@6.1.0")
