"""Answers that come later: validated again and again, in the end nothing else is told than with all at hand.

Source: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.profiles.nodes import Structure
from resources.validate.asks import PENDING, Asks, Coded, Pending, Target, Verdict
from resources.validate.options import Options
from resources.validate.validator import validate
from tests.unit.resources.validate.rules.makers import coded, component, observation, patient
from tests.unit.resources.validate.rules.profiled import MINE, R4, Known, pairs, profile

Json = dict[str, Any]


class Later:
    """Asks that answer a question only after it was put once, and `fetch` was called."""

    def __init__(self, asks: Asks) -> None:
        self.asks = asks
        self.known: dict[object, Any] = {}
        self.open: dict[object, Callable[[], Any]] = {}

    def structure(self, canonical: str, /) -> Structure | Pending | None:
        key = ("structure", canonical)
        answer: Structure | Pending | None = self._answer(key, lambda: self.asks.structure(canonical))
        return answer

    def coded(self, question: Coded, /) -> Verdict | Pending:
        answer: Verdict | Pending = self._answer(question, lambda: self.asks.coded(question))
        return answer

    def target(self, reference: str, /) -> Target | Pending | None:
        key = ("target", reference)
        answer: Target | Pending | None = self._answer(key, lambda: self.asks.target(reference))
        return answer

    def _answer(self, key: object, ask: Callable[[], Any]) -> Any:
        if key in self.known:
            return self.known[key]
        self.open[key] = ask
        return PENDING

    def fetch(self) -> bool:
        """Answer the open questions; False where there were none."""
        found, self.open = self.open, {}
        self.known |= {key: ask() for key, ask in found.items()}
        return bool(found)


NAMED = profile("named", "Patient", {"path": "Patient.name", "min": 1})
MINE_EXTENSION = profile(
    "mine",
    "Extension",
    {"path": "Extension.url", "fixedUri": MINE + "mine"},
    {"path": "Extension.value[x]", "min": 1, "type": [{"code": "code"}]},
    context=[{"type": "element", "expression": "Patient"}],
)
STRICT = profile(
    "p",
    "Observation",
    {
        "path": "Observation.component",
        "slicing": {"discriminator": [{"type": "value", "path": "code"}], "rules": "closed"},
    },
    {"path": "Observation.component", "sliceName": "a", "min": 1},
    {
        "id": "Observation.component:a.code",
        "path": "Observation.component.code",
        "binding": {"strength": "required", "valueSet": "http://example.com/vs"},
    },
    {
        "path": "Observation.performer",
        "slicing": {"discriminator": [{"type": "profile", "path": "resolve()"}], "rules": "open"},
    },
    {
        "path": "Observation.performer",
        "sliceName": "named",
        "min": 1,
        "type": [{"code": "Reference", "targetProfile": [MINE + "named"]}],
    },
    {
        "path": "Observation",
        "constraint": [
            {
                "key": "my-1",
                "severity": "error",
                "human": "x",
                "expression": "performer.resolve().all(name.exists()) and code.memberOf('http://example.com/vs')",
            }
        ],
    },
)
STRICT["differential"]["element"].insert(0, STRICT["differential"]["element"].pop())


def test_what_is_told_in_the_end_is_what_is_told_at_once() -> None:
    resource = observation(
        component=[component("a"), component("z")],
        performer=[{"reference": "Patient/1"}],
        subject={"reference": "#in"},
        contained=[
            patient(
                id="in",
                extension=[
                    {"url": MINE + "mine", "valueString": "x"},
                    {"url": R4 + "nothing", "valueString": "x"},
                ],
                maritalStatus=coded("x"),
            )
        ],
    )
    vs = "http://example.com/vs"
    known = Known(
        [STRICT, NAMED, MINE_EXTENSION],
        codes={(vs, "a"): Verdict(True), (vs, "z"): Verdict(False, "not-in-value-set")},
        targets={"Patient/1": Target("Patient", patient(id="1"))},
    )
    options = Options(profiles=(MINE + "p",), references="exists")
    at_once = validate(resource, known, options)
    assert {"slice-unmatched", "slice-min", "invariant-failed", "type-not-allowed", "extension-unknown"} <= {
        each.id for each in at_once
    }
    later, rounds = Later(known), 0
    told = validate(resource, later, options)
    while later.fetch():
        assert set(pairs(told)) <= set(pairs(at_once))
        told = validate(resource, later, options)
        rounds += 1
    assert told == at_once
    assert 1 < rounds < 10
