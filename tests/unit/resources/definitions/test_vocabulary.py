"""R4's own code systems and value sets."""

from __future__ import annotations

from resources.definitions.vocabulary import published, published_urls

GENDER = "http://hl7.org/fhir/administrative-gender"


def test_r4s_code_systems_are_there_with_their_concepts() -> None:
    found = published("CodeSystem", GENDER)
    assert found is not None
    assert [concept["code"] for concept in found["concept"]] == ["male", "female", "other", "unknown"]
    assert (found["content"], found["caseSensitive"], found["version"]) == ("complete", True, "4.0.1")


def test_a_version_that_is_not_r4s_is_not_there() -> None:
    assert published("CodeSystem", GENDER, "4.0.1") is not None
    assert published("CodeSystem", GENDER, "5.0.0") is None
    assert published("ValueSet", "http://nowhere.example") is None


def test_all_of_the_package_is_there() -> None:
    assert (len(list(published_urls("CodeSystem"))), len(list(published_urls("ValueSet")))) == (1_062, 1_316)


def test_concepts_say_what_they_mean_and_how_they_are_called_elsewhere() -> None:
    found = published("CodeSystem", "http://terminology.hl7.org/CodeSystem/v3-ActCode")
    assert found is not None
    assert found["concept"][0]["definition"].startswith("An account represents a grouping")
    flags = published("CodeSystem", "http://terminology.hl7.org/CodeSystem/observation-category")
    assert flags is not None
    assert flags["name"] == "ObservationCategoryCodes"
    languages = published("ValueSet", "http://hl7.org/fhir/ValueSet/languages")
    assert languages is not None
    assert languages["compose"]["include"][0]["concept"][0]["designation"][0]["language"] == "da"


def test_r4s_concept_maps_are_there_with_their_groups() -> None:
    assert len(list(published_urls("ConceptMap"))) == 80
    found = published("ConceptMap", "http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v3")
    assert found is not None
    assert found["group"][0]["source"] == GENDER
