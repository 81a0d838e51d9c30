"""What a write has to pass beyond the gate: refused, warned of, or tagged where it does not conform.

The gate itself (structure, required codes) holds always: what it refuses cannot be indexed. With the policy `gate`,
which is the default, nothing here is asked.

Source: http://hl7.org/fhir/R4/validation.html, http://hl7.org/fhir/R4/resource.html#Meta
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_server.conformance import consents
from fhir_server.conformance.validating import UNKNOWN, Job, validated_all
from fhir_server.exchange import Session
from fhir_server.version import CANONICAL
from resources.outcome import FhirError, Issue
from resources.validate.messages import issue
from resources.validate.options import Options

if TYPE_CHECKING:
    from fhir_server.settings import Settings

Json = dict[str, Any]

TAG = {
    "system": f"{CANONICAL}/CodeSystem/validation",
    "code": "not-conforming",
    "display": "Does not conform",
}
"""The tag of a resource that was saved although it does not conform."""


def asks_more(session: Session) -> bool:
    """Whether any type has another policy than `gate`."""
    settings = session.server.settings
    return settings.validation != "gate" or bool(settings.validation_types)


async def judged(session: Session, resource: Json, *, size: int = 0, base: str = "") -> list[Issue]:
    """Return what there is to say of a resource that is about to be written; the policy `tag` marks it.

    Errors: 422 with every issue where its type's policy is `reject` and it does not conform
    """
    if not asks_more(session):
        return consents.warnings(resource)
    (found,) = await judged_all(session, [resource], size=size, base=base)
    if isinstance(found, FhirError):
        raise found
    return found


async def judged_all(
    session: Session,
    resources: Sequence[Json],
    *,
    size: int = 0,
    base: str = "",
    inside: Mapping[str, Json | None] | None = None,
) -> list[list[Issue] | FhirError]:
    """Return what there is to say of each resource, as `judged` for one; the error is that of the resource alone.

    Shape:  `inside` are resources that the same transaction writes, by `Type/id`; None: that it deletes
    """
    settings = session.server.settings
    policies = [settings.policy(str(one.get("resourceType"))) for one in resources]
    looked = [resource for resource, policy in zip(resources, policies, strict=True) if policy != "gate"]
    said = iter(await weighed(session, looked, size=size, base=base, inside=inside) if looked else ())
    found = [
        _carried_out(policy, resource, next(said)) if policy != "gate" else []
        for resource, policy in zip(resources, policies, strict=True)
    ]
    return [
        one if isinstance(one, FhirError) else [*one, *consents.warnings(resource)]
        for one, resource in zip(found, resources, strict=True)
    ]


async def weighed(
    session: Session,
    resources: Sequence[Json],
    *,
    profiles: tuple[str, ...] = (),
    size: int = 0,
    base: str = "",
    inside: Mapping[str, Json | None] | None = None,
) -> list[list[Issue]]:
    """Return what the settings' rules and `profiles` say of each resource."""
    settings = session.server.settings
    jobs = [_jobs(one, settings, profiles) for one in resources]
    flat = [job for listed in jobs for job in listed]
    found = iter(await validated_all(session, flat, size=size, base=base, inside=inside))
    return [
        _claims(_fitting(listed, [next(found) for _ in listed]), settings.validation_meta_profile)
        for listed in jobs
    ]


def _jobs(resource: Json, settings: Settings, profiles: tuple[str, ...]) -> list[Job]:
    """Return the validations of a resource: one for each profile of which it must conform to one."""
    options = Options(
        profiles=profiles,
        references=settings.validation_references,
        best_practice=settings.validation_best_practice,
        claims=settings.validation_meta_profile != "ignore",
    )
    required = settings.validation_profiles.get(str(resource.get("resourceType")), ())
    return [
        Job(resource, replace(options, profiles=(*profiles, one))) for one in required if one not in profiles
    ] or [Job(resource, options)]


def _fitting(jobs: Sequence[Job], found: Sequence[list[Issue]]) -> list[Issue]:
    """Return the issues of the profile that fits best; where none does, also which ones there are."""
    best = min(range(len(jobs)), key=lambda number: (_errors(found[number]), number))
    if len(jobs) == 1 or not _errors(found[best]):
        return found[best]
    listed = ", ".join(job.options.profiles[-1] for job in jobs)
    root = str(jobs[best].resource.get("resourceType"))
    nearest = jobs[best].options.profiles[-1]
    return [issue("profile-none-fits", root, profiles=listed, nearest=nearest), *found[best]]


def _claims(issues: list[Issue], policy: str) -> list[Issue]:
    """Return `issues`, an unknown profile in `meta.profile` being an error where that is the policy."""
    if policy != "reject":
        return issues
    return [
        msgspec.structs.replace(one, severity="error") if one.id == UNKNOWN and _is_claim(one) else one
        for one in issues
    ]


def _is_claim(one: Issue) -> bool:
    return any(".meta.profile" in path for path in one.expression)


def _errors(issues: Sequence[Issue]) -> int:
    return sum(one.severity in ("error", "fatal") for one in issues)


def _carried_out(policy: str, resource: Json, issues: list[Issue]) -> list[Issue] | FhirError:
    wrong = bool(_errors(issues))
    if policy == "reject":
        return FhirError(422, issues=issues) if wrong else issues
    if policy == "tag":
        _mark(resource, wrong)
    return [msgspec.structs.replace(one, severity="warning") if _errors([one]) else one for one in issues]


def _mark(resource: Json, wrong: bool) -> None:
    """Give the resource our tag, or take it away."""
    meta = resource.get("meta", {})
    tags = meta.get("tag", []) if isinstance(meta, dict) else None
    if not isinstance(tags, list):
        return  # the gate refuses it
    others = [one for one in tags if not isinstance(one, dict) or one.get("system") != TAG["system"]]
    others += [dict(TAG)] if wrong else []
    meta = {key: value for key, value in meta.items() if key != "tag"} | ({"tag": others} if others else {})
    resource.pop("meta", None)
    if meta:
        resource["meta"] = meta
