"""A server's own CapabilityStatement beside those of an installed guide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir_server.packages.check import Lack, definitions_of, lacks
from fhir_server.packages.client import Client
from fhir_server.packages.marks import SYSTEM

Json = dict[str, Any]

KIND = "CapabilityStatement"


def compared(client: Client, guide: str) -> Iterator[tuple[str, list[Lack]]]:
    """Yield (canonical, what this server lacks) for each statement for servers.

    Shape:  `guide` is name@version of an installed package, or the url of a stored CapabilityStatement
    """
    own = client.read("metadata")
    param, value = ("url", guide) if "/" in guide else ("_tag", f"{SYSTEM}|{guide}")
    for statement in list(client.search(KIND, [(param, value)])):
        if any(rest.get("mode") == "server" for rest in statement.get("rest", ())):
            yield statement["url"], lacks(statement, own, _derived(client, statement))


def _derived(client: Client, statement: Json) -> dict[str, str]:
    """Return what the search parameters of a statement are derived from, by url."""
    found = client.find("SearchParameter", "url", sorted(definitions_of(statement)))
    return {one["url"]: one["derivedFrom"] for one in found if "derivedFrom" in one}
