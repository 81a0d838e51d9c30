"""Gathers what a query asks for, level by level: all references of a level are read in one statement.

Source: http://hl7.org/fhir/R4/graphql.html#references, http://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fhir_server.operations.graphql.elements import Chooser
from fhir_server.operations.graphql.fields import shown_name
from fhir_server.operations.graphql.limits import Budget
from fhir_server.operations.graphql.plan import Branch, Field, Home, Json, Obj
from fhir_server.operations.graphql.problems import at, refused
from fhir_server.operations.graphql.reading import Found, Key, Reader
from resources.definitions import definitions
from resources.outcome import FhirError
from resources.references import Reference, parse_reference, root_of

Hole = tuple[Branch, Obj]
"""A branch whose values have to be read, and the object that it belongs to."""


class Gatherer:
    """Gathers for one request; `threaded` leaves the event loop for what FHIRPath may make slow."""

    def __init__(self, reader: Reader, budget: Budget, base: str, *, threaded: bool) -> None:
        self.reader = reader
        self.budget = budget
        self.base = base
        self.threaded = threaded
        self.chooser = Chooser(budget)
        self.holes: list[Hole] = []

    async def gathered(self, root: Obj, fields: list[Field]) -> Obj:
        """Return `root` with all its branches.

        Errors: FhirError with the place of the field that failed
        """
        await self._run(self._expand, root, fields)
        while self.holes:
            holes, self.holes = self.holes, []
            await self._references([one for one in holes if one[0].field.kind == "resource"])
            await self._reads([one for one in holes if one[0].field.kind == "read"])
            await self._together([one for one in holes if one[0].field.search is not None])
        return root

    async def _run(self, work: Any, *args: Any) -> None:
        if self.threaded:
            await asyncio.to_thread(work, *args)
        else:
            work(*args)

    def _expand(self, obj: Obj, fields: list[Field]) -> None:
        """Add the branches of `obj`; what has to be read first is left as a hole."""
        self.budget.spend("values", len(fields) or 1)
        for field in fields:
            branch = Branch(field)
            obj.branches.append(branch)
            if field.kind == "typename":
                branch.values = [shown_name(obj.type)]
            elif field.kind in ("resource", "read", "list", "connection"):
                self.holes.append((branch, obj))
            else:
                self._from_data(branch, obj)

    def _from_data(self, branch: Branch, obj: Obj) -> None:
        field = branch.field
        found = obj.json.get(field.name)
        if found is None:
            branch.kept = field.kind == "member" and field.many
            return
        values = list(found) if isinstance(found, list) else [found]
        if field.selection is None:
            self._set(branch, values, obj)
            return
        objects: list[Any] = self.chooser.chosen(field, values, obj.home.resource)
        branch.labels = self.chooser.labels(field, objects, obj.home.resource)
        branch.values = [None if one is None else self._child(field, one, obj) for one in objects]

    def _set(self, branch: Branch, values: list[Any], obj: Obj) -> None:
        """Set scalars: null stands where a primitive in a list has extensions only."""
        self.budget.spend("values", len(values))
        branch.values = values[:1] if branch.field.first else values
        branch.labels = self.chooser.labels(branch.field, branch.values, obj.home.resource)

    def _child(self, field: Field, value: Json, obj: Obj) -> Obj:
        """Return an element inside of `obj`; a resource inside of another has no identity on this server."""
        own = None
        home, type_name = obj.home, field.type
        if type_name == "Resource":
            type_name = value["resourceType"]
            if field.name != "contained":
                home = Home(value, None, str(obj.json.get("fullUrl", "")))
                home.around = obj.home
        elif field.kind == "member" and definitions().is_resource(type_name):
            own = (type_name, value["id"])
            home = Home(value, own)
        child = Obj(type_name, value, home, own)
        assert field.selection is not None
        self._expand(child, field.selection(type_name))
        return child

    def _whole(self, branch: Branch, resources: Sequence[Json]) -> None:
        """Set resources of this server as the values of `branch`."""
        field = branch.field
        chosen = list(resources[:1] if field.first else resources)
        if field.slice is not None:
            branch.labels = [self.chooser.label(field, one, place, one) for place, one in enumerate(chosen)]
        for one in chosen:
            own = (one["resourceType"], one["id"])
            self._resource(branch, one, Home(one, own), own)

    def _resource(self, branch: Branch, resource: Json, home: Home, own: Key | None) -> None:
        obj = Obj(resource["resourceType"], resource, home, own)
        assert branch.field.selection is not None
        self._expand(obj, branch.field.selection(obj.type))
        branch.values.append(obj)

    async def _reads(self, holes: list[Hole]) -> None:
        """Read what `Type(id:)` asks for."""
        if not holes:
            return
        found = await self.reader.several((branch.field.type, branch.field.id) for branch, _ in holes)
        for branch, _ in holes:
            field = branch.field
            resource = found[field.type, field.id]
            if resource is None:
                raise refused(field.node, f"{field.type}/{field.id} is not known here", "not-found", 404)
            await self._run(self._whole, branch, [resource])

    async def _references(self, holes: list[Hole]) -> None:
        """Resolve the references of one level: those into this server by one statement."""
        local: list[tuple[Hole, Key]] = []
        for branch, obj in holes:
            key = await self._resolve(branch, obj)
            if key is not None:
                local.append(((branch, obj), key))
        found = await self.reader.several(key for _, key in local) if local else {}
        for (branch, obj), key in local:
            resource = found[key]
            if resource is None:
                self._unresolved(branch.field, obj)
            else:
                await self._run(self._whole, branch, [resource])

    async def _resolve(self, branch: Branch, obj: Obj) -> Key | None:
        """Resolve what lies in the same resource or is a version; return what is to be read together with others."""
        field, text = branch.field, obj.json.get("reference")
        if not isinstance(text, str):
            self._unresolved(field, obj)
            return None
        inside = _inside(obj.home, text)
        if inside is not None:
            resource, home = inside
            if not field.types or resource["resourceType"] in field.types:
                await self._run(
                    self._resource,
                    branch,
                    resource,
                    home,
                    home.identity if resource is home.resource else None,
                )
            return None
        reference = _placed(parse_reference(text, self.base), obj.home, self.base)
        if not reference.local or reference.fragment is not None:
            self._unresolved(field, obj)
            return None
        assert reference.type is not None
        assert reference.id is not None
        if field.types and reference.type not in field.types:
            return None
        if reference.version is None:
            return reference.type, reference.id
        version = await self.reader.version(reference.type, reference.id, reference.version)
        if version is None:
            self._unresolved(field, obj)
        else:
            await self._run(self._whole, branch, [version])
        return None

    @staticmethod
    def _unresolved(field: Field, obj: Obj) -> None:
        if not field.optional:
            shown = str(obj.json.get("reference") or "without address")[:200]
            text = f"GraphQL: the reference '{shown}' cannot be resolved (`optional: true` lets it pass)"
            raise refused(field.node, text, "not-found", 404)

    async def _together(self, holes: list[Hole]) -> None:
        """Search: what one field asks for around several resources by one search, all else on its own."""
        groups: dict[int, list[Hole]] = {}
        for branch, obj in holes:
            groups.setdefault(id(branch.field), []).append((branch, obj))
        for group in groups.values():
            field = group[0][0].field
            owners = [obj.own for _, obj in group if obj.own is not None]
            shared: dict[Key, list[Json]] = {}
            if field.kind == "list" and field.search is not None and len(owners) > 1:
                try:
                    shared = await self.reader.around(field.search, list(dict.fromkeys(owners)))
                except FhirError as error:
                    raise at(field.node, error) from None
            for branch, obj in group:
                if obj.own is not None and obj.own in shared:
                    await self._run(self._listed, branch, shared[obj.own])
                else:
                    await self._search(branch, obj)

    async def _search(self, branch: Branch, obj: Obj) -> None:
        field = branch.field
        search = field.search
        assert search is not None
        pairs = search.pairs
        if search.reference:
            if obj.own is None:
                text = "GraphQL: a resource inside of another has no address that others could refer to"
                raise refused(field.node, text, "not-supported")
            pairs = ((search.reference, "/".join(obj.own)), *pairs)
        try:
            if field.kind == "list":
                await self._run(self._listed, branch, await self.reader.matches(search, pairs))
            else:
                found = await self.reader.connection(search, pairs, field.members)
                await self._run(self._paged, branch, found)
        except FhirError as error:
            raise at(field.node, error) from None

    def _listed(self, branch: Branch, resources: list[Json]) -> None:
        search = branch.field.search
        assert search is not None
        if search.path is not None:
            resources = self._true(branch, resources)
        end = None if search.count is None else search.offset + search.count
        branch.kept = True
        self._whole(branch, resources[search.offset : end])

    def _true(self, branch: Branch, resources: list[Json]) -> list[Json]:
        search = branch.field.search
        assert search is not None
        assert search.path is not None
        return [
            one
            for index, one in enumerate(resources)
            if self.chooser.holds(search.path, branch.field, one, index, one)
        ]

    def _paged(self, branch: Branch, found: Found) -> None:
        """Set a connection: its members, and an edge for each match."""
        field, search = branch.field, branch.field.search
        assert search is not None
        kept = found.resources if search.path is None else self._true(branch, found.resources)
        chosen = set(map(id, kept))
        edges = [
            {"mode": "match", "resource": one, **({} if score is None else {"score": score})}
            for one, score in zip(found.resources, found.scores, strict=True)
            if id(one) in chosen
        ]
        obj = Obj(field.type, {**found.members, "edges": edges}, Home({}, None))
        assert field.selection is not None
        self._expand(obj, field.selection(field.type))
        branch.values = [obj]


def _inside(home: Home, text: str) -> tuple[Json, Home] | None:
    """Return what `#id` or an address of the same Bundle points to, with the home of its own references."""
    if text.startswith("#"):
        if text == "#":
            return home.resource, home
        held = home.resource.get("contained") or ()
        return next(((one, home) for one in held if one.get("id") == text[1:]), None)
    if home.around is None or home.around.resource.get("resourceType") != "Bundle":
        return None
    root = root_of(home.full_url)
    wanted = {text, root + text} if root else {text}
    for entry in home.around.resource.get("entry") or ():
        if entry.get("fullUrl") in wanted and "resource" in entry:
            found = Home(entry["resource"], None, entry["fullUrl"])
            found.around = home.around
            return entry["resource"], found
    return None


def _placed(reference: Reference, home: Home, base: str) -> Reference:
    """Return what `reference` means where it stands: in an entry of a Bundle, relative to the base of its fullUrl."""
    if not home.full_url or reference.absolute:
        return reference
    root = root_of(home.full_url)
    if root is None:
        return Reference(reference.url)
    return parse_reference(root + reference.url, base)
