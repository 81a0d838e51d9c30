"""Storage: resources, their versions, and the rows that search reads."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE SEQUENCE rid_seq CACHE 32;

CREATE TABLE resource (
    rid BIGINT DEFAULT nextval('rid_seq') PRIMARY KEY,
    type SMALLINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    version INTEGER DEFAULT 0 NOT NULL,
    updated TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    live BOOLEAN DEFAULT false NOT NULL,
    method SMALLINT DEFAULT 0 NOT NULL,
    pid BIGINT,
    d0 BIGINT DEFAULT (-9223372036854775807 - 1) NOT NULL,
    d1 BIGINT DEFAULT (-9223372036854775807 - 1) NOT NULL,
    tokens BIGINT[] DEFAULT '{}' NOT NULL,
    posts BIGINT[] DEFAULT '{}' NOT NULL,
    present INTEGER[] DEFAULT '{}' NOT NULL,
    digests BIGINT[] DEFAULT '{}' NOT NULL,
    tail BYTEA,
    CONSTRAINT resource_identity UNIQUE (type, id)
);
COMMENT ON COLUMN resource.version IS '0: only referred to so far';
COMMENT ON COLUMN resource.live IS 'has content, not deleted';
COMMENT ON COLUMN resource.pid IS 'rid of its one patient';
CREATE INDEX resource_type ON resource (type, rid) WHERE live;
CREATE INDEX resource_type_updated ON resource (type, updated, rid) WHERE version > 0;
CREATE INDEX resource_updated ON resource (updated, rid) WHERE version > 0;
CREATE INDEX resource_patient ON resource (pid, type, d0, rid) WHERE live;
CREATE INDEX resource_date ON resource (type, d0, rid) WHERE live;
CREATE INDEX resource_tokens ON resource USING gin (tokens) WITH (fastupdate = off);

CREATE TABLE resource_version (
    rid BIGINT NOT NULL,
    version INTEGER NOT NULL,
    type SMALLINT NOT NULL,
    updated TIMESTAMPTZ NOT NULL,
    live BOOLEAN NOT NULL,
    method SMALLINT NOT NULL,
    tail BYTEA,
    PRIMARY KEY (rid, version)
);
CREATE INDEX resource_version_type_updated ON resource_version (type, updated, rid);
CREATE INDEX resource_version_updated ON resource_version (updated, rid);

CREATE TABLE posting (h BIGINT NOT NULL, pid BIGINT, d0 BIGINT NOT NULL, rid BIGINT NOT NULL);
CREATE INDEX posting_hash ON posting (h, d0, rid);
CREATE INDEX posting_patient ON posting (pid, h, d0, rid) WHERE pid IS NOT NULL;

CREATE TABLE edge (src BIGINT NOT NULL, param INTEGER NOT NULL, dst BIGINT NOT NULL);
CREATE INDEX edge_forward ON edge (src, param, dst);
CREATE INDEX edge_reverse ON edge (dst, param, src);

CREATE TABLE idx_string (rid BIGINT NOT NULL, param INTEGER NOT NULL, norm TEXT COLLATE "C" NOT NULL, exact TEXT NOT NULL);
CREATE INDEX idx_string_prefix ON idx_string (param, left(norm, 500) COLLATE "C", rid);
CREATE INDEX idx_string_rid ON idx_string (rid);
CREATE INDEX idx_string_trigram ON idx_string USING gin (norm gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 512);

CREATE TABLE idx_date (rid BIGINT NOT NULL, param INTEGER NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL);
CREATE INDEX idx_date_lo ON idx_date (param, lo, rid);
CREATE INDEX idx_date_hi ON idx_date (param, hi, rid);
CREATE INDEX idx_date_rid ON idx_date (rid);

CREATE TABLE idx_number (
    rid BIGINT NOT NULL,
    param INTEGER NOT NULL,
    lo NUMERIC NOT NULL,
    hi NUMERIC NOT NULL,
    unit BIGINT,
    clo NUMERIC,
    chi NUMERIC,
    code BIGINT
);
CREATE INDEX idx_number_value ON idx_number (param, lo);
CREATE INDEX idx_number_canonical ON idx_number (param, unit, clo) WHERE unit IS NOT NULL;
CREATE INDEX idx_number_rid ON idx_number (rid);

CREATE TABLE secret (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
"""

SECRETS = ("token-hash", "cursor-signature")


def upgrade() -> None:
    """Create the schema and the keys that hashes and cursors are made with."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(TABLES)
    rows = [{"name": name, "value": secrets.token_bytes(32)} for name in SECRETS]
    op.bulk_insert(sa.table("secret", sa.column("name", sa.Text), sa.column("value", sa.LargeBinary)), rows)


def downgrade() -> None:
    """Remove the schema and everything in it."""
    for table in (
        "secret",
        "idx_number",
        "idx_date",
        "idx_string",
        "edge",
        "posting",
        "resource_version",
        "resource",
    ):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP SEQUENCE rid_seq")
