"""An independent reading of who may see what: brute force over plain JSON, importing nothing of this project.

Written from R4's Patient compartment (http://hl7.org/fhir/R4/compartmentdefinition-patient.html), SMART App Launch 2.2
(scopes) and docs/security.md. It knows the types and elements that the worlds of these tests have, and no others.
"""
