"""A server in this process for tests that are not coroutines: Hypothesis asks it thousands of things."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.integration.web import JSON, client_of, running
from tests.oracle.references import BASE

Json = dict[str, Any]
Pairs = Iterable[tuple[str, str]]
PAGES = 5_000
"""More pages than any search here can have."""


class Server:
    """A client on the app and the event loop that both live in."""

    def __init__(self, runner: asyncio.Runner, client: httpx.AsyncClient) -> None:
        self.runner = runner
        self.client = client

    def get(self, url: str, pairs: Pairs = ()) -> httpx.Response:
        """Return the answer to a GET; unknown parameters are refused."""
        wanted = httpx.QueryParams(list(pairs)) or None
        return self.runner.run(self.client.get(url, params=wanted, headers={"Prefer": "handling=strict"}))

    def post(self, url: str, pairs: Pairs) -> httpx.Response:
        """Return the answer to a form."""
        return self.runner.run(self.client.post(url, data=dict(pairs), headers={"Prefer": "handling=strict"}))

    def send(self, resource: Json | str, url: str) -> httpx.Response:
        """Return the answer to a PUT or, at the base, a Bundle."""
        content = {"content": resource} if isinstance(resource, str) else {"json": resource}
        call = self.client.put if url else self.client.post
        return self.runner.run(call(url, headers={"Content-Type": JSON}, **content))

    def delete(self, url: str) -> httpx.Response:
        """Return the answer to a DELETE."""
        return self.runner.run(self.client.delete(url))

    def put(self, *resources: Json) -> None:
        """Store resources under their own ids."""
        for one in resources:
            answer = self.send(one, f"{one['resourceType']}/{one['id']}")
            assert answer.status_code in (200, 201), answer.text[:1000]

    def bundle(self, url: str, pairs: Pairs = ()) -> Json:
        """Return the Bundle that a search answers."""
        answer = self.get(url, pairs)
        assert answer.status_code == 200, f"{answer.request.url}\n{answer.text[:1500]}"
        found: Json = answer.json()
        return found

    def pages(self, url: str, pairs: Pairs = ()) -> Iterator[Json]:
        """Yield the Bundles of a search, from the first to the last."""
        page = self.bundle(url, pairs)
        for _ in range(PAGES):
            yield page
            following = link(page, "next")
            if following is None:
                return
            page = self.bundle(following)
        raise AssertionError("a search without an end")

    def matches(self, url: str, pairs: Pairs = ()) -> list[str]:
        """Return 'Type/id' of all matches of all pages, in order."""
        return [key for page in self.pages(url, pairs) for key in keys(page)]

    def total(self, url: str, pairs: Pairs = ()) -> int:
        """Return the accurate total."""
        return int(self.bundle(url, [*pairs, ("_total", "accurate"), ("_count", "1")])["total"])


def keys(bundle: Json, mode: str = "match") -> list[str]:
    """Return 'Type/id' of the entries of a search mode."""
    found = [entry["resource"] for entry in bundle.get("entry", ()) if entry["search"]["mode"] == mode]
    return [f"{one['resourceType']}/{one['id']}" for one in found]


def link(bundle: Json, relation: str) -> str | None:
    """Return the address that a Bundle gives for a relation."""
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


@contextmanager
def serving(database_url: str, **settings: Any) -> Iterator[Server]:
    """Yield a server on a database, known to itself under the oracle's base."""
    with asyncio.Runner() as runner:
        app = running(database_url, base_url=BASE, page_size_max=1000, **settings)
        started = runner.run(app.__aenter__())
        client = client_of(started)
        try:
            yield Server(runner, client)
        finally:
            runner.run(client.aclose())
            runner.run(app.__aexit__(None, None, None))


def load(server: Server, texts: dict[str, str], size: int = 100) -> None:
    """Put resources under their own ids, some at a time."""
    places = list(texts)
    for start in range(0, len(places), size):
        chosen = places[start : start + size]
        entries = ",".join(
            f'{{"resource":{texts[place]},"request":{{"method":"PUT","url":"{place}"}}}}' for place in chosen
        )
        body = f'{{"resourceType":"Bundle","type":"batch","entry":[{entries}]}}'
        answer = server.send(body, "")
        assert answer.status_code == 200, answer.text[:2000]
        wrong = [
            (place, one["response"])
            for place, one in zip(chosen, answer.json()["entry"], strict=True)
            if not one["response"]["status"].startswith("20")
        ]
        assert not wrong, wrong[:3]
