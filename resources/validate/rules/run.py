"""One validation under way: what was said so far, and where each resource stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from msgspec import structs

from resources.fhirpath.environment import Environment, Limits
from resources.fhirpath.model import kind_of
from resources.fhirpath.ports import PORTS
from resources.fhirpath.values import Node
from resources.outcome import FhirError, Issue, Severity
from resources.profiles.nodes import Structure
from resources.validate.asks import PENDING, Asks, Coded, Pending, Target, Verdict
from resources.validate.explain import MAX_ISSUES
from resources.validate.messages import MESSAGES, issue
from resources.validate.options import Options
from resources.validate.rules.scopes import Scope

Json = dict[str, Any]
Conforms = Callable[["Run", Any, str, str], bool | None]

LIMITS = Limits(steps=2_000_000, seconds=10.0)
"""What one invariant may cost in steps, and all of a validation together in seconds."""
MAX_PLACES = 100
"""The most places that one issue about a code system that is not loaded tells."""
_MAX_CODES = 5
_UNLOADED = "code-unknown-system"
MAX_INSIDE = 16
"""Profiles that are looked at because of each other."""


class FullError(Exception):
    """As many errors were found as we list; other issues beyond the limit are left out without an end."""


class PendingError(Exception):
    """An expression asked for what is not at hand yet."""


class Frame:
    """A resource on the way down: where it stands, and what its expressions see.

    Shape:  `path` is that of the resource; `container` the frame of the resource that contains it, itself where
            none does; `scope` is what references inside of it can point at
    """

    __slots__ = ("container", "env", "path", "resource", "scope", "type")

    def __init__(self, run: Run, resource: Json, path: str, scope: Scope, container: Frame | None) -> None:
        self.resource = resource
        self.path = path
        self.scope = scope
        self.type: str = resource["resourceType"]
        self.container: Frame = container or self
        root = Node(resource, kind_of(self.type))
        outer = root if container is None else container.env.root
        self.env: Environment = Environment(root, {"rootResource": outer}, run.resolver(self), LIMITS)
        self.env.ports = run.ports


def _coded(value: Any, valueset: str) -> Iterator[Coded]:
    """Yield the questions whether a code, Coding or CodeableConcept is in a value set."""
    if type(value) is str:
        yield Coded(valueset, None, value)
    elif type(value) is dict and "coding" in value:
        for each in value["coding"]:
            yield from _coded(each, valueset)
    elif type(value) is dict and "code" in value:
        yield Coded(valueset, str(value.get("system", "")), str(value["code"]), str(value.get("version", "")))


class Watched:
    """The asks of a run, which notes that an answer is still awaited."""

    __slots__ = ("_asks", "_run")

    def __init__(self, asks: Asks, run: Run) -> None:
        self._asks = asks
        self._run = run

    def structure(self, canonical: str, /) -> Structure | Pending | None:
        """Return what the asks answer."""
        answer = self._asks.structure(canonical)
        if answer is PENDING:
            self._run.waiting = True
        return answer

    def coded(self, question: Coded, /) -> Verdict | Pending:
        """Return what the asks answer."""
        answer = self._asks.coded(question)
        if answer is PENDING:
            self._run.waiting = True
        return answer

    def target(self, reference: str, /) -> Target | Pending | None:
        """Return what the asks answer."""
        answer = self._asks.target(reference)
        if answer is PENDING:
            self._run.waiting = True
        return answer


class Run:
    """A validation: `say` notes an issue (once), `structure` asks for a profile, `conforms` tries one out.

    Shape:  `misshapen`: the structure has errors; `broken` are the paths of what cannot be read for that, `above` those
            of what they lie in
    """

    def __init__(self, asks: Asks, options: Options, root: Json, conforms: Conforms) -> None:
        self.asks = Watched(asks, self)
        self.options = options
        self.root = root
        self.issues: list[Issue] = []
        self.frames: dict[int, Frame] = {}
        self.checked: set[tuple[str, str]] = set()
        self.inside = 0
        self.waiting = False
        self.misshapen = False
        self.broken: frozenset[str] = frozenset()
        self.above: frozenset[str] = frozenset()
        self.limited = False
        self.seconds = LIMITS.seconds
        self._asides = 0
        self._said: set[tuple[str, str, str]] = set()
        self._unloaded: dict[str, tuple[int, dict[str, str]]] = {}
        self._verdicts: dict[tuple[int, str], bool | None] = {}
        self._kept: list[Any] = []
        self._conforms = conforms
        self.ports = replace(PORTS, member_of=self._is_member, conforms_to=self._fits)

    def say(
        self, message_id: str, path: str, /, *, severity: Severity | None = None, **facts: object
    ) -> None:
        """Note the message of the element at `path`, unless it was said already."""
        if message_id == _UNLOADED and self._joins(str(facts["why"]), path, str(facts["code"])):
            return
        told = severity or MESSAGES[message_id].severity
        if told != "error" and self._asides >= MAX_ISSUES:
            self.limited = True
            return
        self.repeat(issue(message_id, path, told, **facts))

    def _joins(self, why: str, path: str, code: str) -> bool:
        """Whether a code cannot be told for a reason that was told before: then that issue gets one more place."""
        known = self._unloaded.get(why)
        if known is None:
            self._unloaded[why] = len(self.issues), {path: code}
            return False
        if len(known[1]) < MAX_PLACES:
            known[1].setdefault(path, code)
        return True

    def join(self) -> None:
        """Let each issue about a code system that is not loaded tell all of its places."""
        for why, (at, places) in self._unloaded.items():
            if len(places) > 1 and at < len(self.issues) and self.issues[at].id == _UNLOADED:
                codes = list(dict.fromkeys(places.values()))
                more = f" and {len(codes) - _MAX_CODES} more" if len(codes) > _MAX_CODES else ""
                listed = ", ".join(codes[:_MAX_CODES]) + more
                named = f"each of {listed}" if len(codes) > 1 else listed
                told = issue(_UNLOADED, "", self.issues[at].severity, code=named, why=why)
                self.issues[at] = structs.replace(told, expression=tuple(places))

    def repeat(self, told: Issue) -> None:
        """Note an issue, unless it was said already."""
        key = (told.id, told.expression[0] if told.expression else "", told.text)
        if key in self._said:
            return
        if told.severity != "error":
            self._asides += 1
        elif len(self.issues) - self._asides >= MAX_ISSUES:
            self.limited = True
            raise FullError
        self._said.add(key)
        self.issues.append(told)

    def structure(self, canonical: str) -> Structure | None:
        """Return the structure of a canonical; None where it is unknown, or not at hand yet (`waiting` is set)."""
        found = self.asks.structure(canonical)
        return None if found is PENDING else found

    def is_broken(self, path: str) -> bool:
        """Whether the shape of the element at `path`, or of something in it, is wrong already."""
        return path in self.broken or path in self.above

    @contextmanager
    def apart(self) -> Iterator[list[Issue]]:
        """Collect what is said inside in a list of its own."""
        kept = self.issues, self._said, self.checked, self._asides, self._unloaded
        waiting, self.waiting = self.waiting, False
        self.issues, self._said, self.checked, self._asides, self._unloaded = [], set(), set(), 0, {}
        try:
            yield self.issues
        except FullError:
            pass
        finally:
            self.issues, self._said, self.checked, self._asides, self._unloaded = kept
            self.waiting = waiting or self.waiting

    def conforms(self, value: Any, canonical: str, code: str = "") -> bool | None:
        """Return whether a resource (or value of type `code`) conforms to a profile, None where that is open (yet)."""
        key = (id(value), canonical)
        if key not in self._verdicts:
            self._kept.append(value)
            self._verdicts[key] = True  # what is being looked at does not refute itself
            code = code or str(value.get("resourceType"))
            self._verdicts[key] = self._conforms(self, value, canonical, code)
        return self._verdicts[key]

    def frame(self, resource: Json, path: str, outer: Frame | None, contained: bool, url: str = "") -> Frame:
        """Return the frame of a resource, made when it is first met."""
        found = self.frames.get(id(resource))
        if found is None:
            self._kept.append(resource)
            scope = Scope(resource, path, outer.scope if outer is not None else None, url)
            found = Frame(self, resource, path, scope, outer if contained else None)
            self.frames[id(resource)] = found
        return found

    def _fits(self, value: Any, canonical: str) -> bool | None:
        """Return what `conformsTo()` answers."""
        if type(value) is not dict or "resourceType" not in value:
            return None
        return self.conforms(value, canonical)

    def _is_member(self, value: Any, valueset: str) -> bool:
        """Return what `memberOf()` answers; where it cannot be told, the expression cannot be evaluated."""
        verdicts = [self.asks.coded(each) for each in _coded(value, valueset)]
        if PENDING in verdicts:
            raise PendingError
        known = [each for each in verdicts if each is not PENDING]
        if any(each.member for each in known):
            return True
        if unknown := [each.text for each in known if each.member is None]:
            raise FhirError(400, "not-supported", unknown[0])
        return False

    def resolver(self, frame: Frame) -> Callable[[str], Json | None]:
        """Return what `resolve()` calls for a reference out of the resource of `frame`."""

        def resolve(reference: str) -> Json | None:
            if (inside := frame.scope.find(reference)) is not None:
                return inside
            found = self.asks.target(reference)
            if found is PENDING:
                raise PendingError
            return found.resource if found is not None else None

        return resolve
