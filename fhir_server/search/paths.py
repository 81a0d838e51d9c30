"""The static reading of a search parameter's expression: which JSON keys it walks, and what it finds there.

Search parameters use a small part of FHIRPath. Reading it against the definitions once, at start, gives what the
index needs to know before any resource is seen: the FHIR types at the end, whether there can be more than one
value, and whether two parameters read the same element.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from typing import Literal as Kind

from resources.definitions import Element, definitions
from resources.fhirpath.parser import parse
from resources.fhirpath.syntax import Binary, Call, Expr, Index, Literal, Member, TypeTest, Union


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path.

    Shape:  `get`: `keys` are (JSON key, type); `where`: child `name` equals `value`; `resolves`: the reference names
            a resource of type `value`; `extension`: of url `value`; `at`: the item at index `value`
    """

    kind: Kind["get", "where", "resolves", "extension", "at"]
    keys: tuple[tuple[str, str], ...] = ()
    many: bool = False
    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """One alternative of an expression: the steps from the resource, and the element they end at."""

    steps: tuple[Step, ...]
    element: Element | None
    text: str

    @property
    def types(self) -> tuple[str, ...]:
        """The FHIR types of the values found."""
        for step in reversed(self.steps):
            if step.kind == "get":
                return tuple(dict.fromkeys(name for _, name in step.keys))
            if step.kind == "extension":
                return ("Extension",)
        return ()

    @property
    def single(self) -> bool:
        """Whether there can be no more than one value."""
        return not any(step.many or step.kind == "extension" for step in self.steps)

    @property
    def resolves(self) -> str:
        """The type that the reference must name, empty where any will do."""
        return next((step.value for step in self.steps if step.kind == "resolves"), "")

    @property
    def unfiltered(self) -> str:
        """The text of the path without its `where(resolve() is …)`."""
        return "".join(_text(step) for step in self.steps if step.kind != "resolves")


class UnreadableError(Exception):
    """The expression is more than a path: the FHIRPath engine evaluates it."""


class _SeveralError(UnreadableError):
    """A step means something else in each of the types before it: each has to be walked for itself."""

    def __init__(self, owners: Iterable[str]) -> None:
        self.owners = tuple(owners)
        super().__init__()


def paths(type_name: str, expression: str) -> tuple[Path, ...]:
    """Return the alternatives of `expression` that start at `type_name`; raises UnreadableError."""
    tree = parse(expression)
    parts = tree.parts if isinstance(tree, Union) else (tree,)
    return _merged([path for part in parts for path in _path(type_name, part)])


def places(type_name: str, expression: str) -> tuple[Path | None, ...]:
    """Return the alternatives as `paths` does, None being the resource itself; raises UnreadableError."""
    tree = parse(expression)
    parts = tree.parts if isinstance(tree, Union) else (tree,)
    own = {Member(None, name) for name in (type_name, "Resource", "DomainResource")}
    return tuple(path for part in parts for path in ((None,) if part in own else _path(type_name, part)))


FILTERS = frozenset({"where", "first", "last", "tail", "skip", "take", "distinct"})
"""Functions that leave some items out and change none."""


def filtered_type(type_name: str, expression: str) -> str:
    """Return the type of what a path with filters finds, empty where it is no such path or has several types."""
    tree = parse(expression)
    while isinstance(tree, Call) and tree.base is not None and tree.name in FILTERS:
        tree = tree.base
    try:
        types = _walk(type_name, tree).types
    except UnreadableError:
        return ""
    return types[0] if len(types) == 1 else ""


def _merged(found: list[Path]) -> tuple[Path, ...]:
    """Return `found` with the alternatives of one choice element (`onset as dateTime | onset as Period`) as one."""
    merged: list[Path] = []
    for path in found:
        for place, other in enumerate(merged):
            if _same_choice(path, other):
                keys = tuple(dict.fromkeys(other.steps[-1].keys + path.steps[-1].keys))
                steps = (*other.steps[:-1], replace(other.steps[-1], keys=keys))
                merged[place] = Path(steps, path.element, "".join(map(_text, steps)))
                break
        else:
            merged.append(path)
    return tuple(merged)


def _same_choice(one: Path, other: Path) -> bool:
    kinds = (one.steps[-1].kind, other.steps[-1].kind)
    return one.steps[:-1] == other.steps[:-1] and kinds == ("get", "get") and one.element is other.element


def _path(type_name: str, tree: Expr) -> Iterable[Path]:
    start = _start(tree)
    if definitions().is_resource(start) and start != type_name:
        return ()
    return [
        replace(path, text="".join(map(_text, path.steps))) for path in _each(type_name, tree) if path.steps
    ]


def _each(type_name: str, tree: Expr) -> list[Path]:
    """Return the path of `tree`, or those of the types that a step of it has to be told apart by."""
    try:
        return [_walk(type_name, tree)]
    except _SeveralError as several:
        return [
            path
            for owner in several.owners
            if (apart := _apart(type_name, tree, owner)) is not None
            for path in _each(type_name, apart)
        ]


