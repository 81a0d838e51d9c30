"""What of a resource is full text. Source: http://hl7.org/fhir/R4/search.html#content"""

from __future__ import annotations

from typing import Any

from fhir_server.search.fulltext import CUT, document, has_narrative, kind

Json = dict[str, Any]
NARRATIVE = {
    "status": "generated",
    "div": '<div xmlns="http://www.w3.org/1999/xhtml">Heart <b>rate</b></div>',
}


def parts(resource: Json) -> dict[str, str]:
    """Return {word: positions} of a resource's document."""
    pairs = [item.partition(":") for item in document(resource).split()]
    return {word: places for word, _, places in pairs if not word.startswith("/")}


def observation(**more: Any) -> Json:
    """Return an Observation."""
    return {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "Pulse"}, **more}


def test_narrative_and_content_have_weights_of_their_own() -> None:
    found = parts(observation(text=NARRATIVE))
    assert found == {"heart": "1A", "rate": "2A", "pulse": "4"}


def test_a_word_in_both_has_positions_in_both() -> None:
    assert parts(observation(text=NARRATIVE, valueString="rate"))["rate"] == "2A,6"


def test_phrases_do_not_span_elements() -> None:
    found = parts(observation(valueString="high"))
    assert (found["pulse"], found["high"]) == ("1", "3")


def test_codes_addresses_numbers_and_links_are_no_text() -> None:
    found = parts(
        observation(
            code={"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart"}]},
            subject={"reference": "Patient/secret", "display": "Jane"},
            issued="2020-01-01T00:00:00Z",
            valueQuantity={"value": 5, "unit": "beats"},
        )
    )
    assert set(found) == {"heart", "jane", "beats"}


def test_what_an_attachment_encodes_is_no_text() -> None:
    media = {"resourceType": "Media", "status": "completed"}
    content = {"contentType": "text/plain", "data": "aGVhcnQ=", "title": "Scan"}
    assert set(parts({**media, "content": content})) == {"scan"}


def test_extensions_of_primitives_and_nested_elements_are_text() -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"_family": {"extension": [{"url": "urn:x", "valueString": "Own"}]}, "given": ["A", None]}],
        "contact": [{"name": {"text": "Mother"}}],
    }
    assert set(parts(patient)) == {"own", "a", "mother"}


def test_sections_contained_resources_and_entries_belong_to_the_whole() -> None:
    section = {"title": "History", "text": NARRATIVE, "section": [{"title": "Deeper"}]}
    composition = {"resourceType": "Composition", "title": "Summary", "section": [section]}
    inner = {"resourceType": "Patient", "id": "p", "name": [{"text": "Inside"}]}
    assert set(parts({**composition, "contained": [inner]})) == {
        *("summary", "history", "heart", "rate", "deeper", "inside")
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "document",
        "entry": [{"resource": {**inner, "text": NARRATIVE}}],
    }
    assert parts(bundle) == {"inside": "1", "heart": "3", "rate": "4"}
    assert not has_narrative(document(bundle))


def test_a_resource_without_text_has_no_document() -> None:
    assert document({"resourceType": "Basic", "code": {"coding": [{"code": "x"}]}}) == ""


def test_the_type_is_a_word_and_another_one_inside_a_container() -> None:
    resource = observation()
    assert document(resource).startswith(kind("Observation") + " ")
    assert document(resource, contained=True).startswith(kind("Observation", contained=True) + " ")
    assert kind("Observation") != kind("Observation", contained=True)


def test_has_narrative_looks_at_the_first_word() -> None:
    assert has_narrative(document(observation(text=NARRATIVE)))
    assert not has_narrative(document(observation()))


def test_what_is_too_long_is_cut_and_marked() -> None:
    many = " ".join(f"w{number}x{'y' * 60}" for number in range(20_000))
    long = document(observation(valueString=many))
    assert long.endswith(CUT)
    assert len(long.encode()) < 1_500_000
    assert CUT not in document(observation(valueString="short"))


def test_positions_stay_within_postgresql_s_limits() -> None:
    found = document(observation(valueString="a b " * 10_000))
    assert found.endswith(CUT)
    places = [item.partition(":")[2].split(",") for item in found.split() if ":" in item]
    assert all(len(at) <= 255 and all(int(place) <= 16_383 for place in at) for at in places)
