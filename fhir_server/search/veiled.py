"""Search parameters that would tell what is taken out of what somebody reads: refused by name.

Source: consent/redaction.json
"""

from __future__ import annotations

from fhir_server.search.param import Param
from fhir_server.storage.veil import VEIL

REASON = "it would tell of elements that are taken out of what you read"


def hidden(param: Param) -> str:
    """Return why a parameter cannot be asked for by whoever asks now; empty where it can."""
    veil = VEIL.get()
    return REASON if veil is not None and veil.hides(param.type, param.code) else ""
