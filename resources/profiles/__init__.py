"""StructureDefinitions, made whole and compiled into the trees that validation walks."""
