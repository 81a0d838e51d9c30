"""Batches and transactions: entries parsed, planned, written at once, answered in order."""
