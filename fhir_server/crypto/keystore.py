"""The key store: wrapped keys in a database of their own, beside the one whose content they open.

It is apart so that backups of the content never carry the keys: a patient's key that is destroyed here is destroyed
for every copy. It wants backups of its own that are kept shortly. Its schema is made here, since nothing else of the
server's is in there.

`state.epoch` moves whenever a key stops being the one to seal with (rotation, erasure): every process looks at it at
most a second before it seals.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import DuplicateDatabase, DuplicateTable, InsufficientPrivilege, UniqueViolation
from psycopg_pool import AsyncConnectionPool

from fhir_server.crypto.envelope import KeyId
from fhir_server.crypto.providers import KeyTroubleError, Wrapped

SUFFIX = "_keys"

SCHEMA = """
CREATE TABLE IF NOT EXISTS state (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), epoch BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS class_key (
    kind SMALLINT NOT NULL,
    number INTEGER NOT NULL,
    under TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    made TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, number)
);
CREATE TABLE IF NOT EXISTS subject_key (
    kind SMALLINT NOT NULL,
    subject BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    under INTEGER NOT NULL,
    wrapped BYTEA,
    made TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    destroyed TIMESTAMPTZ,
    PRIMARY KEY (kind, subject, generation)
);
CREATE TABLE IF NOT EXISTS backup_key (
    id TEXT PRIMARY KEY,
    under INTEGER NOT NULL,
    wrapped BYTEA NOT NULL,
    made TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    expires TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS subject_key_subject ON subject_key (subject);
CREATE INDEX IF NOT EXISTS subject_key_under ON subject_key (kind, under) WHERE wrapped IS NOT NULL;
INSERT INTO state (epoch) VALUES (1) ON CONFLICT DO NOTHING;
"""


class ClassKey(NamedTuple):
    """A wrapped class key."""

    kind: int
    number: int
    wrapped: Wrapped


class SubjectKey(NamedTuple):
    """A wrapped key of a subject: `under` is the number of its class key; `wrapped` None: destroyed."""

    id: KeyId
    under: int
    wrapped: bytes | None


def beside(conninfo: str) -> str:
    """Return the conninfo of the key store that lies beside a database: the same server, the name with a suffix."""
    return with_name(conninfo, f"{conninfo_to_dict(conninfo).get('dbname') or ''}{SUFFIX}")


def with_name(conninfo: str, name: str) -> str:
    """Return the conninfo of another database of the same server, a URL for a URL."""
    if "://" not in conninfo:
        return make_conninfo(conninfo, dbname=name)
    parts = urlsplit(conninfo)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "dbname"]
    return urlunsplit(parts._replace(path=f"/{quote(name)}", query=urlencode(query)))


async def create(conninfo: str, main: str) -> None:
    """Make the key store's database (asked for through `main`) and tables, where they are not there yet.

    Errors: KeyTroubleError with what to do where the account may not
    """
    try:
        async with await AsyncConnection.connect(conninfo, autocommit=True) as conn:
            await _tables(conn)
            return
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise KeyTroubleError("The key store's database does not answer") from None
    name = conninfo_to_dict(conninfo)["dbname"]
    try:
        async with await AsyncConnection.connect(main, autocommit=True) as conn:
            await conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
    except (DuplicateDatabase, UniqueViolation):
        pass
    except InsufficientPrivilege:
        raise KeyTroubleError(
            f"The key store needs a database called {name} that the account owns: make it, "
            "or set HEALTHBUDDY_KEYS_DATABASE_URL"
        ) from None
    async with await AsyncConnection.connect(conninfo, autocommit=True) as conn:
        await _tables(conn)


async def _tables(conn: AsyncConnection[Any]) -> None:
    await conn.execute("SELECT pg_advisory_lock(1212304203)")  # 'HBKK'
    try:
        await conn.execute(SCHEMA)
    except (DuplicateTable, UniqueViolation):
        pass
    finally:
        await conn.execute("SELECT pg_advisory_unlock(1212304203)")


class KeyStore:
    """Reads and writes wrapped keys."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            conninfo,
            kwargs={"autocommit": True, "application_name": "healthbuddy-keys"},
            min_size=0,
            max_size=2,
            timeout=10.0,
            check=AsyncConnectionPool.check_connection,  # a database that was started anew is noticed
            open=False,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Lend a connection; raises KeyTroubleError where the key store does not answer."""
        await self._pool.open()
        try:
            async with self._pool.connection() as conn:
                yield conn
        except psycopg.OperationalError as error:
            raise KeyTroubleError("The key store does not answer") from error

    async def epoch(self) -> int:
        """Return the epoch of the keys that are sealed with."""
        async with self.connection() as conn:
            row = await (await conn.execute("SELECT epoch FROM state")).fetchone()
        return int(row[0]) if row else 0

    async def advance(self) -> int:
        """End the epoch: every process forgets which keys to seal with; return the new one."""
        async with self.connection() as conn:
            row = await (await conn.execute("UPDATE state SET epoch = epoch + 1 RETURNING epoch")).fetchone()
        assert row is not None
        return int(row[0])

    async def classes(self) -> list[ClassKey]:
        """Return all class keys, older ones first."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT kind, number, under, wrapped FROM class_key ORDER BY kind, number"
            )
            return [
                ClassKey(kind, number, Wrapped(under, bytes(data)))
                for kind, number, under, data in await cursor.fetchall()
            ]

    async def keep_class(self, key: ClassKey, *, again: bool = False) -> None:
        """Keep a class key, unless another process was first; `again` replaces its wrap."""
        then = "DO UPDATE SET under = EXCLUDED.under, wrapped = EXCLUDED.wrapped" if again else "DO NOTHING"
        async with self.connection() as conn:
            await conn.execute(
                "INSERT INTO class_key (kind, number, under, wrapped) VALUES (%s, %s, %s, %s)"
                f" ON CONFLICT (kind, number) {then}",
                (key.kind, key.number, key.wrapped.under, key.wrapped.data),
            )

    async def drop_class(self, kind: int, number: int) -> None:
        """Remove a class key that no key is wrapped under."""
        async with self.connection() as conn:
            await conn.execute(
                "DELETE FROM class_key c WHERE kind = %s AND number = %s AND NOT EXISTS (SELECT FROM subject_key s"
                " WHERE s.kind = c.kind AND s.under = c.number AND s.wrapped IS NOT NULL)",
                (kind, number),
            )

    async def find(self, ids: Iterable[KeyId]) -> list[SubjectKey]:
        """Return those of the keys that were ever made."""
        listed = list(ids)
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT s.kind, s.subject, s.generation, s.under, s.wrapped FROM"
                " unnest(%s::smallint[], %s::bigint[], %s::int[]) AS k(kind, subject, generation)"
                " JOIN subject_key s USING (kind, subject, generation)",
                ([k.kind for k in listed], [k.subject for k in listed], [k.generation for k in listed]),
            )
            return [_subject(row) for row in await cursor.fetchall()]

    async def newest(self, kind: int, subjects: Sequence[int]) -> list[SubjectKey]:
        """Return the last generation of each subject's key of a class; those without are left out."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT DISTINCT ON (subject) kind, subject, generation, under, wrapped FROM subject_key"
                " WHERE kind = %s AND subject = ANY(%s) ORDER BY subject, generation DESC",
                (kind, list(subjects)),
            )
            return [_subject(row) for row in await cursor.fetchall()]

    async def keep(self, keys: Sequence[SubjectKey]) -> None:
        """Keep new keys, unless another process was first."""
        async with self.connection() as conn, conn.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO subject_key (kind, subject, generation, under, wrapped) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                [(*key.id, key.under, key.wrapped) for key in keys],
            )

    async def count_under_older(self, kind: int) -> int:
        """Return how many keys of a class hang on another than its newest class key."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT count(*) FROM subject_key WHERE kind = %s AND wrapped IS NOT NULL"
                " AND under < (SELECT max(number) FROM class_key WHERE kind = %s)",
                (kind, kind),
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def under_older(self, kind: int, number: int, count: int) -> list[SubjectKey]:
        """Return some keys of a class that are wrapped under an older class key than `number`."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT kind, subject, generation, under, wrapped FROM subject_key"
                " WHERE kind = %s AND under < %s AND wrapped IS NOT NULL LIMIT %s",
                (kind, number, count),
            )
            return [_subject(row) for row in await cursor.fetchall()]

    async def rewrap(self, keys: Sequence[tuple[KeyId, int, bytes, bytes]]) -> None:
        """Replace wraps: (key, its class key's number, the new wrap, the old one, which must still be there)."""
        async with self.connection() as conn, conn.transaction(), conn.cursor() as cursor:
            await cursor.executemany(
                "UPDATE subject_key SET under = %s, wrapped = %s"
                " WHERE kind = %s AND subject = %s AND generation = %s AND wrapped = %s",
                [(under, fresh, *key, old) for key, under, fresh, old in keys],
            )

    async def made_before(self, moment: datetime, count: int) -> list[KeyId]:
        """Return some subjects' last keys that are older than `moment` and not destroyed."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT kind, subject, generation FROM (SELECT DISTINCT ON (kind, subject) * FROM subject_key"
                " ORDER BY kind, subject, generation DESC) k WHERE made < %s AND wrapped IS NOT NULL LIMIT %s",
                (moment, count),
            )
            return [KeyId(*row) for row in await cursor.fetchall()]

    async def drop_older(self) -> int:
        """Remove every key that a later generation has replaced; return how many."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "DELETE FROM subject_key o USING subject_key n WHERE n.kind = o.kind AND n.subject = o.subject"
                " AND n.generation > o.generation AND n.wrapped IS NOT NULL"
            )
            return cursor.rowcount

    async def figures(self) -> list[tuple[int, int, str, int, int]]:
        """Return (class, number of its key, wrapping key, keys under it, of these destroyed) of each class key."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT c.kind, c.number, c.under, count(s.subject), count(s.destroyed) FROM class_key c"
                " LEFT JOIN subject_key s ON s.kind = c.kind AND s.under = c.number"
                " GROUP BY c.kind, c.number, c.under ORDER BY 1, 2"
            )
            return [
                (kind, number, under, keys, gone)
                for kind, number, under, keys, gone in await cursor.fetchall()
            ]

    async def destroy(self, subject: int) -> int:
        """Destroy every key of a subject and end the epoch; return how many keys there were."""
        async with self.connection() as conn, conn.transaction():
            cursor = await conn.execute(
                "UPDATE subject_key SET wrapped = NULL, destroyed = clock_timestamp()"
                " WHERE subject = %s AND wrapped IS NOT NULL",
                (subject,),
            )
            await conn.execute("UPDATE state SET epoch = epoch + 1")
            gone = cursor.rowcount
        async with self.connection() as conn:
            await conn.execute("VACUUM subject_key")
        return gone

    async def keep_backup(self, id_: str, under: int, wrapped: bytes, days: int) -> None:
        """Keep the key of a backup for so many days."""
        async with self.connection() as conn:
            await conn.execute(
                "INSERT INTO backup_key (id, under, wrapped, expires)"
                " VALUES (%s, %s, %s, clock_timestamp() + make_interval(days => %s))",
                (id_, under, wrapped, days),
            )

    async def backup(self, id_: str) -> tuple[int, bytes] | None:
        """Return the key of a backup with the number of the class key it is under; None where it is gone."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT under, wrapped FROM backup_key WHERE id = %s AND expires > clock_timestamp()", (id_,)
            )
            row = await cursor.fetchone()
        return (row[0], bytes(row[1])) if row else None

    async def expire(self) -> int:
        """Destroy the keys of backups that have expired; return how many."""
        async with self.connection() as conn:
            cursor = await conn.execute("DELETE FROM backup_key WHERE expires <= clock_timestamp()")
            if cursor.rowcount:
                await conn.execute("VACUUM backup_key")
            return cursor.rowcount

    async def greatest(self) -> int:
        """Return the greatest subject that has or had a key."""
        async with self.connection() as conn:
            row = await (await conn.execute("SELECT COALESCE(max(subject), 0) FROM subject_key")).fetchone()
        return int(row[0]) if row else 0

    async def wrapped(self, subject: int) -> int:
        """Return how many keys of a subject are there."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT count(*) FROM subject_key WHERE subject = %s AND wrapped IS NOT NULL", (subject,)
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def destroyed(self) -> set[int]:
        """Return the subjects that have no key any more."""
        async with self.connection() as conn:
            cursor = await conn.execute(
                "SELECT subject FROM subject_key GROUP BY subject HAVING bool_and(wrapped IS NULL)"
            )
            return {row[0] for row in await cursor.fetchall()}


def _subject(row: Sequence[Any]) -> SubjectKey:
    kind, subject, generation, under, wrapped = row
    return SubjectKey(KeyId(kind, subject, generation), under, None if wrapped is None else bytes(wrapped))
