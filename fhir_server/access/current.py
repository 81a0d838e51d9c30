"""The policy under which this task works. There is none until somebody enters one: what forgets to ask fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fhir_server.storage.veil import VEIL

if TYPE_CHECKING:
    from fhir_server.access.policy import Policy
    from fhir_server.storage.rows import Row

_POLICY: ContextVar[Policy] = ContextVar("policy")


def policy() -> Policy:
    """Return the policy in force; raises LookupError where nobody entered one."""
    return _POLICY.get()


def assume(one: Policy) -> None:
    """Work under `one` from now on: for programs that serve nobody, such as a command."""
    _POLICY.set(one)


@contextmanager
def entered(one: Policy) -> Iterator[Policy]:
    """Work under `one` for the time of a `with`."""
    tokens = _POLICY.set(one), VEIL.set(one.veil)
    try:
        yield one
    finally:
        _POLICY.reset(tokens[0])
        VEIL.reset(tokens[1])


_TOUCHED: ContextVar[set[int] | None] = ContextVar("touched", default=None)


def touched(rids: Iterable[int]) -> None:
    """Note that data of patients (their row numbers) left or were written, for the audit trail of this request."""
    noted = _TOUCHED.get()
    if noted is not None:
        noted.update(rids)


def note(rows: Iterable[Row]) -> None:
    """Note whose data `rows` are."""
    for row in rows:
        touched(row.owners if row.owners is not None else [row.pid] if row.pid is not None else ())


@contextmanager
def touching() -> Iterator[set[int]]:
    """Lend the set of patients whose data are touched during a `with`."""
    noted: set[int] = set()
    token = _TOUCHED.set(noted)
    try:
        yield noted
    finally:
        _TOUCHED.reset(token)
