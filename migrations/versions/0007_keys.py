"""Keys of sealed content, erasures."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE key_job (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state TEXT DEFAULT 'running' NOT NULL,
    started TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    finished TIMESTAMPTZ,
    stage TEXT DEFAULT 'keys' NOT NULL,
    rid BIGINT DEFAULT 0 NOT NULL,
    version INTEGER DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    done BIGINT DEFAULT 0 NOT NULL,
    written BIGINT DEFAULT 0 NOT NULL
);
CREATE UNIQUE INDEX key_job_one ON key_job ((true)) WHERE state = 'running';

CREATE TABLE erasure (
    id TEXT COLLATE "C" PRIMARY KEY,
    subject BIGINT NOT NULL,
    asked TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    finished TIMESTAMPTZ,
    state TEXT DEFAULT 'running' NOT NULL,
    by_whom TEXT NOT NULL,
    reason TEXT NOT NULL,
    removed JSONB DEFAULT '{}' NOT NULL,
    rids BIGINT[] DEFAULT '{}' NOT NULL,
    digest BYTEA NOT NULL,
    certificate BYTEA
);
CREATE INDEX erasure_subject ON erasure (subject);
"""


def upgrade() -> None:
    """Create what rotation and erasure keep."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE erasure")
    op.execute("DROP TABLE key_job")
