"""What this program is called and which release it is."""

from __future__ import annotations

NAME = "Health Buddy"
VERSION = "0.1.0"
RELEASED = "2026-11-22"
"""The day of this release; CapabilityStatement.date."""

CANONICAL = "urn:health-buddy:fhir"
"""What the canonical urls of our own definitions begin with: a name, since no web address is promised."""
