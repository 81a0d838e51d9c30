"""The FHIR server: rest → interactions → bundle → search → storage."""
