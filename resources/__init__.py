"""The R4 model, pure: definitions, codec, FHIRPath, validation, patch. Imports nothing else of this project."""
