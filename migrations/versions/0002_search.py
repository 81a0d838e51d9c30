"""Search: composites, positions, full text, labels of codes, contained resources; epochs and reindexing."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE INDEX resource_long ON resource (type, d0, d1) WHERE live AND d1 > d0 + 86400000000;

CREATE TABLE idx_composite (
    rid BIGINT NOT NULL,
    param INTEGER NOT NULL,
    keys BIGINT[] NOT NULL,
    lo NUMERIC,
    hi NUMERIC,
    unit BIGINT,
    clo NUMERIC,
    chi NUMERIC,
    code BIGINT,
    lo2 NUMERIC,
    hi2 NUMERIC,
    dlo BIGINT,
    dhi BIGINT,
    norm TEXT COLLATE "C",
    exact TEXT
);
CREATE INDEX idx_composite_rid ON idx_composite (rid);

CREATE TABLE idx_position (
    rid BIGINT NOT NULL,
    param INTEGER NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    lon DOUBLE PRECISION NOT NULL
);
CREATE INDEX idx_position_latitude ON idx_position (param, lat);
CREATE INDEX idx_position_rid ON idx_position (rid);

CREATE TABLE idx_text (rid BIGINT NOT NULL, words TSVECTOR NOT NULL);
CREATE INDEX idx_text_rid ON idx_text (rid);
CREATE INDEX idx_text_words ON idx_text USING gin (words) WITH (fastupdate = on, gin_pending_list_limit = 2048);

CREATE TABLE label (
    param INTEGER NOT NULL,
    norm TEXT COLLATE "C" NOT NULL,
    h BIGINT NOT NULL,
    PRIMARY KEY (param, h)
);
CREATE INDEX label_prefix ON label (param, left(norm, 500) COLLATE "C");

CREATE TABLE contained (
    rid BIGINT PRIMARY KEY,
    container BIGINT NOT NULL,
    local TEXT COLLATE "C" NOT NULL,
    type SMALLINT NOT NULL,
    pid BIGINT,
    d0 BIGINT NOT NULL,
    d1 BIGINT NOT NULL,
    tokens BIGINT[] NOT NULL,
    posts BIGINT[] NOT NULL,
    present INTEGER[] NOT NULL
);
CREATE INDEX contained_container ON contained (container);
CREATE INDEX contained_type ON contained (type, rid);
CREATE INDEX contained_tokens ON contained USING gin (tokens) WITH (fastupdate = off);

CREATE TABLE epoch (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO epoch (name, value) VALUES ('search', 1), ('terminology', 1);

CREATE TABLE custom_param (
    param INTEGER PRIMARY KEY,
    source BIGINT NOT NULL,
    since BIGINT NOT NULL,
    ready BOOLEAN NOT NULL
);
COMMENT ON COLUMN custom_param.source IS 'rid of its SearchParameter, 0: several';
COMMENT ON COLUMN custom_param.since IS 'epoch from which on it was there without a break';

CREATE TABLE reindex_job (
    id TEXT COLLATE "C" PRIMARY KEY,
    why TEXT NOT NULL,
    types SMALLINT[] NOT NULL,
    params INTEGER[] DEFAULT '{}' NOT NULL,
    rewrite BOOLEAN DEFAULT false NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    created TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    started TIMESTAMPTZ,
    finished TIMESTAMPTZ,
    updated TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    last BIGINT DEFAULT 0 NOT NULL,
    place SMALLINT DEFAULT 0 NOT NULL,
    rid BIGINT DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    done BIGINT DEFAULT 0 NOT NULL,
    written BIGINT DEFAULT 0 NOT NULL,
    problem TEXT
);
COMMENT ON COLUMN reindex_job.types IS 'empty: every type';
COMMENT ON COLUMN reindex_job.last IS 'greatest rid to look at';
COMMENT ON COLUMN reindex_job.place IS 'position of the current type among the types';
CREATE INDEX reindex_job_open ON reindex_job (created) WHERE state IN ('queued', 'running');

INSERT INTO reindex_job (id, why, types)
SELECT gen_random_uuid()::text, 'upgrade', '{}' WHERE EXISTS (SELECT FROM resource WHERE live);
"""

NAMES = (
    "reindex_job",
    "custom_param",
    "epoch",
    "contained",
    "label",
    "idx_text",
    "idx_position",
    "idx_composite",
)


def upgrade() -> None:
    """Create what search needs beyond the first floor."""
    op.execute(TABLES)


def downgrade() -> None:
    """Remove it again."""
    op.execute("DROP INDEX resource_long")
    for name in NAMES:
        op.execute(f"DROP TABLE {name}")
