"""The database schema's only author: Alembic revisions, applied by `healthbuddy migrate`."""
