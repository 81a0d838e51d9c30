"""`_list`: the resources that a List holds. Source: http://hl7.org/fhir/R4/search.html#list"""

from __future__ import annotations

from fhir_server.search import plan
from fhir_server.search.param import TypeSearch
from fhir_server.search.sql import Sql, Test
from fhir_server.search.values import split, unescape
from fhir_server.storage.rows import param_id, type_number
from resources.outcome import FhirError

_RANK = 20


def read(_known: TypeSearch, value: str) -> Test:
    """Return the test that a resource is an item of any of the Lists whose ids `value` names.

    Errors: 400 not-supported for the functional lists (`$current-…`): what is on them R4 leaves to each system
    """
    ids = [unescape(part).strip().removeprefix("List/") for part in split(value, ",") if part.strip()]
    functional = next((id_ for id_ in ids if id_.startswith("$")), None)
    if functional is not None:
        text = f"The list '{functional[:60]}' is not kept here: name a List by its id"
        raise FhirError(400, "not-supported", text)

    def rids(sql: Sql) -> str:
        seen = plan.visible("List", "l", sql)
        lists = f"l.type = {type_number('List')} AND l.id = ANY({sql.texts(ids)}) AND l.tail IS NOT NULL"
        lists += f" AND {seen}" if seen else ""
        found = f"SELECT l.rid FROM resource l WHERE {lists}"
        return f"SELECT e.dst FROM edge e WHERE e.param = {param_id('List', 'item')} AND e.src = ANY(ARRAY({found}))"

    return Test(lambda sql, row: f"{row}.rid IN ({rids(sql)})", _RANK, rids)
