"""Where in the tree an element of a differential belongs: by its id where that fits, else by order.

Source: http://hl7.org/fhir/R4/elementdefinition.html#id, profiling.html#slicing
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Step = tuple[str, str]
"""The name of an element ('value[x]', 'valueQuantity'), and the slice that is meant, empty for none."""


class Places:
    """Finds the steps of one differential element after the other."""

    def __init__(self) -> None:
        self._slices: dict[str, str] = {}

    def steps(self, json: Json) -> list[Step]:
        """Return the steps from the root (left out) down to the element."""
        path, name = json["path"], json.get("sliceName", "")
        found = _by_id(json.get("id", ""), path, name)
        if found is None:
            found = self._by_order(path, name)
        self._remember(path, found)
        return found[1:]

    def _remember(self, path: str, steps: list[Step]) -> None:
        for known in [p for p in self._slices if p == path or p.startswith(path + ".")]:
            del self._slices[known]
        place = ""
        for step, name in steps:
            place = f"{place}.{step}" if place else step
            self._slices[place] = name

    def _by_order(self, path: str, name: str) -> list[Step]:
        """Return the steps where slices above are those that were named last."""
        parts = path.split(".")
        places = [".".join(parts[: n + 1]) for n in range(len(parts))]
        above = [(part, self._slices.get(place, "")) for part, place in zip(parts, places, strict=True)]
        return [*above[:-1], (parts[-1], name)]


def _by_id(id_: str, path: str, name: str) -> list[Step] | None:
    """Return the steps that an id says, None where it does not fit the path."""
    steps = [(part.partition(":")[0], part.partition(":")[2]) for part in id_.split(".")]
    if ".".join(step for step, _ in steps) != path:
        return None
    last, said = steps[-1]
    if said and name and said != name:
        return None
    return [*steps[:-1], (last, name or said)]
