"""Files become Bundles: whole ones stay as they are, single resources travel together."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fhir_server.loader.files import discover
from fhir_server.loader.pieces import GROUP, Piece, Refusal, as_batch, pieces

Json = dict[str, Any]


def patient(n: int | None = None) -> Json:
    return {"resourceType": "Patient"} | ({"id": f"p{n}"} if n is not None else {})


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def made(path: Path, *contents: Any) -> list[Piece | Refusal]:
    text = "\n".join(content if isinstance(content, str) else json.dumps(content) for content in contents)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return list(pieces([path]))


def only_piece(found: list[Piece | Refusal]) -> Piece:
    assert len(found) == 1
    assert isinstance(found[0], Piece), found[0]
    return found[0]


def only_refusal(found: list[Piece | Refusal]) -> Refusal:
    assert len(found) == 1
    assert isinstance(found[0], Refusal)
    return found[0]


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_bundle_with_requests_is_sent_byte_for_byte(tmp_path: Path, kind: str) -> None:
    text = '{"resourceType":"Bundle", "type":"KIND","entry":[{"resource":{"resourceType":"Basic","x":1.00},'
    text += '"request":{"method":"PUT","url":"Basic/1"}}]}'
    text = text.replace("KIND", kind)
    piece = only_piece(made(tmp_path / "a.json", text))
    assert (piece.body, piece.count, piece.split) == (text.encode(), 1, False)


@pytest.mark.parametrize(
    ("request_", "safe"),
    [
        ({"method": "PUT", "url": "Patient/1"}, True),
        ({"method": "POST", "url": "Patient"}, False),
        ({"method": "POST", "url": "Patient", "ifNoneExist": "identifier=1"}, True),
    ],
)
def test_what_may_be_sent_twice_is_known(tmp_path: Path, request_: Json, safe: bool) -> None:
    entry = {"resource": patient(), "request": request_}
    assert only_piece(made(tmp_path / "a.json", bundle("transaction", entry))).safe is safe


def test_single_resources_are_put_under_their_id_or_posted(tmp_path: Path) -> None:
    piece = only_piece(made(tmp_path / "a.ndjson", patient(1), "", patient()))
    entries = json.loads(piece.body)["entry"]
    assert [entry["request"] for entry in entries] == [
        {"method": "PUT", "url": "Patient/p1"},
        {"method": "POST", "url": "Patient"},
    ]
    assert piece.sources == (f"{tmp_path}/a.ndjson:1", f"{tmp_path}/a.ndjson:3")
    assert not piece.safe


def test_decimals_in_single_resources_keep_their_digits(tmp_path: Path) -> None:
    line = '{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.00e2}}'
    assert b'"value":1.00e2' in only_piece(made(tmp_path / "a.json", line)).body


def test_many_single_resources_travel_in_groups_and_all_of_them(tmp_path: Path) -> None:
    found = made(tmp_path / "a.ndjson.gz", *(patient(n) for n in range(2 * GROUP + 5)))
    assert [piece.count for piece in found if isinstance(piece, Piece)] == [GROUP, GROUP, 5]


def test_the_weights_add_up_to_the_size_of_the_files(tmp_path: Path) -> None:
    made(tmp_path / "a.ndjson", *(patient(n) for n in range(GROUP + 5)))
    made(tmp_path / "b.json", bundle("transaction"))
    made(tmp_path / "c.json", patient(1))
    files = discover([tmp_path])[0]
    total = sum(piece.weight for piece in pieces(files) if isinstance(piece, Piece))
    assert total == sum(path.stat().st_size for path in files)


def test_members_of_a_collection_with_urn_links_stay_together(tmp_path: Path) -> None:
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": patient()} for n in range(3)]
    piece = only_piece(made(tmp_path / "a.json", bundle("collection", *entries)))
    sent = json.loads(piece.body)
    assert (sent["type"], piece.split) == ("transaction", False)
    assert [entry["fullUrl"] for entry in sent["entry"]] == ["urn:uuid:0", "urn:uuid:1", "urn:uuid:2"]


def test_a_document_is_stored_as_the_bundle_that_it_is(tmp_path: Path) -> None:
    document = {**bundle("document"), "id": "d"}
    entries = json.loads(only_piece(made(tmp_path / "a.json", document)).body)["entry"]
    assert entries == [{"resource": document, "request": {"method": "PUT", "url": "Bundle/d"}}]


def test_xml_is_read_too(tmp_path: Path) -> None:
    text = '<Patient xmlns="http://hl7.org/fhir"><id value="x"/><active value="true"/></Patient>'
    entries = json.loads(only_piece(made(tmp_path / "a.xml", text)).body)["entry"]
    assert entries[0]["resource"] == {"resourceType": "Patient", "id": "x", "active": True}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.json", "{", "no FHIR JSON"),
        ("a.json", '{"a": 1}', "no FHIR resource"),
        ("a.json", '{"resourceType":"Bundle","type":"history"}', "history"),
        ("a.xml", "<Patient", ""),
        ("a.json", b"\xff\xfe".decode("latin-1"), "no FHIR JSON"),
    ],
)
def test_what_is_no_fhir_is_told_and_not_sent(tmp_path: Path, name: str, text: str, reason: str) -> None:
    refusal = only_refusal(made(tmp_path / name, text))
    assert (refusal.status, reason in refusal.reason) == (0, True)


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"{}" * 1000)[:-12])
    assert "cannot be read" in only_refusal(list(pieces([tmp_path / "a.json.gz"]))).reason


def test_conditional_references_are_noticed(tmp_path: Path) -> None:
    with_one = {**patient(1), "managingOrganization": {"reference": "Organization?identifier=a|b"}}
    assert only_piece(made(tmp_path / "a.json", with_one)).conditional
    assert not only_piece(made(tmp_path / "b.json", patient(1))).conditional


def test_a_group_can_be_sent_as_a_batch(tmp_path: Path) -> None:
    assert json.loads(as_batch(only_piece(made(tmp_path / "a.json", patient(1)))))["type"] == "batch"


def test_what_others_refer_to_is_loaded_first(tmp_path: Path) -> None:
    names = [
        "Adam1.json",
        "hospitalInformation15.json",
        "practitionerInformation15.json.gz",
        "readme.txt",
        "b.ndjson",
    ]
    (tmp_path / "deep").mkdir()
    for name in names:
        (tmp_path / "deep" / name).touch()
    stages = discover([tmp_path, tmp_path / "deep" / "Adam1.json"])
    assert [[file.name for file in stage] for stage in stages] == [names[1:3], [names[0], names[4]]]


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        discover([tmp_path / "nowhere"])
