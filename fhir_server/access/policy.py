"""A policy: what one grant may see and do, as a gate before interactions, as SQL, and as a look at each row.

Deny by default: a type that no scope names, a row that nobody owns, an operation that no row lists are closed.
Source: http://hl7.org/fhir/R4/security.html, https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from fhir_server.access import current
from fhir_server.access.arguments import LITERALS, Arguments, Condition
from fhir_server.access.belongs import table
from fhir_server.access.grant import OPEN, SYSTEM, Grant
from fhir_server.access.operations import needs
from fhir_server.access.reach import NOWHERE, Patients, agreed, within
from fhir_server.storage.rows import Row, type_name, type_number
from fhir_server.storage.veil import Veil
from resources.definitions import definitions
from resources.outcome import FhirError

SEEING = "rs"
"""Whoever may read or search a type sees its resources: both hand them out whole."""

LETTERS: Mapping[str, str] = {
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "search-type": "s",
    "search-system": "s",
    "search-compartment": "s",
    "history-type": "s",
    "history-system": "s",
    "create": "c",
    "update": "u",
    "patch": "u",
    "delete": "d",
}
"""The letter of a scope that an interaction needs."""

FREE = frozenset({"capabilities", "transaction"})
"""Interactions that need none: what anybody may know, and what is asked for entry by entry."""


class Consents(Protocol):
    """What patients' consents leave of what scopes and roles allow, `until` some second since 1970 (0: for good)."""

    everything: bool
    until: float
    veil: Veil | None

    @property
    def writing(self) -> Consents | None:
        """What consents leave of writes, None where that is what they leave of reads."""
        ...

    def where(self, sql: Arguments, row: str, version: bool = False) -> str:
        """Return the condition that consent lets a row (of `resource_version`) be seen; empty where each may be."""
        ...

    def permits(self, row: Row) -> bool | None:
        """Whether consent lets a row be seen, None where only the database can tell."""
        ...


class StalePolicyError(Exception):
    """What a policy was compiled from has changed: whoever asked has to ask again under a new one."""


class Nothing:
    """No consent has anything to say."""

    veil: Veil | None = None
    writing: Consents | None = None
    everything = True
    until = 0.0

    def where(self, sql: Arguments, row: str, version: bool = False) -> str:  # noqa: ARG002
        """Return the condition that each row passes."""
        return ""

    def permits(self, row: Row) -> bool | None:  # noqa: ARG002
        """Whether a row may be seen: it may."""
        return True


class Way(msgspec.Struct, frozen=True):
    """One way to the resources of a type: a scope, as far as roles let it reach.

    Shape:  `actions` some of 'cruds'; `condition` of a granular scope, None without one
    """

    actions: str
    patients: Patients
    condition: Condition | None = None

    @property
    def whole(self) -> bool:
        """Whether it leads to every resource of the type."""
        return self.patients is None and self.condition is None


Ways = Mapping[str, Sequence[Way]]


