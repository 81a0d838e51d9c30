"""An independent reading of R4 search: brute force over plain JSON, importing nothing of this project.

It reads the official package's definitions itself, extracts values with `fhirpathpy`, and matches by code written from
http://hl7.org/fhir/R4/search.html. Where R4 leaves a choice, it follows docs/decisions/0010-search-statements.md.
`test_independent.py` holds it to importing nothing of ours.
"""
