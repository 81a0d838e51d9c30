"""The audit trail: written before the answer leaves, chained, signed, searchable by auditors."""
