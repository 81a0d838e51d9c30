"""FHIR packages as files: read, checked, their dependencies found."""