def _apart(type_name: str, tree: Expr, owner: str) -> Expr | None:
    """Return `tree` with the first step that several types understand differently held to one of them."""
    match tree:
        case Member(base=base) | Call(base=base) if base is not None:
            try:
                _walk(type_name, base)
            except _SeveralError:
                below = _apart(type_name, base, owner)
                return replace(tree, base=below) if below is not None else None
            return replace(tree, base=TypeTest("ofType", base, "", owner))
    return None


def unknown_step(type_name: str, tree: Expr) -> str:
    """Return the first element in an expression that the types before it do not have, empty where none is seen.

    Shape:  what follows a function that is no path is not looked at
    """
    for node in _members(tree):
        try:
            owners = _walk(type_name, node.base).types if node.base is not None else ()
            _walk(type_name, node)
        except _SeveralError:
            continue
        except UnreadableError:
            try:
                if node.base is not None:
                    _walk(type_name, node.base)
                    return node.name
            except UnreadableError:
                continue
        else:
            if owners and not any(node.name in definitions().type(each).elements for each in owners):
                return node.name
    return ""


def _members(tree: Any) -> Iterator[Member]:
    """Yield the steps of the paths in `tree` that start at the resource: not those within a function's arguments."""
    if isinstance(tree, Member):
        yield tree
    for side in ("base", "left", "right", "operand", "parts"):
        below = getattr(tree, side, None)
        for each in below if isinstance(below, tuple) else (below,):
            if each is not None:
                yield from _members(each)


def _start(tree: Expr) -> str:
    while True:
        match tree:
            case Member(base=None, name=name):
                return name
            case Member(base=base) | Call(base=base) | Index(base=base) if base is not None:
                tree = base
            case TypeTest(operand=operand) if operand is not None:
                tree = operand
            case _:
                raise UnreadableError


def _walk(type_name: str, tree: Expr) -> Path:
    match tree:
        case Member(base=None, name=name):
            here = Path((), None, type_name)
            return here if name in (type_name, "Resource", "DomainResource") else _get(here, type_name, name)
        case Member(base=base, name=name) if base is not None:
            return _get(_walk(type_name, base), type_name, name)
        case TypeTest(operator="as" | "ofType", operand=operand, name=name) if operand is not None:
            return _as(_walk(type_name, operand), name)
        case Call(base=base, name="where", arguments=(condition,)) if base is not None:
            return _add(_walk(type_name, base), _condition(condition))
        case Call(base=base, name="extension", arguments=(Literal(value=str(url)),)) if base is not None:
            return _add(_walk(type_name, base), Step("extension", value=url))
        case Index(base=base, index=Literal(value=int(position))):
            return _at(_walk(type_name, base), position)
    raise UnreadableError


def _get(path: Path, type_name: str, name: str) -> Path:
    """Return `path` with one step more, from those of its types that have the element (`value.code`: codings alone).

    A choice may also be named as JSON does (`valueDateTime`), which published parameters do.
    """
    owners = path.types or (type_name,)
    known = {owner: definitions().type(owner) for owner in owners}
    found = {owner: each.elements[name] for owner, each in known.items() if name in each.elements}
    keys = [key for element in found.values() for key in element.json_keys()]
    if not found:
        written = {owner: each.by_json[name] for owner, each in known.items() if name in each.by_json}
        found = {owner: element for owner, (element, _) in written.items()}
        keys = [(name, code) for _, code in written.values()]
    if not found:
        raise UnreadableError
    if len({key for key, _ in keys}) < len(set(keys)):
        raise _SeveralError(found)
    element = next(iter(found.values()))
    step = Step("get", tuple(dict.fromkeys(keys)), element.many)
    return Path((*_narrowed(path.steps, found), step), element, path.text)


def _narrowed(steps: tuple[Step, ...], owners: Container[str]) -> tuple[Step, ...]:
    """Return `steps` with the last element that was stepped to held to the types `owners`."""
    for place in range(len(steps) - 1, -1, -1):
        if steps[place].kind == "get":
            keys = tuple((key, name) for key, name in steps[place].keys if name in owners)
            return (*steps[:place], replace(steps[place], keys=keys), *steps[place + 1 :])
        if steps[place].kind == "extension":
            break
    return steps


def _as(path: Path, name: str) -> Path:
    last = path.steps[-1]
    keys = tuple((key, found) for key, found in last.keys if found.lower() == name.lower())  # `as(DateTime)`
    if last.kind != "get" or not keys:
        raise UnreadableError
    return Path((*path.steps[:-1], replace(last, keys=keys)), path.element, path.text)


def _at(path: Path, position: int) -> Path:
    last = path.steps[-1]
    if last.kind != "get" or not last.many:
        raise UnreadableError
    return _add(
        Path((*path.steps[:-1], replace(last, many=False)), path.element, path.text),
        Step("at", value=str(position)),
    )


def _condition(tree: Expr) -> Step:
    match tree:
        case Binary("=", Member(None, name), Literal(str(value))):
            return Step("where", name=name, value=value)
        case TypeTest("is", Call(None, "resolve", ()), _, name):
            return Step("resolves", value=name)
    raise UnreadableError


def _add(path: Path, step: Step) -> Path:
    return Path((*path.steps, step), path.element, path.text)


def _text(step: Step) -> str:
    if step.kind == "get":
        return "." + "|".join(key for key, _ in step.keys)
    return f".{step.kind}({step.name}{step.value})"
