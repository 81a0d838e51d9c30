"""How `healthbuddy validate` writes what it found: for people, as lines of JSON, as OperationOutcomes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.text import Text as Line

from resources.codec.json import dump_json
from resources.outcome import STRUCTURE, Issue, operation_outcome

_STYLES = {"fatal": "bold red", "error": "bold red", "warning": "yellow", "information": "cyan"}
_WORDS = {"fatal": "error", "information": "hint"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that was validated."""

    source: str
    issues: Sequence[Issue]


class Report(Protocol):
    """Makes lines of results."""

    def lines(self, checked: Checked) -> Iterator[Line]:
        """Yield what is written of one text."""
        ...


class _Told:
    def __init__(self, levels: Collection[str]) -> None:
        self._levels = {*levels, "fatal"}

    def told(self, checked: Checked) -> list[Issue]:
        """Return the issues that are severe enough."""
        return [issue for issue in checked.issues if issue.severity in self._levels]


class _ForPeople(_Told):
    def lines(self, checked: Checked) -> Iterator[Line]:
        for issue in self.told(checked):
            where = f":{issue.line}:{issue.column}" if issue.line is not None else ""
            line = Line(f"{checked.source}{where}: ", style="dim")
            line.append(_WORDS.get(issue.severity, issue.severity), style=_STYLES[issue.severity])
            line.append(f" {issue.text}", style="not dim")
            about = " ".join(filter(None, [", ".join(issue.expression), f"[{issue.id}]" if issue.id else ""]))
            line.append(f"  {about}" if about else "", style="dim")
            yield line


class _AsJson(_Told):
    def lines(self, checked: Checked) -> Iterator[Line]:
        for issue in self.told(checked):
            row = {
                "file": checked.source,
                "severity": issue.severity,
                "code": issue.code,
                "id": issue.id,
                "line": issue.line,
                "column": issue.column,
                "expression": list(issue.expression),
                "text": issue.text,
            }
            yield Line(dump_json(row).decode())


class _AsOutcome(_Told):
    def lines(self, checked: Checked) -> Iterator[Line]:
        outcome = operation_outcome(self.told(checked))
        outcome["extension"] = [{"url": STRUCTURE + "operationoutcome-file", "valueString": checked.source}]
        yield Line(dump_json(outcome).decode())


REPORTS: dict[str, Callable[[Collection[str]], Report]] = {
    "text": _ForPeople,
    "json": _AsJson,
    "outcome": _AsOutcome,
}
"""By the value of --format."""
