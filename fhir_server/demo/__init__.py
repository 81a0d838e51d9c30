"""Seeded demo data: plausible, fictional lifelines as FHIR R4 transaction bundles. Pure; see generator.generate."""

from fhir_server.demo.generator import REFERENCE_DATE, generate

__all__ = ["REFERENCE_DATE", "generate"]
