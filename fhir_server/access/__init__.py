"""Who may see and do what: grants, scopes, roles, and the one table of what belongs to whom."""
