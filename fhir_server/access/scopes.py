"""SMART scopes: what they say, in one form, and which of them cover which.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

import msgspec

from resources.definitions import definitions

ACTIONS = "cruds"
"""create, read (vread, history of an instance), update (patch), delete, search (history of a type); in this order."""

LEVELS = ("patient", "user", "system")

MOST_SCOPES, LONGEST = 500, 16_384

_CLINICAL = re.compile(r"(patient|user|system)/([A-Za-z]+|\*)\.([a-z]+|\*)(?:\?(.*))?", re.DOTALL)
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_FIRST_VERSION = {"read": "rs", "write": "cud", "*": ACTIONS}
"""What the words of SMART 1 mean. Source: scopes for requesting FHIR resources, "scope equivalents"."""


class BadScopeError(ValueError):
    """A scope that says nothing this server understands; its text is fit to be shown."""


class Scope(msgspec.Struct, frozen=True, order=True):
    """One clinical scope.

    Shape:  `type` is '*' for every type; `actions` a part of ACTIONS, in its order; `query` the search parameters
            that a resource must match besides, sorted; empty: all of the type
    """

    level: str
    type: str
    actions: str
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        said = f"{self.level}/{self.type}.{self.actions}"
        return f"{said}?{urlencode(self.query, safe=':/|,$.*')}" if self.query else said


@lru_cache(4096)
def scope(text: str) -> Scope | None:
    """Return the clinical scope that `text` is, None for one of another kind (`openid`, `launch/patient`).

    Errors: BadScopeError
    """
    found = _CLINICAL.fullmatch(text)
    if found is None:
        if text.partition("/")[0] in LEVELS:
            raise BadScopeError(f"'{text[:100]}' is not a scope; one looks like patient/Observation.rs")
        return None
    level, type_name, letters, query = found.groups()
    if type_name != "*" and type_name not in definitions().resource_types:
        raise BadScopeError(f"'{text[:100]}' names no resource type of R4")
    return Scope(level, type_name, _actions(letters, text), _query(query, text))


def _actions(letters: str, text: str) -> str:
    if letters in _FIRST_VERSION:
        return _FIRST_VERSION[letters]
    if letters != "".join(one for one in ACTIONS if one in letters):
        raise BadScopeError(f"'{text[:100]}' must name its actions by some of 'cruds', in this order")
    return letters


def _query(query: str | None, text: str) -> tuple[tuple[str, str], ...]:
    if query is None:
        return ()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        pairs = []
    if not pairs or not all(name and value for name, value in pairs):
        raise BadScopeError(
            f"'{text[:100]}' must have search parameters with values behind its question mark"
        )
    return tuple(sorted(set(pairs)))


def texts(asked: str) -> list[str]:
    """Return the scopes in a request's `scope`, each once, in order.

    Errors: BadScopeError for characters that no scope may have (RFC 6749, section 3.3), and for far too many
    """
    found = list(dict.fromkeys(asked.split(" "))) if len(asked) <= LONGEST else []
    found = [one for one in found if one]
    if len(asked) > LONGEST or len(found) > MOST_SCOPES:
        raise BadScopeError("There are too many scopes")
    for one in found:
        if not _TOKEN.fullmatch(one):
            raise BadScopeError("A scope has characters that none may have")
    return found


def normalized(asked: str | Iterable[str]) -> tuple[str, ...]:
    """Return the scopes in SMART 2 form, each once, in order: those of other kinds as they are.

    Errors: BadScopeError
    """
    said = texts(asked if isinstance(asked, str) else " ".join(asked))
    parsed = ((one, scope(one)) for one in said)
    return tuple(dict.fromkeys(one if found is None else str(found) for one, found in parsed))


def clinical(scopes: Iterable[str]) -> list[Scope]:
    """Return the clinical ones of `scopes`; raises BadScopeError."""
    return [found for one in scopes if (found := scope(one)) is not None]


def covers(granted: Iterable[str], asked: str) -> bool:
    """Whether all that `asked` would allow is allowed by `granted`; a scope of another kind must be among these.

    Shape:  each action for itself, so that `.r` and `.s` together cover `.rs`; more search parameters allow less
    """
    wanted = scope(asked)
    given = list(granted)
    if wanted is None:
        return asked in given
    having = [one for one in clinical(given) if _reaches(one, wanted)]
    return all(any(action in one.actions for one in having) for action in wanted.actions)


def _reaches(one: Scope, wanted: Scope) -> bool:
    return (
        one.level == wanted.level
        and one.type in ("*", wanted.type)
        and frozenset(one.query) <= frozenset(wanted.query)
    )


def subset(asked: str | Iterable[str], granted: Sequence[str]) -> tuple[str, ...]:
    """Return what of `asked` is within `granted`, normalized: a scope that is partly so keeps its covered actions.

    Shape:  a scope for every type that is granted for some becomes the scopes for these; one without search parameters
            that is granted with some gets them
    Errors: BadScopeError
    """
    found: dict[str, None] = {}
    given = clinical(granted)
    for text in normalized(asked):
        wanted = scope(text)
        if wanted is None:
            found |= dict.fromkeys([text] if text in granted else [])
        elif covers(granted, text):
            found[text] = None
        else:
            narrowed = (both for one in given if (both := _both(wanted, one)) is not None)
            found |= dict.fromkeys(map(str, narrowed))
    return tuple(found)


def _both(wanted: Scope, one: Scope) -> Scope | None:
    """Return what two scopes allow together, None where that is nothing."""
    actions = "".join(action for action in wanted.actions if action in one.actions)
    apart = wanted.type != one.type and "*" not in (wanted.type, one.type)
    if wanted.level != one.level or apart or not actions:
        return None
    narrower = wanted.type if one.type == "*" else one.type
    return Scope(wanted.level, narrower, actions, tuple(sorted({*wanted.query, *one.query})))
