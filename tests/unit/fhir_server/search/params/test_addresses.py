"""URLs above one, and the labels that find those below. Source: http://hl7.org/fhir/R4/search.html#uri"""

from __future__ import annotations

from fhir_server.search.params import labels, uri
from fhir_server.search.params.hierarchy import hierarchies
from fhir_server.search.sink import Sink


def test_above_an_address_are_the_steps_of_its_path() -> None:
    assert uri.steps_above("http://acme.org/fhir/x/1") == [
        "http://acme.org/fhir/x/1",
        "http://acme.org/fhir/x",
        "http://acme.org/fhir/x/",
        "http://acme.org/fhir",
        "http://acme.org/fhir/",
        "http://acme.org",
        "http://acme.org/",
    ]
    assert uri.steps_above("http://acme.org/x|1.0")[:2] == ["http://acme.org/x|1.0", "http://acme.org/x"]
    assert uri.steps_above("http://acme.org") == ["http://acme.org"]


def test_urls_are_labels_and_urns_are_not() -> None:
    sink = Sink()
    uri.index(1, "http://acme.org/x", "uri", sink)
    uri.index(1, "urn:oid:1.2", "uri", sink)
    assert [text for _, text, _ in sink.labels] == ["http://acme.org/x"]
    assert {hashed for _, _, hashed in sink.labels} < sink.tokens


def test_a_label_is_normalized_and_its_hash_is_among_the_tokens() -> None:
    sink = Sink()
    labels.index(1, " Médical  RECORD ", sink)
    labels.index(1, "medical record", sink)
    labels.index(1, "  ", sink)
    labels.index(1, None, sink)
    assert [text for _, text, _ in sink.labels] == ["medical record"]
    assert {hashed for _, _, hashed in sink.labels} == sink.tokens


def test_types_with_a_reference_to_their_own_whole_have_a_hierarchy() -> None:
    found = hierarchies()
    assert (found["Location"], found["Specimen"], found["Task"]) == ("partof", "parent", "part-of")
    assert "Patient" not in found
    assert "Observation" not in found
