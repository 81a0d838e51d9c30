"""Our own guide as data: FHIR resources, one file each, and the package's manifest."""
