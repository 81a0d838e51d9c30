"""Random transactions against a model of the specification: same status codes, versions and content.

Source: http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_server.app import create_app
from fhir_server.settings import Settings
from tests.integration.test_transactions import SYSTEM, Json, entry, patient

SLOTS = ("a", "b", "c")
"""The ids, and the identifier values, that the entries fight for; each example has names of its own."""

GENDERS = st.sampled_from(["male", "female", "other"])


class Stored(msgspec.Struct, frozen=True):
    """One resource of the model: `value` is its identifier; no gender means deleted."""

    version: int
    value: str = ""
    gender: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One entry: what is done to an id or, with `condition`, to whoever has that identifier."""

    method: str
    slot: str
    gender: str
    condition: bool = False
    if_match: int | None = None


STEPS = st.one_of(
    st.builds(Step, st.just("POST"), st.sampled_from(SLOTS), GENDERS, st.booleans()),
    st.builds(Step, st.just("PATCH"), st.sampled_from(SLOTS), GENDERS, st.booleans()),
    st.builds(
        Step,
        st.sampled_from(["PUT", "DELETE"]),
        st.sampled_from(SLOTS),
        GENDERS,
        st.booleans(),
        st.sampled_from([None, None, None, 1, 2]),
    ),
)
TRANSACTIONS = st.lists(st.lists(STEPS, min_size=1, max_size=3), min_size=1, max_size=6)


PRELUDE = [Step("PUT", "a", "male"), Step("POST", "b", "female"), Step("PUT", "c", "other", condition=True)]
"""What every example begins with, so that most transactions can succeed."""

ORDER = {
    ("DELETE", False): 0, ("DELETE", True): 0, ("POST", True): 1, ("POST", False): 2,
    ("PUT", False): 3, ("PUT", True): 3, ("PATCH", False): 3, ("PATCH", True): 3,
}  # fmt: skip
"""When (method, conditional) is done; conditional creates first, so that the entries' order makes no difference."""


class RefusedError(Exception):
    """The model's transaction fails as a whole."""


Answer = tuple[int, str | None]
"""What an entry answers: its status and the id that it wrote or found."""


def having(stored: dict[str, Stored], value: str) -> list[str]:
    """Return the ids of the living resources with the identifier `value`."""
    return [id_ for id_, one in stored.items() if one.gender and one.value == value]


