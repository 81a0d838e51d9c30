"""Scopes in plain words, and the scopes that somebody's ticks on the consent page come to.

A clinical scope is offered as what it lets an app see and what it lets it change; one for every type also as a choice
among types. What is ticked is never more than what was asked for.

Source: SMART App Launch 2.2, "scopes and launch context" (a server may narrow what is asked for); words.json
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from fhir_server.access.scopes import Scope, scope

SEES = "rs"
_CHANGES = {"c": "add", "u": "change", "d": "delete"}
_WHOSE = {"patient": "of one patient", "user": "of everybody you may see", "system": "of everybody"}


class Words(msgspec.Struct, frozen=True):
    """The file words.json."""

    source: str
    types: dict[str, str]
    offered: tuple[str, ...]
    queries: dict[str, str]
    other: dict[str, str]


class Offer(msgspec.Struct, frozen=True):
    """A clinical scope on the page.

    Shape:  `n` names its fields; `one` whether it is about one patient; `see` and `change` are empty where it does not
            ask for that; `types` are offered to choose from, type and name, where it is for every type
    """

    n: int
    title: str
    one: bool
    whose: str
    see: str
    change: str
    types: tuple[tuple[str, str], ...]


@cache
def words() -> Words:
    """Return the words."""
    return msgspec.json.decode(Path(__file__).with_name("words.json").read_bytes(), type=Words)


def offers(asked: Iterable[str]) -> list[Offer]:
    """Return the clinical scopes of a request as they are shown."""
    return [_offer(n, one) for n, text in enumerate(asked) if (one := scope(text)) is not None]


def others(asked: Iterable[str]) -> set[str]:
    """Return what else is asked for: who (one is), lasting (access), session, fixed."""
    return {words().other.get(text, "fixed") for text in asked if scope(text) is None}


def chosen(asked: Iterable[str], ticks: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the scopes that the ticks of a form leave of those asked for.

    Shape:  ticks are `see:N`, `change:N`, `who`, `lasting`; where `kinds:N` says that types were offered, one that is
            not ticked as `type:N` leaves those that are, and no others
    """
    ticked: dict[str, list[str]] = {}
    for name, value in ticks:
        ticked.setdefault(name, []).append(value)
    found: dict[str, None] = {}
    for n, text in enumerate(asked):
        one = scope(text)
        if one is None:
            kind = words().other.get(text, "fixed")
            if kind in ("fixed", "session") or kind in ticked:
                found[text] = None
        else:
            found |= dict.fromkeys(map(str, _left(n, one, ticked)))
    return tuple(found)


def _left(n: int, one: Scope, ticked: Mapping[str, list[str]]) -> list[Scope]:
    sees = f"see:{n}" in ticked
    changes = f"change:{n}" in ticked
    actions = "".join(a for a in one.actions if (sees if a in SEES else changes))
    if not actions:
        return []
    kept = [name for name in words().offered if name in ticked.get(f"type:{n}", ())]
    if one.type != "*" or f"kinds:{n}" not in ticked or len(kept) == len(words().offered):
        return [Scope(one.level, one.type, actions, one.query)]
    return [Scope(one.level, name, actions, one.query) for name in kept]


def _offer(n: int, one: Scope) -> Offer:
    known = words()
    title = "The whole record" if one.type == "*" else known.types.get(one.type, one.type)
    if one.query:
        queries = (f"{name}={value}" for name, value in one.query)
        title += f" ({', '.join(known.queries.get(query, query) for query in queries)})"
    changes = [verb for letter, verb in _CHANGES.items() if letter in one.actions]
    return Offer(
        n=n,
        title=title,
        one=one.level == "patient",
        whose=_WHOSE[one.level],
        see="See it" if any(a in SEES for a in one.actions) else "",
        change=_listed(changes),
        types=tuple((name, known.types[name]) for name in known.offered) if one.type == "*" else (),
    )


def _listed(verbs: list[str]) -> str:
    text = " and ".join(", ".join(verbs).rsplit(", ", 1))
    return f"{text[:1].upper()}{text[1:]} entries" if text else ""
