"""$graphql: FHIR resources read and searched by GraphQL queries.

Source: http://hl7.org/fhir/R4/graphql.html
"""

from __future__ import annotations

from fhir_server.operations import AROUND, Operation, register
from fhir_server.operations.graphql.handler import MIME, TEXT, graphql, onward

register(
    Operation(
        "$graphql",
        graphql,
        "http://hl7.org/fhir/OperationDefinition/Resource-graphql",
        frozenset({"system", "instance"}),
        bodies=frozenset({MIME, TEXT}),
    )
)
AROUND["_graphql"] = onward
