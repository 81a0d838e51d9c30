"""The other end of the ruler: Starlette and psycopg moving the same rows with no FHIR at all.

Reads a row by (type, id) and sends its bytes; inserts a row with its columns and index rows as the server stores
them, each insert one committed statement. Same pool, same uvloop and httptools, one worker. Run by `share.py`.

    python bench/bare.py --database URL --port 8099 --pool 10
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

READ = "SELECT tail FROM bare_resource WHERE type = %s AND id = %s"
INSERT = """
WITH made AS (
    INSERT INTO bare_resource (rid, type, id, version, updated, live, d0, d1, tokens, posts, present, tail)
    VALUES (nextval('bare_rid'), %s, %s, 1, now(), true, %s, %s, %s, %s, %s, %s) RETURNING rid, d0, posts
)
INSERT INTO bare_posting (h, d0, rid) SELECT unnest(posts), d0, rid FROM made
"""
SCHEMA = """
DROP TABLE IF EXISTS bare_resource, bare_posting;
DROP SEQUENCE IF EXISTS bare_rid;
CREATE SEQUENCE bare_rid;
CREATE TABLE bare_resource (
    rid bigint PRIMARY KEY, type smallint NOT NULL, id text COLLATE "C" NOT NULL, version int NOT NULL,
    updated timestamptz NOT NULL, live bool NOT NULL, d0 bigint NOT NULL, d1 bigint NOT NULL,
    tokens bigint[] NOT NULL, posts bigint[] NOT NULL, present int[] NOT NULL, tail bytea NOT NULL,
    UNIQUE (type, id)
);
CREATE INDEX ON bare_resource (type, rid) WHERE live;
CREATE INDEX ON bare_resource (type, updated, rid);
CREATE INDEX ON bare_resource (updated, rid);
CREATE INDEX ON bare_resource USING gin (tokens) WITH (fastupdate = off);
CREATE TABLE bare_posting (h bigint NOT NULL, d0 bigint NOT NULL, rid bigint NOT NULL);
CREATE INDEX ON bare_posting (h, d0, rid);
"""
OBSERVATION = 93
TOKENS = [17 * n for n in range(12)]
POSTS = [101, 102, 103, 104]
PRESENT = list(range(10))


async def read(request: Request) -> Response:
    """Return the row's bytes."""
    async with request.app.state.pool.connection() as conn:
        row = await (
            await conn.execute(READ, (OBSERVATION, request.path_params["id"]), binary=True)
        ).fetchone()
    return Response(row[0], media_type="application/json") if row else Response(status_code=404)


async def insert(request: Request) -> Response:
    """Store the body as one row under a random id, and send it back."""
    body = await request.body()
    id_ = os.urandom(16).hex()
    values = (OBSERVATION, id_, 1_600_000_000_000_000, 1_600_000_000_000_001, TOKENS, POSTS, PRESENT, body)
    async with request.app.state.pool.connection() as conn:
        await conn.execute(INSERT, values, binary=True)
    return Response(body, 201, {"Location": f"/rows/{id_}"}, media_type="application/json")


def create_app(database: str, pool_size: int) -> Starlette:
    """Return the program; its tables are made anew at start."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            await conn.execute(SCHEMA)
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            database,
            kwargs={"autocommit": True},
            min_size=2,
            max_size=pool_size,
            open=False,
            configure=_configure,
        )
        async with pool:
            app.state.pool = pool
            yield

    return Starlette(
        routes=[Route("/rows/{id}", read), Route("/rows", insert, methods=["POST"])], lifespan=lifespan
    )


async def _configure(conn: AsyncConnection[Any]) -> None:
    conn.prepare_threshold = 2


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--pool", type=int, default=10)
    given = parser.parse_args()
    app = create_app(given.database, given.pool)
    uvicorn.run(app, port=given.port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
