"""What a transaction will do: every entry's target decided, links rewritten, resources checked and indexed.

A plan is made before the database transaction begins and holds all that it was based on; the transaction proves that
this still holds, or the plan is made anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from fhir_server.access import current, seen
from fhir_server.bundle.entries import Entry, located
from fhir_server.bundle.patches import patch_request
from fhir_server.changes.conditions import (
    Criteria,
    criteria,
    expect,
    if_none_exist,
    parse_criteria,
    precondition,
)
from fhir_server.changes.ids import new_id
from fhir_server.changes.patching import patched
from fhir_server.changes.prepare import Key, Prepared, link, own_id, prepare
from fhir_server.conformance.policy import asks_more, judged_all
from fhir_server.exchange import Request, Session
from fhir_server.gate import require
from fhir_server.search.custom import before_writing
from fhir_server.search.match import match_ids
from fhir_server.search.scope import require_type
from fhir_server.storage import read, write
from fhir_server.storage.read import Old
from fhir_server.storage.rows import PATCH, POST, PUT, type_number
from fhir_server.storage.write import Write
from resources.links import conditional_references, rewrite
from resources.outcome import FhirError, Issue
from resources.references import root_of

Json = dict[str, Any]
Found = tuple[tuple[int, str], ...]
_METHODS = {"POST": POST, "PUT": PUT, "PATCH": PATCH}


class Target(msgspec.Struct):
    """The resource that one entry writes.

    Shape:  `same_as` is the target that a repeated conditional create shares; `matched` is set where a conditional
            create found its resource, so that nothing is written; `deferred` are conditional references that only
            the finished bundle can answer; `issues` is what there is to say of the resource
    """

    entry: Entry
    type: str
    id: str
    condition: Criteria | None = None
    matched: bool = False
    old: Old | None = None
    resource: Json | None = None
    prepared: Prepared | None = None
    write: Write | None = None
    deferred: list[tuple[Json, Criteria]] = []
    issues: list[Issue] = []

    @property
    def key(self) -> tuple[int, str]:
        """What the resource is called in storage."""
        return type_number(self.type), self.id

    @property
    def reference(self) -> str:
        """What others call the resource."""
        return f"{self.type}/{self.id}"


class Plan(msgspec.Struct):
    """All that a transaction is about to do.

    Shape:  `targets` of writing entries, deletions first (a conditional one may have several);
            `matches` and `references` are the search results that the plan relies on; `created` is what conditional
            creates make or find; `known` are the row numbers of all that is written or referred to
    """

    entries: list[Entry]
    targets: list[Target] = []
    matches: dict[Criteria, Found] = {}
    references: dict[Criteria, Found] = {}
    created: dict[Criteria, str] = {}
    known: dict[Key, int] = {}

    @property
    def removed(self) -> list[Target]:
        """The targets that are deleted."""
        return [t for t in self.targets if t.entry.method == "DELETE"]

    @property
    def written(self) -> list[Target]:
        """The targets that get new content."""
        return [t for t in self.targets if t.entry.method != "DELETE" and not t.matched]


async def make_plan(session: Session, request: Request, entries: list[Entry]) -> Plan:
    """Return the plan for `entries`.

    Errors: 403 for what is not granted, 412 for conditions that match several resources, 400 for a resource that occurs
            twice, 404/410/412 for patches and If-Match that cannot hold, 422 with every problem of every resource
    """
    plan = Plan(entries)
    for entry in entries:
        with located(f"{entry.where}.request"):
            require(current.policy(), entry.route, entry.path)
    await _decide(session, plan)
    _refuse_repeated(plan.targets)
    await _read_old(session, request, plan)
    _rewrite_links(plan)
    await _weigh_references(session, plan)
    await before_writing(session, {target.type for target in plan.written})
    await judge(session, request, plan.written, plan.removed)
    _prepare(plan.written)
    await _draft(session, plan)
    return plan


async def _decide(session: Session, plan: Plan) -> None:
    """Give the plan its targets: deletions come first, and no other condition sees what they remove."""
    removed: dict[str, set[str]] = {}
    for entry in sorted((e for e in plan.entries if e.writes), key=lambda one: one.method != "DELETE"):
        gone = removed.get(entry.route.type, ()) if entry.method != "DELETE" else ()
        with located(f"{entry.where}.request"):
            targets = await _targets(session, entry, plan, gone)
        plan.targets += targets
        if entry.method == "DELETE":
            removed.setdefault(entry.route.type, set()).update(target.id for target in targets)


async def _targets(session: Session, entry: Entry, plan: Plan, gone: Collection[str]) -> list[Target]:
    """Return what `entry` writes, its condition weighed; `gone` are the ids that the bundle deletes."""
    kind, id_ = entry.route.type, entry.route.id
    asked = Request(entry.method, entry.path, entry.query, entry.headers)
    condition = if_none_exist(asked, kind) if entry.method == "POST" else None
    if entry.method != "POST" and not id_:
        condition = criteria(kind, entry.query)
    if condition is None:
        _check_id(entry)
        return [Target(entry, kind, id_ or new_id(), resource=entry.resource)]
    if entry.method == "POST" and condition in plan.created:
        return [Target(entry, kind, plan.created[condition], condition, matched=True)]
    found = plan.matches[condition] = await match(session, condition, entry, gone)
    if entry.method == "DELETE":
        return [Target(entry, kind, one, condition) for _, one in found]
    given = own_id(entry.resource) if entry.method == "PUT" and entry.resource else None
    if not found and entry.method == "PATCH":
        raise FhirError(404, "not-found", f"Nothing matches '{condition}'", f"{entry.where}.request.url")
    if found and given not in (None, found[0][1]):
        text = f"'{condition}' is {kind}/{found[0][1]}, but the resource's id is '{given}'"
        raise FhirError(400, "invalid", text, f"{entry.where}.resource.id")
    id_ = found[0][1] if found else given or new_id()
    if entry.method == "POST":
        plan.created[condition] = id_
    return [
        Target(entry, kind, id_, condition, bool(found) and entry.method == "POST", resource=entry.resource)
    ]


def _check_id(entry: Entry) -> None:
    """Refuse an update whose resource has another id than the URL, or none."""
    if entry.method == "PUT" and (entry.resource or {}).get("id") != entry.route.id:
        text = f"The URL says '{entry.route.id}', the resource's id is '{(entry.resource or {}).get('id')}'"
        raise FhirError(400, "invalid", text, f"{entry.where}.resource.id")


async def match(session: Session, condition: Criteria, entry: Entry, gone: Collection[str] = ()) -> Found:
    """Return what `condition` finds apart from `gone`, in order of id.

    Errors: 412 where it finds more than the entry may touch
    """
    most = session.server.settings.conditional_delete_max if entry.method == "DELETE" else 1
    found = await match_ids(session, condition.type, list(condition.pairs), limit=most + 1 + len(gone))
    kept = sorted((one for one in found if one[1] not in gone), key=lambda one: one[1])
    if len(kept) > most:
        text = f"'{condition}' matches {'more than ' + str(most) if most > 1 else 'several'} resources"
        raise FhirError(412, "multiple-matches", text, f"{entry.where}.request")
    return tuple(kept)


def _refuse_repeated(targets: list[Target]) -> None:
    seen: set[str] = set()
    issues = []
    for target in targets:
        if target.matched:
            continue  # read, not written
        if target.reference in seen:
            text = f"{target.reference} is written twice in one transaction"
            issues.append(Issue("duplicate", text, (f"{target.entry.where}.request.url",)))
        seen.add(target.reference)
    if issues:
        raise FhirError(400, issues=issues)


async def _read_old(session: Session, request: Request, plan: Plan) -> None:
    """Give every target the row that it replaces; weigh If-Match and apply patches."""
    wanted = [t for t in plan.targets if t.entry.method != "POST" and not t.matched]
    if not wanted:
        return
    async with session.connection() as conn:
        rows = await read.olds(conn, [t.key for t in wanted])
        for target in wanted:
            with located(f"{target.entry.where}.request"):
                await seen.replaceable(conn, target.type, rows.get(target.key), target.id)
    for target in wanted:
        target.old = rows.get(target.key)
        with located(f"{target.entry.where}.request"):
            await _weigh_old(target, patch_request(target.entry, request))


async def _weigh_old(target: Target, asked: Request) -> None:
    """Weigh If-Match, and apply a patch, to the row that `target` replaces."""
    old = target.old
    expect(precondition(asked), old.version if old and old.live else None, target.reference)
    if target.entry.method == "PATCH":
        target.resource = await patched(read.there(old, target.reference).json(), asked, target.type)


def _rewrite_links(plan: Plan) -> None:
    targets = [t for t in plan.targets if t.entry.full_url and t.entry.method in ("POST", "PUT")]
    links = {_folded(t.entry.full_url): t.reference for t in targets if t.entry.full_url is not None}
    versions = {t.reference: "1" for t in targets if t.entry.method == "POST" and not t.matched}
    for target in plan.written:
        if target.resource is not None:
            root = root_of(target.entry.full_url) if target.entry.full_url else None
            rewrite(target.resource, links, root=root, versions=versions)


def _folded(full_url: str) -> str:
    """Return `full_url` as links are looked up: a urn in lower case, since its letters' case says nothing."""
    return full_url.lower() if full_url[:4].lower() == "urn:" else full_url


