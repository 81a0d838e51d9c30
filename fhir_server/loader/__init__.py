"""Load files of FHIR data into a running server over REST: parallel, resumable, flat in memory."""