class Policy:
    """What one grant may see and do.

    Shape:  `ways` by type, None: everything; `administers` says that it may run the server; `epoch` is the one that it
            was compiled under, where nobody has looked yet whether that is in force (0: somebody has)
    """

    __slots__ = ("_compiled", "_ways", "administers", "consents", "epoch", "grant", "ways")

    def __init__(
        self, grant: Grant, ways: Ways | None, consents: Consents | None = None, *, administers: bool = False
    ) -> None:
        self.grant = grant
        self.ways = ways
        self.consents: Consents = consents or Nothing()
        self.administers = administers
        self.epoch = 0
        self._ways: dict[tuple[str, str], list[Way]] = {}
        self._compiled: dict[int, frozenset[int] | Literal[True] | None] = {}

    def fresh(self, grant: Grant | None = None, epoch: int = 0) -> Policy:
        """Return the same policy for another request: of a token of the same rights, with what these were raised to."""
        other = Policy.__new__(Policy)
        other.grant = self.grant
        if grant is not None:
            own = self.grant
            raised = {"elevations": own.elevations, "acting_for": own.acting_for, "roles": own.roles}
            other.grant = msgspec.structs.replace(grant, **raised)
        other.ways, other.consents, other.administers = self.ways, self.consents, self.administers
        other._compiled, other._ways = self._compiled, self._ways
        other.epoch = epoch
        return other

    @property
    def veil(self) -> Veil | None:
        """What takes elements out of all that is read, None where nothing is taken out."""
        return self.consents.veil

    @property
    def unbounded(self) -> bool:
        """Whether nothing is held back: this program itself, or open mode."""
        return self.ways is None

    def allows(self, letter: str, type_name: str = "") -> bool:
        """Whether any scope has `letter` for a type (for some type, where none is named)."""
        if self.ways is None:
            return True
        of_type = self.ways.get(type_name, ()) if type_name else (w for ws in self.ways.values() for w in ws)
        return any(letter in way.actions for way in of_type)

    def whole(self, type_name: str, letters: str = SEEING) -> bool:
        """Whether every resource of a type may be seen (or written, by `letters`)."""
        if self.ways is None:
            return True
        ways = self.ways.get(type_name, ())
        asked = [self.consents, self.consents.writing if set(letters) - set(SEEING) else None]
        agreed_to = all(one is None or one.everything for one in asked)
        return (agreed_to or self.administers) and any(
            one.whole and set(letters).intersection(one.actions) for one in ways
        )

    def require(self, interaction: str, type_name: str = "", operation: str = "") -> None:
        """Raise FhirError 403 unless the interaction, or the operation, is granted for the type.

        Shape:  of a search within a compartment the type is that of what is searched, empty for all
        """
        if self.ways is None or interaction in FREE:
            return
        if interaction == "operation":
            self._require_operation(type_name, operation)
        elif interaction.startswith("job-"):
            self._require_administration(interaction)
        else:
            letter = LETTERS.get(interaction, "")
            if not letter or not self.allows(letter, type_name):
                what = f"{type_name or 'any type'}.{letter or '?'}"
                raise forbidden(f"This token does not allow '{interaction}' here: it has no scope for {what}")

    def _require_operation(self, type_name: str, operation: str) -> None:
        found = needs(operation, type_name)
        if found is None or found.needs == "admin":
            self._require_administration(operation)
        elif found.needs:
            of_type = found.type or type_name
            if not any(self.allows(letter, of_type) for letter in found.needs):
                raise forbidden(f"This token has no scope for {operation} on {of_type or 'the system'}")

    def _require_administration(self, what: str) -> None:
        if not self.administers:
            raise forbidden(f"{what} is for those who run the server")

    def where(
        self,
        sql: Arguments | None,
        type_name: str,
        row: str,
        letters: str = SEEING,
        *,
        writes: bool = False,
        kept: bool = False,
    ) -> str:
        """Return the condition that a row may be seen; empty where each may be.

        Shape:  `type_name` empty means any; `sql` None writes values out; `writes` asks for rows that may be written,
                which are nobody's whom the grant cannot write for; `kept` for a row of `resource_version`
        """
        if self.ways is None:
            return ""
        values = sql if sql is not None else LITERALS
        if type_name:
            own = self._of_type(values, type_name, row, letters, writes=writes, kept=kept)
        else:
            own = self._of_any(values, row, letters, writes=writes, kept=kept)
        if own == NOWHERE:
            return own
        found = [own, self._agreed(values, type_name, row, kept=kept)]
        if writes and self.consents.writing is not None:
            found.append(self.consents.writing.where(values, row, kept))
        return " AND ".join(f"({one})" for one in found if one)

    def _agreed(self, sql: Arguments, type_name: str, row: str, *, kept: bool) -> str:
        """Return the condition that patients' consents let a row be seen, and those through whom it belongs."""
        if self.consents.everything:
            return ""
        found = [self.consents.where(sql, row, kept)]
        for name in () if kept else (type_name,) if type_name else self.ways or ():
            through = agreed(table()[name], row, lambda other: self.consents.where(sql, other) or "true")
            if through:
                found.append(through if type_name else f"{row}.type <> {type_number(name)} OR ({through})")
        return " AND ".join(f"({one})" for one in found if one)

    def _of_type(self, sql: Arguments, name: str, row: str, letters: str, *, writes: bool, kept: bool) -> str:
        found: list[str] = []
        for way in self._merged(name, letters):
            conditions = [within(sql, name, row, way.patients, writes=writes, kept=kept)]
            if way.condition is not None:
                conditions.append(NOWHERE if kept else way.condition(sql, row))
            both = " AND ".join(f"({one})" for one in conditions if one)
            if not both:
                return ""
            found.append(both)
        return " OR ".join(found) or NOWHERE

    def _of_any(self, sql: Arguments, row: str, letters: str, *, writes: bool, kept: bool) -> str:
        alike: dict[Any, list[str]] = {}
        for name in self.ways or ():
            ways = self._merged(name, letters)
            if ways:
                rule = table()[name]
                key = (rule.whose, rule.otherwise, name if rule.whose == "via" else "", tuple(ways))
                alike.setdefault(key, []).append(name)
        if len(alike) == 1 and len(next(iter(alike.values()))) == len(definitions().resource_types):
            return self._of_type(sql, next(iter(alike.values()))[0], row, letters, writes=writes, kept=kept)
        found = []
        for names in alike.values():
            one = self._of_type(sql, names[0], row, letters, writes=writes, kept=kept)
            numbers = ", ".join(str(type_number(name)) for name in names)
            found.append(f"({row}.type IN ({numbers}){f' AND ({one})' if one else ''})")
        return " OR ".join(found) or NOWHERE

    def _merged(self, name: str, letters: str) -> list[Way]:
        """Return the ways to a type by any of `letters`: those without a condition as one, which covers the others."""
        found = self._ways.get((name, letters))
        if found is None:
            found = self._ways[name, letters] = self._merge(name, letters)
        return found

    def _merge(self, name: str, letters: str) -> list[Way]:
        ways = [one for one in (self.ways or {}).get(name, ()) if set(letters).intersection(one.actions)]
        plain = [one.patients for one in ways if one.condition is None]
        if any(patients is None for patients in plain):
            return [Way(letters, None)]
        merged = tuple(sorted({rid for patients in plain for rid in patients or ()}))
        first = [Way(letters, merged)] if plain else []
        return [*first, *(Way(letters, one.patients, one.condition) for one in ways if one.condition)]

    def verdict(self, row: Row) -> bool | None:
        """Whether a row may be seen, None where only the database can tell."""
        if self.ways is None:
            return True
        number = row.type
        if number not in self._compiled:
            self._compiled[number] = self._compile(type_name(number))
        reach = self._compiled[number]
        if reach is None:
            return None
        if reach is not True and not _names(row, reach):
            return False
        return True if self.consents.everything else self.consents.permits(row)

    def _compile(self, name: str) -> frozenset[int] | Literal[True] | None:
        """Return the patients whose rows of a type may be seen, True: every row; None where that is not all."""
        rule = table()[name]
        ways = self._merged(name, SEEING)
        if len(ways) > 1 or any(one.condition for one in ways):
            return None
        if rule.whose == "via" and ways and not self.consents.everything:
            return None
        if ways and (ways[0].patients is None or rule.whose == "shared"):
            return True
        if ways and (rule.whose == "via" or rule.otherwise):
            return None
        return frozenset(ways[0].patients or ()) if ways and rule.whose != "nobody" else frozenset()

    def writes_for(self, type_name: str, letters: str) -> Patients:
        """Return the patients whose resources of a type may be written; None: everybody's, and what is nobody's."""
        found: set[int] = set()
        for way in self._merged(type_name, letters):
            if way.patients is None:
                return None
            found.update(way.patients)
        return None if self.ways is None else tuple(sorted(found))

    def owned_by(self, sql: Arguments, type_name: str, row: str, writer: str, letters: str) -> str:
        """Return the condition that a row of a type belongs to whom `writer`, another type, may be written for."""
        return within(sql, type_name, row, self.writes_for(writer, letters))

    def confirm(self, epoch: int) -> None:
        """Take note of the epoch in force; raises StalePolicyError where it is not the policy's any more."""
        if self.epoch not in (0, epoch):
            raise StalePolicyError
        self.epoch = 0

    def sees(self, row: Row) -> bool:
        """Whether a row may leave, as far as its columns tell; whose it is is noted."""
        if self.verdict(row) is False:
            return False
        self.note(row)
        return True

    def note(self, row: Row) -> None:
        """Note whose data leave."""
        current.note([row])

    def patients(self, types: Iterable[str]) -> tuple[int, ...] | None:
        """Return the patients whose rows alone, of all of `types`, may be seen; None where that is not all there is.

        Shape:  what of searches is led by these; rows with `owners` are to be looked for, too
        """
        if self.ways is None:
            return None
        found: set[int] = set()
        for name in types:
            rule = table()[name]
            ways = self._merged(name, SEEING)
            if not ways:
                continue
            if rule.whose in ("shared", "via") or rule.otherwise:
                return None
            for way in ways:
                if way.patients is None:
                    return None
                found.update(way.patients)
        return tuple(sorted(found))


def _names(row: Row, reach: frozenset[int]) -> bool:
    return row.pid in reach if row.owners is None else not reach.isdisjoint(row.owners)


def forbidden(text: str) -> FhirError:
    """Return the answer to what a token has no scope for."""
    challenge = 'Bearer realm="fhir", error="insufficient_scope"'
    return FhirError(403, "forbidden", text, headers={"WWW-Authenticate": challenge})


UNBOUND = Policy(SYSTEM, None, administers=True)
"""What this program does for itself."""

OPENED = Policy(OPEN, None, administers=True)
"""What anybody may do in open mode."""
