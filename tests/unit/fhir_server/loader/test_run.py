"""Loading goes on where it stopped, waits when asked to, tries again what may succeed later, and tells the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fhir_server.loader.pieces import Piece, Refusal
from fhir_server.loader.run import Loader, Summary
from fhir_server.loader.send import ATTEMPTS, Sender
from fhir_server.loader.state import State
from tests.unit.fhir_server.loader.stub import Json, Reply, StubServer, accepted, outcome


def piece(name: str, *, safe: bool = True, text: str = "") -> Piece:
    body = {"resourceType": "Bundle", "id": name, "type": "transaction", "entry": [{"fullUrl": text or name}]}
    return Piece(json.dumps(body).encode(), (name,), 1, safe=safe)


def group(*names: str) -> Piece:
    entries = [{"fullUrl": name} for name in names]
    body = json.dumps(
        {"resourceType": "Bundle", "type": "transaction", "entry": entries}, separators=(",", ":")
    )
    return Piece(body.encode(), names, len(names), split=True)


def waits() -> Piece:
    body = {"resourceType": "Bundle", "id": "waits", "type": "transaction", "reference": "Organization?a=b"}
    return Piece(json.dumps(body).encode(), ("waits",), 1)


def load(
    tmp_path: Path, answer: Callable[[Json], Reply], *stages: list[Piece | Refusal], parallel: int = 2
) -> tuple[Summary, list[Json], list[float]]:
    waits: list[float] = []
    state = State(tmp_path / "state.txt")
    with StubServer(answer) as server:
        sender = Sender(server.base, sleep=waits.append)
        summary = Loader(sender, state, parallel=parallel).run(stages)
        sender.close()
    state.close(finished=False)
    return summary, server.bundles, waits


def test_everything_is_sent_once_and_counted(tmp_path: Path) -> None:
    summary, sent, _ = load(tmp_path, accepted, [piece(f"b{n}") for n in range(20)])
    assert (summary.loaded, summary.refused) == (20, 0)
    assert sorted(bundle["id"] for bundle in sent) == sorted(f"b{n}" for n in range(20))


def test_a_stage_is_finished_before_the_next_begins(tmp_path: Path) -> None:
    _, sent, _ = load(tmp_path, accepted, [piece("a1"), piece("a2")], [piece("b1")], parallel=4)
    assert sent[-1]["id"] == "b1"


def test_an_interrupted_load_sends_only_the_rest(tmp_path: Path) -> None:
    load(tmp_path, accepted, [piece("a"), piece("b")])
    summary, sent, _ = load(tmp_path, accepted, [piece("a"), piece("b"), piece("c")])
    assert (summary.skipped, summary.loaded) == (2, 1)
    assert [bundle["id"] for bundle in sent] == ["c"]


def test_a_refused_piece_is_tried_again_by_the_next_load(tmp_path: Path) -> None:
    load(tmp_path, lambda _: Reply(422, outcome("no")), [piece("a")])
    summary, _, _ = load(tmp_path, accepted, [piece("a")])
    assert (summary.skipped, summary.loaded) == (0, 1)


def test_a_refusal_is_told_with_its_reason_and_place(tmp_path: Path) -> None:
    answer = Reply(422, outcome("'x' is no code", "Patient.gender"))
    summary, sent, _ = load(tmp_path, lambda _: answer, [piece("a")])
    assert summary.first == [Refusal("a", 422, "'x' is no code [Patient.gender]")]
    assert len(sent) == 1


def test_a_busy_server_is_given_the_time_it_asks_for(tmp_path: Path) -> None:
    replies = iter([Reply(503, outcome("busy"), {"Retry-After": "3"}), Reply(503, outcome("busy"))])
    summary, sent, waits = load(
        tmp_path, lambda bundle: next(replies, None) or accepted(bundle), [piece("a")]
    )
    assert (summary.loaded, len(sent), waits[0]) == (1, 3, 3.0)
    assert 0 < waits[1] < 1


def test_a_server_that_stays_busy_is_given_up_in_the_end(tmp_path: Path) -> None:
    summary, sent, _ = load(tmp_path, lambda _: Reply(503, outcome("busy")), [piece("a")])
    assert (summary.refused, len(sent), summary.first[0].status) == (1, ATTEMPTS, 503)


def test_a_cut_connection_is_tried_again_only_where_that_does_no_harm(tmp_path: Path) -> None:
    def cut_first(bundle: Json) -> Reply:
        seen.append(bundle["id"])
        return Reply(0, {}) if seen.count(bundle["id"]) == 1 else accepted(bundle)

    seen: list[Any] = []
    summary, _, _ = load(tmp_path, cut_first, [piece("safe"), piece("unsafe", safe=False)])
    assert (summary.loaded, summary.refused) == (1, 1)
    assert (seen.count("safe"), seen.count("unsafe")) == (2, 1)
    assert "unknown" in summary.first[0].reason


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    sender = Sender("http://127.0.0.1:9/fhir", sleep=lambda _: None)
    state = State(tmp_path / "s.txt")
    summary = Loader(sender, state).run([[piece("a", safe=False)]])
    sender.close()
    state.close(finished=True)
    assert not (tmp_path / "s.txt").exists()
    assert summary.refused == 1
    assert "cannot be reached" in summary.first[0].reason


def test_what_waits_for_a_later_bundle_is_sent_again_after_it(tmp_path: Path) -> None:
    def answer(bundle: Json) -> Reply:
        if bundle["id"] == "waits" and "target" not in stored:
            return Reply(412, outcome("Organization?identifier=x matches nothing"))
        stored.append(bundle["id"])
        return accepted(bundle)

    stored: list[Any] = []
    summary, _, _ = load(tmp_path, answer, [waits(), piece("target")], parallel=1)
    assert (summary.loaded, summary.refused) == (2, 0)
    assert stored == ["target", "waits"]


def test_what_waits_for_ever_is_told_once(tmp_path: Path) -> None:
    summary, _, _ = load(tmp_path, lambda _: Reply(412, outcome("matches nothing")), [waits()])
    assert summary.first == [Refusal("waits", 412, "matches nothing")]


def test_one_bad_resource_does_not_keep_its_group_out(tmp_path: Path) -> None:
    def answer(bundle: Json) -> Reply:
        if bundle["type"] == "transaction":
            return Reply(422, outcome("entry 1 is wrong"))
        bad = {"response": {"status": "422", "outcome": outcome("wrong")}}
        entries = [bad if e["fullUrl"] == "b" else {"response": {"status": "201"}} for e in bundle["entry"]]
        return Reply(200, {"resourceType": "Bundle", "type": "batch-response", "entry": entries})

    summary, _, _ = load(tmp_path, answer, [group("a", "b", "c")])
    assert (summary.loaded, summary.first) == (2, [Refusal("b", 422, "wrong")])


def test_what_could_not_be_read_is_counted_as_refused(tmp_path: Path) -> None:
    summary, sent, _ = load(tmp_path, accepted, [Refusal("f", 0, "cannot be read"), piece("a")])
    assert (summary.loaded, summary.refused, len(sent)) == (1, 1, 1)


def test_a_broken_answer_is_a_refusal_not_a_crash(tmp_path: Path) -> None:
    summary, _, _ = load(tmp_path, lambda _: Reply(400, {"what": "ever"}), [piece("a")])
    assert summary.first == [Refusal("a", 400, "no reason given")]