async def _weigh_references(session: Session, plan: Plan) -> None:
    """Resolve conditional references, except those whose answer the bundle itself may change."""
    touched = {t.type for t in plan.removed} | {t.type for t in plan.written}
    for target in plan.written:
        if target.resource is None:
            continue
        for holder, text in conditional_references(target.resource):
            with located(f"{target.entry.where}.resource"):
                condition = parse_criteria(require_type(text.partition("?")[0]), text)
                chained = any("." in name or name.startswith("_has") for name, _ in condition.pairs)
                if chained or condition.type in touched:
                    target.deferred.append((holder, condition))
                    continue
                if condition not in plan.references:
                    plan.references[condition] = await match_reference(session, condition, target.entry)
                holder["reference"] = f"{condition.type}/{plan.references[condition][0][1]}"


async def match_reference(session: Session, condition: Criteria, entry: Entry) -> Found:
    """Return the one resource that a conditional reference names; raises FhirError 412 for none or several."""
    found = await match_ids(session, condition.type, list(condition.pairs), limit=2)
    if len(found) != 1:
        text = (
            f"The conditional reference '{condition}' matches {'several resources' if found else 'nothing'}"
        )
        code = "multiple-matches" if found else "not-found"
        raise FhirError(412, code, text, f"{entry.where}.resource")
    return tuple(found)


