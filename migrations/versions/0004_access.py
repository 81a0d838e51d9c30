"""Access: whom a version is about, and its security labels."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what the access work keeps."""


def downgrade() -> None:
    """Drop it."""
