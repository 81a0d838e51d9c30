"""The keys of one process: class keys unwrapped once, subjects' keys as they are needed, never more than a bound.

Opening needs the keys that a version was sealed for and waits for the key store only where none of them is known here.
Sealing needs the last generation of each owner's key; whether that still is the last is asked at most once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.crypto import envelope
from fhir_server.crypto.classes import BY_PATIENT, DataClass
from fhir_server.crypto.envelope import TENANT, KeyId, SealError, new_key
from fhir_server.crypto.keystore import ClassKey, KeyStore, SubjectKey
from fhir_server.crypto.providers import KeyProvider, KeyTroubleError

KEPT = 20_000
"""Subjects' keys that a process keeps: about a kilobyte each."""

ROUNDS = 5
"""How often a batch asks for keys that others made this process forget meanwhile."""

FRESH_S = 1.0
"""How long a process seals without asking whether keys have changed."""


class DestroyedError(KeyTroubleError):
    """A subject's key was destroyed: the person was erased."""

    def __init__(self, subjects: Collection[int]) -> None:
        super().__init__("The person was erased; nothing is stored about them any more")
        self.subjects = frozenset(subjects)


def class_name(kind: int, number: int) -> str:
    """Return what a wrapped class key is bound to."""
    return f"class/{DataClass(kind).label}/{number}"


def subject_name(one: KeyId) -> bytes:
    """Return what a subject's wrapped key is bound to."""
    return b"subject/%d/%d/%d" % one