async def judge(
    session: Session, request: Request, written: Sequence[Target], removed: Sequence[Target] = ()
) -> None:
    """Weigh by the types' policies what is written; raises FhirError 422 that lists what is wrong with all of it."""
    targets = [(target, target.resource) for target in written if target.resource is not None]
    if not targets or not (asks_more(session) or any(_is_consent(resource) for _, resource in targets)):
        return
    inside: dict[str, Json | None] = {target.reference: resource for target, resource in targets}
    inside |= {target.reference: None for target in removed}
    found = await judged_all(
        session,
        [resource for _, resource in targets],
        size=len(request.body),
        base=request.base,
        inside=inside,
    )
    wrong: list[Issue] = []
    for (target, _), said in zip(targets, found, strict=True):
        issues = said.issues if isinstance(said, FhirError) else said
        target.issues = [_located(issue, target) for issue in issues]
        wrong += target.issues if isinstance(said, FhirError) else []
    if wrong:
        raise FhirError(422, issues=wrong)


def _is_consent(resource: Json) -> bool:
    return resource.get("resourceType") == "Consent"


def _prepare(targets: list[Target]) -> None:
    """Check and index every resource; raises FhirError 422 that lists the problems of all of them."""
    issues: list[Issue] = []
    for target in targets:
        try:
            target.prepared = prepare_target(target)
        except FhirError as error:
            issues.extend(error.issues)
    if issues:
        raise FhirError(422, issues=issues)


def prepare_target(target: Target) -> Prepared:
    """Return the target's resource checked and indexed; problems are located in the Bundle."""
    assert target.resource is not None
    try:
        return prepare(target.resource, target.id)
    except FhirError as error:
        issues = [_located(issue, target) for issue in error.issues]
        raise FhirError(error.status, issues=issues) from None


def _located(issue: Issue, target: Target) -> Issue:
    prefix = f"{target.entry.where}.resource"
    paths = tuple(prefix + path.removeprefix(target.type) for path in issue.expression) or (prefix,)
    return msgspec.structs.replace(issue, expression=paths)


async def _draft(session: Session, plan: Plan) -> None:
    """Make the rows of every target."""
    identities = session.store.identities
    new = [t for t in plan.written if t.old is None]
    rids = iter(await identities.allocate(len(new)) if new else ())
    pairs: list[tuple[Write, Prepared]] = []
    for target in plan.targets:
        prepared, old = target.prepared, target.old
        if target.entry.method == "DELETE":
            target.write = write.deleted(old) if old is not None and old.live else None
        elif prepared is not None:
            kind, method = target.key[0], _METHODS[target.entry.method]
            if old is None:
                one = write.created(next(rids), kind, target.id, prepared.tail, prepared.rows, method)
            else:
                one = write.replaced(old, prepared.tail, prepared.rows, method)
            target.write = one
            pairs.append((one, prepared))
    plan.known = await link(session.store, pairs, {(one.type, one.id): one.rid for one, _ in pairs})
