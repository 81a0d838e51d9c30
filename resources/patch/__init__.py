"""Patches: JSON Patch, FHIRPath Patch and XML Patch, each from a resource to a new resource."""

from resources.patch.fhirpath_patch import fhirpath_patch
from resources.patch.json_patch import json_patch
from resources.patch.xml_patch import xml_patch

__all__ = ["fhirpath_patch", "json_patch", "xml_patch"]
