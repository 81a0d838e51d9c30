"""The corpus: valid resources, and hundreds of ways in which one rule is broken at one place."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ig.offline import Offline
from resources.codec.json import parse_json
from tests.conformance.validate import forms, profiled, strict, wholes
from tests.conformance.validate.mutations import Mutation, mutations
from tests.conformance.validate.places import Json
from tests.conformance.validate.values import BREAKERS
from tests.shared import r4_examples, shared_path

MOST = 12
"""Mutations of one kind at most."""

R4 = [
    "Patient-example",
    "Observation-blood-pressure",
    "Condition-example",
    "MedicationRequest-medrx0302",
    "Encounter-example",
    "AllergyIntolerance-example",
    "Immunization-example",
    "DocumentReference-example",
    "Claim-100150",
    "Practitioner-example",
    "Organization-hl7",
    "Location-1",
    "Goal-example",
    "CarePlan-example",
    "Communication-example",
    "Coverage-9876B1",
    "Device-example",
    "Appointment-example",
    "ServiceRequest-example",
    "Specimen-101",
    "Questionnaire-3141",
    "Medication-med0301",
    "Media-example",
    "Provenance-example",
    "Patient-glossy",
    "Observation-ekg",
    "ResearchStudy-example",
    "Consent-consent-example-basic",
    "Communication-fm-attachment",
]
"""Official examples without errors."""

CORE = [
    "Patient-example",
    "Observation-blood-pressure",
    "Observation-heart-rate",
    "Observation-weight",
    "Condition-hc1",
    "Procedure-rehab",
    "Coverage-coverage-example",
    "Questionnaire-phq-9-example",
    "QuestionnaireResponse-phq-9-example",
    "Immunization-imm-1",
    "Encounter-example-1",
    "DiagnosticReport-metabolic-panel",
    "Practitioner-practitioner-1",
    "Observation-serum-co2",
    "Observation-some-day-smoker",
    "AllergyIntolerance-example",
    "Goal-goal-1",
]
"""Examples of US Core without errors."""


class Corpus(NamedTuple):
    """Valid resources by name, their mutations, and who answers."""

    valid: dict[str, Json]
    mutations: list[Mutation]
    asks: Offline


def _package() -> Path:
    return shared_path("packages") / "us-core-6.1.0.tgz"


def _core() -> dict[str, Json]:
    with tarfile.open(_package()) as archive:
        wanted = {f"package/example/{name}.json" for name in CORE}
        names = [name for name in archive.getnames() if name.removeprefix("./") in wanted]
        found = {}
        for name in sorted(names):
            source = archive.extractfile(name)
            assert source is not None
            found[Path(name).name] = parse_json(source.read())
        return found


def _spread(listed: Iterable[Mutation]) -> Iterator[Mutation]:
    """Yield the first `MOST` mutations of every kind and message."""
    counted: dict[tuple[str, str], int] = {}
    for one in listed:
        key = (one.kind, one.message)
        counted[key] = counted.get(key, 0) + 1
        if counted[key] <= MOST:
            yield one


def _interleaved(resources: Iterable[Json]) -> Iterator[Mutation]:
    """Yield mutations of all resources in turn, so that the first of a kind come from many."""
    waiting = [iter(list(mutations(resource, BREAKERS))) for resource in resources]
    while waiting:
        for source in list(waiting):
            one = next(source, None)
            if one is None:
                waiting.remove(source)
            else:
                yield one


def _of_wholes(valid: dict[str, Json], core: dict[str, Json]) -> Iterator[Mutation]:
    patient, other = valid["Patient-example.json"], valid["Observation-blood-pressure.json"]
    for name in ("Patient-example.json", "Device-example.json", "Goal-example.json"):
        yield from wholes.contained(valid[name])
    yield from wholes.bundles([patient, other])
    yield from wholes.transactions(patient)
    yield from wholes.documents()
    yield from wholes.questionnaires(valid["Questionnaire-3141.json"])
    form = core["Questionnaire-phq-9-example.json"]
    yield from wholes.responses(form, core["QuestionnaireResponse-phq-9-example.json"])
    yield from forms.answers()
    yield from forms.questions()
    yield from strict.profiles()


def _of_profiles(core: dict[str, Json], asks: Offline) -> Iterator[Mutation]:
    for resource in core.values():
        for canonical in resource.get("meta", {}).get("profile", ()):
            profile = asks.find("StructureDefinition", canonical)
            if profile is not None:
                yield from profiled.required(resource, profile)
                yield from profiled.patterns(resource, profile)
    yield from profiled.rows(core)


@cache
def corpus() -> Corpus:
    """Return the corpus; skips where the shared test data are absent."""
    examples = r4_examples()
    valid = {f"{name}.json": parse_json(examples[f"{name}.json"]) for name in R4}
    core = _core()
    asked = [one for one in core.values() if one["resourceType"] == "Questionnaire"]
    asks = Offline([_package()], [*asked, forms.FORM, strict.CODES, *strict.PROFILES], targets={})
    whole = [*_of_wholes(valid, core), *_of_profiles(core, asks)]
    made = [*_spread(_interleaved([*valid.values(), *core.values()])), *whole]
    own = {"form": forms.FORM, "response": forms.RESPONSE, "document": wholes.document()}
    own |= {f"profile {rules}": strict.right(rules) for rules in ("open", "closed", "openatend")}
    own["collection"] = wholes.collection([valid["Patient-example.json"]])
    named = {f"us-core {name}": one for name, one in core.items()}
    return Corpus(valid | named | own, made, asks)
