"""The authorization server: accounts, clients, sessions, codes, tokens and keys; no web framework."""
