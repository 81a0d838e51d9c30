"""How the codes that consents name are found in the index: said to `consent`, which stands below.

Source: http://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.code; rows: consent/coded.json
"""

from __future__ import annotations

from fhir_server.consent.compiled import Codes, Hashes
from fhir_server.consent.facts import coded
from fhir_server.search.params.token import coding_hashes
from fhir_server.search.registry import registry

_PAIR = 1
"""The place of the hash of system and code among those of a coding that is not posted."""


def hashes(system: str, code: str) -> Hashes:
    """Return the hashes under GIN and the posting keys of a coding, of every type that has a code."""
    tokens: set[int] = set()
    posts: set[int] = set()
    for name, rows in coded().items():
        for row in rows:
            param = registry(name).params[row.param]
            found, keys = coding_hashes(param.id, system, code, param.place == "post")
            posts.update(keys)
            tokens.update(() if keys else found[_PAIR : _PAIR + 1])
    return tuple(sorted(tokens)), tuple(sorted(posts))


def register() -> None:
    """Tell `consent` how codes are hashed."""
    Codes.hashes = staticmethod(hashes)
