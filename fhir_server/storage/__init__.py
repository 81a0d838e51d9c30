"""PostgreSQL storage: one row per resource, its older versions, and the index rows that search reads."""
