"""Provenance: one per visit for everything recorded in it, one for the registration."""

from __future__ import annotations

from fhir_server.demo import basics
from fhir_server.demo.record import Chart, Visit, shared
from fhir_server.demo.tables.codes import US_CORE_CS, Code, Json, hl7

_AUTHOR = hl7("provenance-participant-type", "author", "Author")
_TRANSMITTER = Code(US_CORE_CS + "us-core-provenance-participant-type", "transmitter", "Transmitter")
_CREATE = hl7("v3-DataOperation", "CREATE", "create")


def provenance(chart: Chart) -> None:
    """Add the Provenance resources of a finished chart; every other resource is a target of one."""
    for number, visit in enumerate(chart.visits):
        _of_visit(chart, visit, received=number % 6 == 5)
    if chart.last_dispensed:
        pharmacist = {
            "type": basics.concept(_AUTHOR),
            "who": shared("Practitioner", "pharmacist"),
            "onBehalfOf": shared("Organization", "pharmacy"),
        }
        _add(chart, chart.dispensed, basics.stamp(chart.last_dispensed), [pharmacist])
    first = min((visit.start for visit in chart.visits), default=basics.at(chart.person.end, 9))
    agents = [
        {"type": basics.concept(_AUTHOR), "who": shared("Organization", "clinic")},
        {"type": basics.concept(_TRANSMITTER), "who": basics.ref("Device/demo-record-system")},
    ]
    _add(chart, list(chart.loose), basics.stamp(first), agents)


def _of_visit(chart: Chart, visit: Visit, received: bool) -> None:
    """Add the Provenance of one visit; a received one came through the exchange."""
    author = {"type": basics.concept(_AUTHOR), "who": visit.practitioner, "onBehalfOf": visit.organization}
    agents: list[Json] = [author]
    if received:
        agents.append(
            {
                "type": basics.concept(_TRANSMITTER),
                "who": shared("Organization", "exchange"),
                "onBehalfOf": visit.organization,
            }
        )
    _add(chart, list(visit.targets), basics.stamp(max(visit.end, visit.moment(360))), agents)


def _add(chart: Chart, targets: list[str], recorded: str, agents: list[Json]) -> None:
    """Add one Provenance."""
    chart.add(
        "Provenance",
        {
            "meta": basics.profile("us-core-provenance"),
            "target": [basics.ref(target) for target in targets],
            "recorded": recorded,
            "activity": basics.concept(_CREATE),
            "agent": agents,
        },
        [],
    )
