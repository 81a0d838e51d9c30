"""What is looked for in a text, and where it was found."""

from __future__ import annotations

from dataclasses import dataclass, field

Place = tuple[int, int]
"""Line and column, 1-based."""


@dataclass(slots=True, eq=False)
class Wanted:
    """An element that is looked for, with what is looked for inside.

    Shape:  `steps` by element name (of a choice without its type), `items` by index; `types` are those that ofType()
            named; `place` is set when it is found
    """

    steps: dict[str, Wanted] = field(default_factory=dict)
    items: dict[int, Wanted] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    place: Place | None = None

    def step(self, name: str) -> Wanted:
        """Return the element called `name`, added where it is new."""
        return self.steps.setdefault(name, Wanted())

    def item(self, index: int) -> Wanted:
        """Return the element with an index, added where it is new."""
        return self.items.setdefault(index, Wanted())

    def named(self, name: str) -> Wanted | None:
        """Return what a name in the text stands for: the element itself or a choice with its type."""
        found = self.steps.get(name)
        if found is not None:
            return found
        for choice, wanted in self.steps.items():
            rest = name[len(choice) :]
            if rest[:1].isupper() and name.startswith(choice) and (not wanted.types or rest in wanted.types):
                return wanted
        return None
