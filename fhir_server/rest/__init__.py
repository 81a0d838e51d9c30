"""The HTTP side: routing to interactions, negotiation, limits, errors, and nothing that knows about SQL."""
