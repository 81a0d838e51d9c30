"""Consents compiled: what a patient permits and denies, to whom, for what purpose, until when."""
