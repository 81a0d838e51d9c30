"""When a role counts: rules on purpose, time, network and organization, as data.

A role counts while every rule of it is met; whoever has no role left that counts has no access. Rules of our own are in
attributes.json, a site's in a file of the same form (setting `access_rules`). Care teams: setting `clinician_reach`.
Source: NIST SP 800-162 (attribute based access control)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, tzinfo
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec

from fhir_server.consent.purposes import known, widened

MINUTE_S = 60.0


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: what must be so for a role to count; what is empty is not asked.

    Shape:  `purposes` of v3-ActReason and their parts; `networks` like 10.0.0.0/8; `days` 1 (Monday) to 7, `start` and
            `end` like 07:00 in the server's zone, `end` not before `start`; `organizations` like 'Organization/1'
    """

    role: str
    reason: str
    purposes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    days: tuple[int, ...] = ()
    start: str = ""
    end: str = ""
    organizations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a row that could never be met, or that means nothing."""
        for network in self.networks:
            ip_network(network)
        for moment in (self.start, self.end):
            if moment:
                datetime.strptime(moment, "%H:%M")  # noqa: DTZ007 -- a time of day
        if bool(self.start) != bool(self.end) or self.start > self.end:
            raise ValueError(f"'{self.start}' to '{self.end}' is no time of day")
        if set(self.days) - set(range(1, 8)) or not all(map(known, self.purposes)):
            raise ValueError("days are 1 to 7, purposes codes of v3-ActReason")

    @property
    def timed(self) -> bool:
        """Whether it depends on the time."""
        return bool(self.days or self.start)


class Now(msgspec.Struct, frozen=True):
    """What rules look at."""

    purpose: str
    address: str
    moment: datetime
    organizations: Collection[str] = ()


def read(path: Path) -> tuple[Rule, ...]:
    """Return the rules in a file; raises msgspec.ValidationError."""
    return tuple(msgspec.json.decode(path.read_bytes(), type=list[Rule]))


@cache
def own() -> tuple[Rule, ...]:
    """Return the rows of attributes.json."""
    return read(Path(__file__).with_name("attributes.json"))


def counting(roles: Sequence[str], rules: Sequence[Rule], now: Now) -> tuple[str, ...]:
    """Return the roles that count now."""
    return tuple(role for role in roles if all(met(rule, now) for rule in rules if rule.role == role))


def met(rule: Rule, now: Now) -> bool:
    """Whether what a rule asks is so; what nobody knows is not."""
    return (
        (not rule.purposes or bool(widened(now.purpose) & set(rule.purposes)))
        and (not rule.networks or _within(now.address, rule.networks))
        and (not rule.days or now.moment.isoweekday() in rule.days)
        and (not rule.start or rule.start <= now.moment.strftime("%H:%M") < rule.end)
        and (not rule.organizations or bool(set(rule.organizations) & set(now.organizations)))
    )


def _within(address: str, networks: Sequence[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)


def until(roles: Sequence[str], rules: Sequence[Rule], moment: datetime) -> float:
    """Return when to look again, in seconds since 1970: the next minute where time matters to any role, else 0."""
    if not any(rule.timed and rule.role in roles for rule in rules):
        return 0.0
    return moment.replace(second=0, microsecond=0).timestamp() + MINUTE_S


def at(zone: tzinfo) -> datetime:
    """Return this moment in a zone."""
    return datetime.now(zone)
