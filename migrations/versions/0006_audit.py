"""The audit trail: entries in chains, and the signed checkpoints over them."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE audit_chain (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    genesis BYTEA NOT NULL,
    signed BIGINT DEFAULT 0 NOT NULL,
    cut BIGINT DEFAULT 0 NOT NULL,
    cut_hash BYTEA,
    ended BOOLEAN DEFAULT false NOT NULL
);

CREATE TABLE audit_entry (
    chain BIGINT NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    interaction TEXT COLLATE "C" NOT NULL,
    status SMALLINT NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    type SMALLINT,
    id TEXT COLLATE "C",
    patients BIGINT[],
    record BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (chain, n)
);
CREATE INDEX audit_entry_at ON audit_entry (at);
CREATE INDEX audit_entry_agent ON audit_entry (agent, at);
CREATE INDEX audit_entry_entity ON audit_entry (type, id) WHERE id IS NOT NULL;
CREATE INDEX audit_entry_patients ON audit_entry USING gin (patients);

CREATE TABLE audit_checkpoint (
    n BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    heads BYTEA NOT NULL,
    root BYTEA NOT NULL,
    previous BYTEA NOT NULL,
    key TEXT NOT NULL,
    signature BYTEA NOT NULL
);
"""


def upgrade() -> None:
    """Create what the audit trail needs."""
    op.execute(TABLES)


def downgrade() -> None:
    """Remove it again."""
    for name in ("audit_checkpoint", "audit_entry", "audit_chain"):
        op.execute(f"DROP TABLE {name}")