class Ring:
    """The keys of one process.

    Shape:  `sealing` says whether what is written is sealed; what is sealed already is opened in any case;
            `on_change` is called when keys to seal with have changed: a rotation or an erasure somewhere
    """

    def __init__(
        self, store: KeyStore, provider: Callable[[], KeyProvider], *, sealing: bool, kept: int = KEPT
    ) -> None:
        self.store = store
        self.sealing = sealing
        self.on_change: Callable[[], None] = lambda: None
        self._make_provider = provider
        self._provider: KeyProvider | None = None
        self._classes: dict[tuple[int, int], AESGCM] = {}
        self._last: dict[int, int] = {}
        self._known: OrderedDict[KeyId, AESGCM] = OrderedDict()
        self._to_seal: dict[tuple[int, int], KeyId] = {}
        self._kept = kept
        self._epoch, self._looked, self._answered = 0, 0.0, 0.0
        self._loading = asyncio.Lock()

    # -- class keys --------------------------------------------------------------------------------------------------

    @property
    def provider(self) -> KeyProvider:
        """The provider of the wrapping key, asked for when it is first needed; raises KeyTroubleError."""
        if self._provider is None:
            self._provider = self._make_provider()
        return self._provider

    async def load(self) -> None:
        """Unwrap the class keys, making those that are missing."""
        async with self._loading:
            if self._classes:
                return
            found = await self.store.classes()
            missing = {int(one) for one in DataClass} - {DataClass.OPEN} - {key.kind for key in found}
            for kind in sorted(missing):
                await self.new_class(kind, 1)
            await self._unwrap_all(await self.store.classes() if missing else found)

    async def new_class(self, kind: int, number: int) -> None:
        """Keep a new class key."""
        wrapped = await asyncio.to_thread(self.provider.wrap, new_key(), class_name(kind, number))
        await self.store.keep_class(ClassKey(kind, number, wrapped))

    async def _unwrap_all(self, found: Sequence[ClassKey]) -> None:
        unwrap, classes = self.provider.unwrap, dict(self._classes)
        for key in found:
            if (key.kind, key.number) not in classes:
                plain = await asyncio.to_thread(unwrap, key.wrapped, class_name(key.kind, key.number))
                classes[key.kind, key.number] = AESGCM(plain)
        self._classes = classes
        self._last = dict(sorted(classes))

    async def class_key(self, kind: int, number: int) -> AESGCM:
        """Return a class key; raises KeyTroubleError."""
        if not self._classes:
            await self.load()
        if (kind, number) not in self._classes:
            await self._unwrap_all(await self.store.classes())
        try:
            return self._classes[kind, number]
        except KeyError:
            raise KeyTroubleError(
                f"The key store has no key {number} of class {DataClass(kind).label}"
            ) from None

    async def last_class(self, kind: int) -> tuple[int, AESGCM]:
        """Return the class key that new keys are wrapped under, with its number."""
        if not self._classes:
            await self.load()
        return self._last[kind], self._classes[kind, self._last[kind]]

    # -- opening -----------------------------------------------------------------------------------------------------

    async def fetch(self, sealed: Sequence[envelope.Parts]) -> None:
        """Have a key at hand for each of `sealed`, if there is one; nothing waits between the last look and the end."""
        gone: set[KeyId] = set()
        for _ in range(ROUNDS):
            wanted = self._unknown(sealed) - gone
            if not wanted:
                return
            self._trim()
            found = await self.store.find(wanted)
            gone |= wanted - {key.id for key in found if key.wrapped is not None}
            await self._take(found)
        raise KeyTroubleError("Keys are changing too fast; try again")

    def _unknown(self, sealed: Iterable[envelope.Parts]) -> set[KeyId]:
        known = self._known
        return {
            key
            for found in sealed
            if not any(KeyId(found.kind, wrap[0], wrap[1]) in known for wrap in found.wraps)
            for key in found.keys
        }

    def _trim(self) -> None:
        """Forget the oldest keys beyond the bound; a batch that comes next may go beyond it for a while."""
        while len(self._known) > self._kept:
            self._known.popitem(last=False)

    async def _take(self, found: Sequence[SubjectKey]) -> None:
        for key in found:
            if key.wrapped is not None:
                under = await self.class_key(key.id.kind, key.under)
                self._known[key.id] = AESGCM(envelope.unwrap(key.wrapped, under, subject_name(key.id)))

    def known(self, one: KeyId) -> AESGCM | None:
        """Return a key that is at hand."""
        return self._known.get(one)

    def opened(self, found: envelope.Parts, name: bytes) -> bytes:
        """Return the content of sealed bytes whose keys were fetched; raises SealError."""
        return envelope.unseal(found, name, self._known.get)

    @property
    def key_of(self) -> Callable[[tuple[int, int, int]], AESGCM | None]:
        """What returns a key that is at hand, None for others: for `envelope.opened`."""
        return self._known.get  # type: ignore[return-value]

    # -- sealing -----------------------------------------------------------------------------------------------------

    async def fresh(self, patience: float = 0.0) -> None:
        """Forget keys where some have changed since it was last looked at.

        Units:  `patience` seconds for which it is borne that the key store does not answer
        """
        now = time.monotonic()
        if now - self._looked < FRESH_S:
            return
        self._looked = now
        try:
            epoch = await self.store.epoch()
        except KeyTroubleError:
            if now - self._answered > patience:
                raise
            return
        self._answered = now
        if epoch != self._epoch:
            changed, self._epoch = bool(self._epoch), epoch
            if changed:
                self.forget()
                self.on_change()

    def forget(self) -> None:
        """Forget all keys, the wrapping keys too: there may be a new one in their file."""
        self._provider = None
        self._classes, self._last = {}, {}
        self._to_seal.clear()
        self._known.clear()

    async def owners(self, wanted: Iterable[tuple[int, int]]) -> None:
        """Have the keys at hand that (class, subject) are sealed with, making new subjects' keys.

        Errors: DestroyedError where a subject was erased
        """
        await self.fresh()
        asked = list(wanted)
        for _ in range(ROUNDS):
            missing: dict[int, set[int]] = {}
            for kind, subject in asked:
                one = self._to_seal.get((kind, subject))
                if one is None or one not in self._known:
                    missing.setdefault(kind, set()).add(subject)
            if not missing:
                return
            self._trim()
            for kind, subjects in missing.items():
                await self._current(kind, sorted(subjects))
        raise KeyTroubleError("Keys are changing too fast; try again")

    async def _current(self, kind: int, subjects: Sequence[int]) -> None:
        found = await self.store.newest(kind, subjects)
        new = sorted(set(subjects) - {key.id.subject for key in found})
        if new:
            await self.store.keep(await self.made([KeyId(kind, subject, 1) for subject in new]))
            found = await self.store.newest(kind, subjects)
        if gone := [key.id.subject for key in found if key.wrapped is None]:
            raise DestroyedError(gone)
        await self._take(found)
        self._to_seal.update({(kind, key.id.subject): key.id for key in found})

    async def made(self, ids: Iterable[KeyId]) -> list[SubjectKey]:
        """Return new keys, wrapped, not kept yet."""
        fresh = []
        for one in ids:
            number, under = await self.last_class(one.kind)
            fresh.append(SubjectKey(one, number, envelope.wrap(new_key(), under, subject_name(one))))
        return fresh

    def in_use(self, kind: int, owners: Iterable[int]) -> list[KeyId]:
        """Return the keys, which are at hand, that content of these owners is sealed with."""
        return [self._to_seal[kind, owner] for owner in owners]

    def sealed(
        self, kind: int, owners: Collection[int], plain: bytes, name: bytes, clear: bytes = b""
    ) -> bytes:
        """Return `plain` sealed for its owners, whose keys are at hand."""
        keys: dict[KeyId, AESGCM] = {}
        for subject in owners:
            one = self._to_seal[kind, subject]
            keys[one] = self._known[one]
        return envelope.seal(plain, name, keys, clear)


def subjects(kind: DataClass, owners: Iterable[int | None]) -> tuple[int, ...]:
    """Return whose keys content of a class hangs on: its patients' where it has any, else the tenant's."""
    if kind not in BY_PATIENT:
        return (TENANT,)
    return tuple(sorted({one for one in owners if one is not None})) or (TENANT,)


__all__ = ["DestroyedError", "Ring", "SealError", "class_name", "subject_name", "subjects"]
