"""A search, read: what it asks for and how it wants the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fhir_server.search.context import Context
from fhir_server.search.param import Param
from fhir_server.search.scope import Scope
from fhir_server.search.sql import Test, flat
from resources.outcome import Issue

Total = Literal["none", "estimate", "accurate"]
Contained = Literal["false", "true", "both"]
ContainedType = Literal["container", "contained"]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`."""

    param: Param
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """One `_include` or `_revinclude`: the reference parameters to follow, and the only type wanted at the end.

    Shape:  with `iterate` from what was included, too
    """

    params: tuple[Param, ...]
    target: str
    reverse: bool
    iterate: bool = False


@dataclass(slots=True)
class Query:
    """A search, every part of it understood.

    Shape:  `pairs` are the parameters in force, as they go into the self link; `issues` name those that are not
    """

    scope: Scope
    tests: list[Test] = field(default_factory=list)
    sort: list[SortKey] = field(default_factory=list)
    count: int = field(default_factory=lambda: Context.page_size)
    total: Total = "none"
    only_count: bool = False
    includes: list[Include] = field(default_factory=list)
    cursor: str = ""
    contained: Contained = "false"
    contained_type: ContainedType = "container"
    pairs: list[tuple[str, str]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        """The tsqueries that say how well a match answers; none where no words were asked for."""
        return tuple(test.words for test in flat(self.tests) if test.words)

    @property
    def types(self) -> tuple[str, ...]:
        """The resource types that matches may be of."""
        return self.scope.types
