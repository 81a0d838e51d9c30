"""A search understood: its parameters read, with what terminology and stored parameters have to say."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.exchange import Session
from fhir_server.search import codes, custom
from fhir_server.search.parse import parse
from fhir_server.search.query import Query


async def understand(session: Session, path: str, pairs: Sequence[tuple[str, str]], *, strict: bool) -> Query:
    """Return the search that `pairs` ask for below `path`.

    Errors: 400 with every problem found; 404 for a path that names nothing
    """
    return await codes.understood(
        session, lambda: custom.read(session, lambda: parse(path, pairs, strict=strict), strict=strict)
    )
