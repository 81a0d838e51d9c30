"""What a rule is given: somewhere to say what is wrong, and somewhere to ask."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from resources.outcome import Severity
from resources.validate.asks import Asks

Json = dict[str, Any]


class Choices(Protocol):
    """The options that rules look at."""

    @property
    def references(self) -> Literal["none", "type", "exists"]:
        """How far references are followed."""
        ...

    @property
    def best_practice(self) -> bool:
        """Whether what is only recommended is told too."""
        ...


class Run(Protocol):
    """One validation of one resource."""

    @property
    def asks(self) -> Asks:
        """Where answers come from."""
        ...

    @property
    def options(self) -> Choices:
        """What was asked for."""
        ...

    def say(
        self, message_id: str, path: str, /, *, severity: Severity | None = None, **facts: object
    ) -> None:
        """Note the message of the element at `path`."""
        ...