class Model:
    """The resources by id, and what the specification says of one transaction."""

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.before: dict[str, Stored] = {}
        self.fresh = (f"new-{n}" for n in itertools.count())

    def run(self, steps: list[Step]) -> list[Answer]:
        """Return (status, id) an entry and keep the changes; raises RefusedError with nothing kept."""
        self.before = dict(self.stored)
        try:
            return self._run(steps)
        except RefusedError:
            self.stored = self.before
            raise

    def _run(self, steps: list[Step]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        written: set[str] = set()
        act = {"DELETE": self._delete, "POST": self._post, "PUT": self._put, "PATCH": self._patch}
        for index, step in sorted(enumerate(steps), key=lambda one: ORDER[one[1].method, one[1].condition]):
            answers[index] = act[step.method](step, written)
        for step in steps:
            if step.condition and step.method != "DELETE" and len(having(self.stored, step.slot)) > 1:
                raise RefusedError  # our choice: a condition still names one resource when all is done
        return [answers[index] for index in range(len(steps))]

    def _single(self, step: Step) -> str | None:
        found = having(self.stored, step.slot)
        if len(found) > 1:
            raise RefusedError
        return found[0] if found else None

    def _write(self, id_: str, step: Step, written: set[str]) -> int:
        old = self.stored.get(id_)
        there = old is not None and old.gender is not None
        if id_ in written:
            raise RefusedError
        if step.if_match is not None and (old is None or not there or old.version != step.if_match):
            raise RefusedError
        written.add(id_)
        gender = None if step.method == "DELETE" else step.gender
        value = old.value if old is not None and step.method in ("PATCH", "DELETE") else step.slot
        self.stored[id_] = Stored(old.version + 1 if old is not None else 1, value, gender)
        return 200 if there else 201

    def _post(self, step: Step, written: set[str]) -> Answer:
        found = self._single(step) if step.condition else None
        if found is not None:
            return 200, found
        id_ = next(self.fresh)
        return self._write(id_, step, written), id_

    def _put(self, step: Step, written: set[str]) -> Answer:
        id_ = (self._single(step) or next(self.fresh)) if step.condition else step.slot
        return self._write(id_, step, written), id_

    def _patch(self, step: Step, written: set[str]) -> Answer:
        id_ = self._single(step) if step.condition else step.slot
        if id_ is None or id_ not in self.stored or self.stored[id_].gender is None:
            raise RefusedError
        return self._write(id_, step, written), id_

    def _delete(self, step: Step, written: set[str]) -> Answer:
        for id_ in having(self.before, step.slot) if step.condition else [step.slot]:
            if id_ in self.stored and self.stored[id_].gender is not None:
                self._write(id_, step, written)
            elif step.if_match is not None or id_ in written:
                raise RefusedError
            else:
                written.add(id_)
        return 204, None


class Real:
    """The server under one example's names, and how the model's new ids are called there."""

    def __init__(self, client: httpx.AsyncClient, example: int) -> None:
        self.client = client
        self.prefix = f"m{example}-"
        self.ids = {slot: self.prefix + slot for slot in SLOTS}

    def entry(self, step: Step) -> Json:
        """Return `step` as a Bundle entry."""
        name = self.prefix + step.slot
        criteria = f"identifier={SYSTEM}|{name}"
        more = {} if step.if_match is None else {"ifMatch": f'W/"{step.if_match}"'}
        url = f"Patient?{criteria}" if step.condition else f"Patient/{name}"
        if step.method == "POST":
            url, more = "Patient", {"ifNoneExist": criteria} if step.condition else {}
        body: Json | None = patient(name, gender=step.gender)
        if step.method == "PUT" and not step.condition:
            body = patient(name, gender=step.gender, id=name)
        if step.method == "PATCH":
            body = replacing("Patient.gender", step.gender)
        return entry(step.method, url, None if step.method == "DELETE" else body, **more)

    async def run(self, steps: list[Step]) -> list[tuple[int, str]] | None:
        """Return (status, id) an entry, None where the transaction was refused."""
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [self.entry(s) for s in steps]}
        answer = await self.client.post("", json=bundle)
        if answer.status_code != 200:
            assert 400 <= answer.status_code < 500, answer.text
            return None
        found = [one["response"] for one in answer.json()["entry"]]
        return [
            (int(one["status"][:3]), one.get("location", "").split("/_history")[0].rsplit("/", 1)[-1])
            for one in found
        ]

    async def stored(self, id_: str) -> Stored:
        """Return what the server has of the model's resource `id_`."""
        answer = await self.client.get(f"Patient/{self.ids[id_]}")
        version = int(answer.headers["etag"].strip('W/"'))
        if answer.status_code == 410:
            return Stored(version)
        body = answer.json()
        assert answer.status_code == 200 and body["meta"]["versionId"] == str(version)
        return Stored(version, body["identifier"][0]["value"].removeprefix(self.prefix), body["gender"])


def replacing(path: str, code: str) -> Json:
    """Return the FHIRPath Patch that replaces a code."""
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": path},
        {"name": "value", "valueCode": code},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


async def check(real: Real, transactions: list[list[Step]]) -> None:
    """Run the transactions on both sides and compare after each."""
    model = Model()
    for steps in [PRELUDE, *transactions]:
        answers = await real.run(steps)
        try:
            expected = model.run(steps)
        except RefusedError:
            assert answers is None, f"refused by the model only: {steps}"
        else:
            assert answers is not None, f"refused by the server only: {steps}"
            assert [status for status, _ in answers] == [status for status, _ in expected]
            for (_, theirs), (_, ours) in zip(answers, expected, strict=True):
                if ours is not None:
                    assert real.ids.setdefault(ours, theirs) == theirs
        for id_, one in model.stored.items():
            found = await real.stored(id_)
            assert (found.version, found.gender) == (one.version, one.gender)
            assert one.gender is None or found.value == one.value


@pytest.fixture(scope="module")
def served(database_url: str) -> Iterator[tuple[asyncio.Runner, httpx.AsyncClient]]:
    """Yield an event loop of this module's own and a client of the app that lives in it."""
    app = create_app(Settings(database_url=database_url, pool_size=4))
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url="http://test/fhir/", timeout=60)
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        runner.run(stack.enter_async_context(app.router.lifespan_context(app)))
        runner.run(stack.enter_async_context(client))
        yield runner, client
        runner.run(stack.aclose())


EXAMPLES = itertools.count()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(transactions=TRANSACTIONS)
def test_random_transactions_do_what_the_specification_says(
    served: tuple[asyncio.Runner, httpx.AsyncClient], transactions: list[list[Step]]
) -> None:
    runner, client = served
    runner.run(check(Real(client, next(EXAMPLES)), transactions))
