"""Passwords: what one must be, and how it is kept and compared.

Source: OWASP ASVS 4.0.3 V2.1 (12 characters at least, no rules of composition, long ones allowed) and V2.4;
        RFC 9106 section 4 (argon2id, the second recommended set: 64 MiB, 3 passes, 4 lanes)
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar, TypeVarTuple, Unpack

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
SHORTEST = 12
LONGEST = 256
WAITING_MOST = 64

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
"""Two at a time: a hash takes a processor and 64 MiB; sign-ins must not take those from everybody else."""
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""What is compared where there is no account, so that it takes as long. Nothing hashes to it but by chance."""


class BusyError(Exception):
    """Too many passwords are being compared; raised before anything is done."""


class Match(NamedTuple):
    """Whether a password is the one, and its new hash where the old one was cheaper than today's."""

    right: bool
    rehashed: str | None = None


async def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return await _in_thread(_HASHER.hash, _normal(password))


async def matches(password: str, stored: str | None) -> Match:
    """Return whether `password` is what `stored` was made of; takes as long where there is nothing stored."""
    if len(password) > LONGEST:
        password, stored = "", None
    return await _in_thread(_matches, _normal(password), stored or _NOBODY)


def generated() -> str:
    """Return a password of 80 bits that can be read out: four groups of four."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def problem(password: str, about: Iterable[str] = ()) -> str | None:
    """Return what is wrong with a new password, fit to show; `about` are texts that others know of its owner."""
    plain = _normal(password)
    if len(plain) < SHORTEST:
        return f"A password has at least {SHORTEST} characters; several words are fine"
    if len(plain) > LONGEST:
        return f"A password has at most {LONGEST} characters"
    small = plain.casefold()
    if len(set(small)) < 5 or _runs(small):
        return "This password is too regular: it is among the first that are tried"
    for word in _words(about):
        if word in small and len(small) - len(word) < 8:
            return "This password says little more than your name or address"
    return None


def _matches(password: str, stored: str) -> Match:
    try:
        _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return Match(False)
    return Match(True, _HASHER.hash(password) if _HASHER.check_needs_rehash(stored) else None)


async def _in_thread(function: Callable[[Unpack[Ts]], T], *values: *Ts) -> T:
    if _THREADS._work_queue.qsize() >= WAITING_MOST:
        raise BusyError
    return await asyncio.get_running_loop().run_in_executor(_THREADS, function, *values)


def _normal(password: str) -> str:
    """Return a password as all keyboards mean it. Source: NIST SP 800-63B section 5.1.1.2"""
    return unicodedata.normalize("NFKC", password)


def _runs(small: str) -> bool:
    """Whether each character follows from the one before: abcdef…, 987654…, or a short piece repeated."""
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(small)}
    if len(steps) == 1 or (small.isdigit() and len({step % 10 for step in steps}) == 1):
        return True
    return any(small == (small[:n] * len(small))[: len(small)] for n in range(1, len(small) // 3 + 1))


def _words(about: Iterable[str]) -> list[str]:
    found = [part for text in about for part in text.casefold().replace("@", " ").split()]
    return [word for word in found if len(word) >= 4]
