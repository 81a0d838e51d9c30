"""Elevations: rights that somebody got for a while and on record."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE elevation (
    id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    patient TEXT COLLATE "C" NOT NULL,
    reason TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    asked TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    approved BOOLEAN,
    decided TIMESTAMPTZ,
    decided_by TEXT COLLATE "C",
    decision TEXT,
    expires TIMESTAMPTZ,
    ended TIMESTAMPTZ,
    ended_by TEXT COLLATE "C"
);
CREATE INDEX elevation_subject ON elevation (subject, expires);
COMMENT ON COLUMN elevation.approved IS 'NULL: nobody has decided yet';
COMMENT ON COLUMN elevation.decision IS 'what whoever decided said';
"""


def upgrade() -> None:
    """Create what elevations need."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE elevation")
