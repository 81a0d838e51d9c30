"""What a person allowed an app, as it is kept with a code and with the tokens that come of it."""

from __future__ import annotations

from typing import Any

import msgspec

from fhir_server.access import scopes
from fhir_server.auth.words import OFFLINE, ONLINE


class Allowed(msgspec.Struct, kw_only=True):
    """What was allowed.

    Shape:  `scopes` as granted, normalized; `asked` as the app said them; `patient` and `encounter` are ids; `context`
            is what else the token answer tells (need_patient_banner, intent, fhirContext)
    """

    account: str = ""
    session: str = ""
    user: str = ""
    name: str = ""
    scopes: list[str] = []
    asked: list[str] = []
    patient: str = ""
    encounter: str = ""
    context: dict[str, Any] = {}
    nonce: str = ""
    auth_time: int = 0
    amr: list[str] = []
    roles: list[str] = []
    acting_for: list[str] = []
    purpose: str = ""

    @property
    def access(self) -> str:
        """Until when the app may have new tokens: offline, online (as long as the session), or '' not at all."""
        if OFFLINE in self.scopes:
            return "offline"
        return "online" if ONLINE in self.scopes else ""

    def told(self, granted: list[str]) -> str:
        """Return scopes as the app is told of them: in its own words where it got exactly what it asked for."""
        words: dict[str, str] = {}
        for said in self.asked:
            words.setdefault(next(iter(scopes.normalized([said]))), said)
        return " ".join(words.get(one, one) for one in granted)


def dumped(allowed: Allowed) -> dict[str, Any]:
    """Return what is stored."""
    kept: dict[str, Any] = msgspec.to_builtins(allowed)
    return kept


def loaded(kept: Any) -> Allowed:
    """Return what was stored."""
    return msgspec.convert(kept, Allowed)
