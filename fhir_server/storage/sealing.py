"""Content between the statements and everybody else: sealed on its way into the database, opened on its way out.

Nobody above storage meets sealed bytes. Writes are sealed right before their statement (`seal`); the cursors of our
connections open what a statement selects, by one rule: the eighth column is called `tail`, and type, id and version
are the second to fourth, as in `Row`. What is not sealed passes as it is, so that a database may hold both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection

from fhir_server.crypto import envelope
from fhir_server.crypto.classes import DataClass, class_of
from fhir_server.crypto.envelope import FORM, Parts, SealError
from fhir_server.crypto.providers import KeyTroubleError
from fhir_server.crypto.ring import DestroyedError, Ring, subjects
from resources.outcome import FhirError

if TYPE_CHECKING:
    from fhir_server.storage.write import Write

_log = logging.getLogger("fhir_server.storage")

NOTHING = b"}}"
"""A clear part that says nothing: the end of a resource."""

TAIL = 7
"""The position of the content among the columns of a Row."""

PATIENCE_S = 30.0
"""How long what is known is still read while the key store does not say whether anybody was erased."""

_UNREADABLE = "The server cannot read what it stored: its keys are not the ones that this was sealed with"


class Sealer:
    """Seals writes and opens rows with the keys of this process.

    Shape:  `clear` gives of a version (type number, content) what the database itself may read
    """

    def __init__(
        self, ring: Ring, clear: Callable[[int, bytes], bytes] = lambda _type, _tail: NOTHING
    ) -> None:
        self.ring = ring
        self.clear = clear

    async def seal(self, writes: Sequence[Write]) -> bool:
        """Give each write its sealed content; return False where one is about somebody who was erased meanwhile.

        Errors: 503 where keys cannot be had
        """
        if not self.ring.sealing:
            return True
        todo = [
            (w, kind, subjects(kind, w.owners or (w.pid,)))
            for w in writes
            if w.tail is not None and not w.rows_only and (kind := class_of(w.type)) is not DataClass.OPEN
        ]
        if not todo:
            return True
        try:
            await self.ring.owners({(kind, owner) for _, kind, owners in todo for owner in owners})
        except DestroyedError:
            return False
        except KeyTroubleError as error:
            raise _unavailable(error) from error
        for one, kind, owners in todo:
            assert one.tail is not None
            name = envelope.bound(one.type, one.id, one.version)
            one.sealed = self.ring.sealed(kind, owners, one.tail, name, self.clear(one.type, one.tail))
        return True

    async def opened(self, rows: list[Any]) -> list[Any]:
        """Return rows with their content in the clear.

        Errors: 503 where keys cannot be had, 410 where they were destroyed, 500 where content was altered
        """
        try:
            await self.ring.fresh(PATIENCE_S)
            found = self._at_hand(rows)
            if found is not None:
                return found
            taken = [_taken(row) for row in rows]
            await self.ring.fetch([parts for parts in taken if parts is not None])
            return [
                row if parts is None else (*row[:TAIL], self._content(row, parts), *row[_BEHIND:])
                for row, parts in zip(rows, taken, strict=True)
            ]
        except KeyTroubleError as error:
            raise _unavailable(error) from error
        except SealError as error:
            _log.exception("sealed content cannot be opened", extra={"error": type(error).__name__})
            raise FhirError(500, "exception", _UNREADABLE) from error

    def _at_hand(self, rows: list[Any]) -> list[Any] | None:
        """Return rows with their content in the clear, None where a key has to be fetched."""
        found, opened, bound, key_of = [], envelope.opened, envelope.bound, self.ring.key_of
        for row in rows:
            sealed = row[TAIL]
            if sealed is None or sealed[:1] != _FORM:
                found.append(row)
                continue
            content = opened(sealed, bound(row[1], row[2], row[3]), key_of)
            if content is None:
                return None
            found.append((*row[:TAIL], content, *row[_BEHIND:]))
        return found

    def _content(self, row: Any, parts: Parts) -> bytes:
        if not any(self.ring.known(key) for key in parts.keys):
            raise FhirError(410, "deleted", "What was stored here was erased: its key is destroyed")
        return self.ring.opened(parts, envelope.bound(row[1], row[2], row[3]))

    async def close(self) -> None:
        """Let go of the key store."""
        await self.ring.store.close()


_SEALED = b"sealed secret 1:"
_NUMBER = Struct(">I")


async def secrets(conn: AsyncConnection[Any], sealer: Sealer | None) -> dict[str, bytes]:
    """Return the secrets that hashes and cursors are keyed with; a server that seals content seals them too.

    Who has a copy of the database alone can then not try out which code or identifier a hash stands for.

    Errors: KeyTroubleError
    """
    rows = await (await conn.execute("SELECT name, value FROM secret")).fetchall()
    found = {}
    for name, stored in rows:
        value = bytes(stored)
        if value.startswith(_SEALED):
            if sealer is None:
                raise KeyTroubleError("The secrets of this database are sealed, and no keys were given")
            found[name] = await _secret(sealer.ring, name, value.removeprefix(_SEALED))
        else:
            found[name] = value
            if sealer is not None and sealer.ring.sealing:
                number, under = await sealer.ring.last_class(DataClass.INDEX)
                fresh = _SEALED + _NUMBER.pack(number) + envelope.wrap(value, under, _secret_name(name))
                await conn.execute(
                    "UPDATE secret SET value = %s WHERE name = %s AND value = %s", (fresh, name, stored)
                )
    return found


async def _secret(ring: Ring, name: str, wrapped: bytes) -> bytes:
    (number,) = _NUMBER.unpack_from(wrapped)
    under = await ring.class_key(DataClass.INDEX, number)
    return envelope.unwrap(wrapped[_NUMBER.size :], under, _secret_name(name))


def _secret_name(name: str) -> bytes:
    return f"secret/{name}".encode()


def needs(result: Any, rows: Sequence[Any]) -> bool:
    """Whether rows of a result hold sealed content."""
    if result is None or result.nfields <= TAIL or result.fname(TAIL) != b"tail":
        return False
    return any(tail is not None and tail[:1] == b"\x01" for tail in (row[TAIL] for row in rows))


def _taken(row: Any) -> Parts | None:
    tail = row[TAIL]
    return envelope.parts(tail) if tail is not None and tail[:1] == _FORM else None


_FORM = bytes([FORM])
_BEHIND = TAIL + 1


def _unavailable(error: KeyTroubleError) -> FhirError:
    _log.error("keys cannot be had", extra={"error": str(error)})
    return FhirError(
        503, "transient", "The keys of stored content cannot be had now", headers={"Retry-After": "5"}
    )
