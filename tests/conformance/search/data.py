"""What is searched: the specification's examples and a few patients of Synthea, under ids of their own."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from functools import cache
from typing import Any

from tests.conformance.search.edges import edges, exactly, written
from tests.conformance.search.rows import ROWS
from tests.conformance.test_r4_examples import WRONG
from tests.oracle.search import World
from tests.shared import r4_examples, shared_path

Json = dict[str, Any]

LONGEST = 150_000
"""Examples of more bytes are left out: they are long, and no other in kind."""

PATIENTS = ("hospital", "practitioner", "Liz_Conn", "Chauncey_Johnston", "Brett_Gottlieb")


@cache
def texts() -> dict[str, str]:
    """Return {'Type/id': JSON} of everything that is loaded."""
    found = {}
    for name, raw in r4_examples().items():
        if len(raw) <= LONGEST and name not in WRONG:
            one = json.loads(raw)
            found[f"{one['resourceType']}/{one['id']}"] = raw.decode()
    for name in PATIENTS:
        found.update(_synthea(name))
    found.update({f"{one['resourceType']}/{one['id']}": written(one) for one in [*ROWS, *edges()]})
    return found


def _synthea(name: str) -> dict[str, str]:
    file = next(shared_path("synthea").glob(f"{name}*.json.gz"))
    text = gzip.decompress(file.read_bytes()).decode()
    places = {}
    for entry in json.loads(text)["entry"]:
        resource = entry["resource"]
        places[entry["fullUrl"]] = f"{resource['resourceType']}/{resource['id']}"
    for url, place in places.items():
        text = text.replace(f'"{url}"', f'"{place}"')
    found = {}
    for entry in json.loads(text, parse_float=exactly)["entry"]:
        one = entry["resource"]
        found[f"{one['resourceType']}/{one['id']}"] = written(one)
    return found


@cache
def world() -> World:
    """Return the oracle's view of everything that is loaded."""
    return World(json.loads(text, parse_float=Decimal) for text in texts().values())
