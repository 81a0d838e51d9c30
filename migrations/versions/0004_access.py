"""Access: whom a version is about, and its security labels.

Rows from before are indexed anew, as after any change of what is made of a resource. Their older versions keep no
owner, so that only who sees everybody's sees these.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what the access work keeps."""
    for table in ("resource", "resource_version"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN owners bigint[], ADD COLUMN labels integer[]")
        op.execute(f"COMMENT ON COLUMN {table}.owners IS 'rids of all its patients, NULL: pid says it all'")
        op.execute(f"COMMENT ON COLUMN {table}.labels IS 'numbers of its security labels'")
    op.execute("ALTER TABLE resource_version ADD COLUMN pid bigint")
    op.execute(
        "CREATE INDEX resource_owners ON resource USING gin (owners) WITH (fastupdate = off)"
        " WHERE owners IS NOT NULL"
    )
    op.execute("INSERT INTO epoch (name, value) VALUES ('policy', 1) ON CONFLICT (name) DO NOTHING")
    op.execute(
        "INSERT INTO reindex_job (id, why, types) SELECT gen_random_uuid()::text, 'upgrade', '{}'"
        " WHERE EXISTS (SELECT FROM resource WHERE live)"
        " AND NOT EXISTS (SELECT FROM reindex_job WHERE state = 'queued' AND types = '{}')"
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX resource_owners")
    op.execute("ALTER TABLE resource_version DROP COLUMN pid, DROP COLUMN owners, DROP COLUMN labels")
    op.execute("ALTER TABLE resource DROP COLUMN owners, DROP COLUMN labels")
    op.execute("DELETE FROM epoch WHERE name = 'policy'")
