"""What validation asks of the outer world: profiles, codes, and what references point at.

Validation itself never waits. Where an answer is not at hand yet, `PENDING` is returned and the question remembered by
whoever answers; the rule says nothing, the answers are fetched all at once, and the resource is validated again.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from resources.profiles.nodes import Structure

Json = dict[str, Any]


class Pending(Enum):
    """The one value that says: asked, not answered yet."""

    PENDING = "pending"


PENDING = Pending.PENDING

Trouble = Literal[
    "",
    "not-in-value-set",
    "unknown-code",
    "unknown-system",
    "unknown-value-set",
    "wrong-display",
    "inactive",
    "abstract",
]


class Coded(NamedTuple):
    """A question about one code: is it in a value set, and is it what it says?

    Shape:  `valueset` is a canonical; empty asks only whether the code is in its code system; `system` is None for an
            element of type `code`, whose system the value set says
    """

    valueset: str
    system: str | None
    code: str
    version: str = ""
    display: str = ""


class Verdict(NamedTuple):
    """The answer to `Coded`.

    Shape:  `member` None: it cannot be told (`trouble` is 'unknown-system' or 'unknown-value-set', `text` says what
            is missing); `trouble` may also tell something of a member (wrong display, inactive);
            `display` is the right one where it is known
    """

    member: bool | None
    trouble: Trouble = ""
    text: str = ""
    display: str = ""


class Target(NamedTuple):
    """What a reference points at; `resource` None where it is not there or not ours to see."""

    type: str
    resource: Json | None


class Asks(Protocol):
    """Where the answers come from."""

    def structure(self, canonical: str, /) -> Structure | Pending | None:
        """Return the compiled StructureDefinition of a canonical (`url` or `url|version`), None where it is unknown."""
        ...

    def coded(self, question: Coded, /) -> Verdict | Pending:
        """Return what is known of a code."""
        ...

    def target(self, reference: str, /) -> Target | Pending | None:
        """Return what a literal reference to another resource points at, None where that is not ours to know."""
        ...
