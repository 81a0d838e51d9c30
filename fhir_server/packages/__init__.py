"""FHIR packages: installed, listed, removed."""
