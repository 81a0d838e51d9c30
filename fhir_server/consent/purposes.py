"""Purposes of use: which is a part of which, and the one that a request has where nobody says any.

Source: http://terminology.hl7.org/CodeSystem/v3-ActReason (PurposeOfUse); rows of our own: purposes.json
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from resources.definitions.vocabulary import published

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
EMERGENCY = frozenset({"ETREAT", "BTG"})
"""A rule that names one of these is meant for emergencies, too."""


class Usual(msgspec.Struct, frozen=True):
    """The purpose of a request that says none, by role or by who is signed in."""

    purpose: str
    reason: str
    role: str = ""
    user: str = ""


class Default(msgspec.Struct, frozen=True):
    """What holds for a purpose where no consent speaks, whatever the setting says."""

    purpose: str
    default: str
    reason: str


class _Rows(msgspec.Struct):
    usual: list[Usual]
    default: list[Default]


@cache
def rows() -> _Rows:
    """Return purposes.json."""
    return msgspec.json.decode((Path(__file__).parent / "purposes.json").read_bytes(), type=_Rows)


def named(system: str, code: str) -> str:
    """Return how a purpose is written here: a code of v3-ActReason as it is, any other behind its system."""
    return code if system in ("", ACT_REASON) else f"{system}|{code}"


@cache
def _above() -> Mapping[str, frozenset[str]]:
    system = published("CodeSystem", ACT_REASON)
    return dict(_walk(system["concept"], frozenset())) if system is not None else {}


def _walk(concepts: Iterable[Any], above: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for one in concepts:
        own = above | {one["code"]}
        yield one["code"], own
        yield from _walk(one.get("concept", ()), own)


def known(purpose: str) -> bool:
    """Whether a purpose is one of v3-ActReason, or of another system."""
    return "|" in purpose or purpose in _above()


def widened(purpose: str) -> frozenset[str]:
    """Return a purpose and all that it is a part of."""
    return _above().get(purpose, frozenset({purpose}))


def usual(user: str, roles: Iterable[str]) -> str:
    """Return the purpose of a request that says none; empty where nobody can tell."""
    having, kind = set(roles), user.partition("/")[0]
    for row in rows().usual:
        if (not row.role or row.role in having) and (not row.user or row.user == kind):
            return row.purpose
    return ""


def default(purpose: str, setting: str) -> bool:
    """Whether data may be used for a purpose where no consent speaks; `setting` is opt-out or opt-in."""
    for row in rows().default:
        if row.purpose in widened(purpose):
            return row.default == "permit"
    return setting == "opt-out"
