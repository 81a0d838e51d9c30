"""FHIR resources as JSON and XML, and the summaries of them."""
