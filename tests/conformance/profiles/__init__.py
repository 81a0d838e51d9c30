"""Profiles: our snapshots beside the published ones."""
