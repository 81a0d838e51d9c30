"""Put the elements of a patched resource into the order that FHIR XML prescribes.

RFC 5261 adds a child as the last one, unless told otherwise; in a resource that is seldom its place.
"""

from __future__ import annotations

from lxml import etree

from resources.definitions import TypeDef, definitions
from resources.patch.xml_nodes import Element, is_element

_RESOURCES = frozenset({"Resource", "DomainResource"})


def put_in_order(resource: Element) -> None:
    """Sort the FHIR elements below `resource`, those of one name keeping their order; unknown ones come last.

    Shape:  comments and processing instructions, which a resource does not keep, may get lost
    """
    name = etree.QName(resource).localname
    if definitions().is_resource(name):
        _sort(resource, definitions().type(name))


def _sort(parent: Element, typedef: TypeDef) -> None:
    places = {key: place for place, key in enumerate(typedef.by_json)}
    children = [(child, etree.QName(child).localname) for child in parent if is_element(child)]
    ordered = sorted(children, key=lambda found: places.get(found[1], len(places)))
    if ordered != children:
        parent[:] = [child for child, _ in ordered]
    for child, name in ordered:
        if name in typedef.by_json:
            _sort_below(child, typedef.by_json[name][1])


def _sort_below(child: Element, type_name: str) -> None:
    if type_name in _RESOURCES:
        for resource in child:
            put_in_order(resource)
    elif type_name != "xhtml" and len(child):
        _sort(child, definitions().type(type_name))
