"""String functions.

Source: http://hl7.org/fhirpath/N1/#string-manipulation (and #additional-string-functions of the later edition)
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable
from typing import Any

import regex

from resources.fhirpath.environment import Environment, single
from resources.fhirpath.errors import evaluation_error, too_costly
from resources.fhirpath.functions.registry import function
from resources.fhirpath.values import Items, system, type_of

_MATCH_SECONDS = 0.5


def _text(items: Items, name: str) -> str | None:
    """Return the one string, None of none; FhirError where it is no string."""
    value = single(items, name)
    if value is not None and not isinstance(value, str):
        raise evaluation_error(f"{name} takes a string, not {type_of(value)}")
    return value


def _integer(items: Items, name: str) -> int | None:
    value = single(items, name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise evaluation_error(f"{name} takes an integer, not {type_of(value)}")
    return value


def _of_text(name: str, compute: Callable[..., Any], arguments: int = 0) -> None:
    """Register a function of one string and `arguments` strings; empty where any of them is empty."""

    @function(name, arguments)
    def _function(env: Environment, items: Items, *rest: Items) -> Items:
        texts = [_text(each, f"{name}()") for each in (items, *rest)]
        if any(text is None for text in texts):
            return []
        found = compute(*texts)
        if isinstance(found, str):
            found = env.text(found)
        return [] if found is None else [found]


_of_text("indexOf", str.find, 1)
_of_text("lastIndexOf", str.rfind, 1)
_of_text("startsWith", str.startswith, 1)
_of_text("endsWith", str.endswith, 1)
_of_text("contains", str.__contains__, 1)
_of_text("upper", str.upper)
_of_text("lower", str.lower)
_of_text("length", len)
_of_text("trim", str.strip)


@function("substring", 1, 2)
def _substring(env: Environment, items: Items, start: Items, *length: Items) -> Items:
    text, at = _text(items, "substring()"), _integer(start, "substring()")
    if text is None or at is None or not 0 <= at < len(text):
        return []
    count = _integer(length[0], "substring()") if length else None
    return [text[at:] if count is None else text[at : at + max(count, 0)]]


@function("replace", 2)
def _replace(env: Environment, items: Items, pattern: Items, substitution: Items) -> Items:
    text, old, new = (_text(each, "replace()") for each in (items, pattern, substitution))
    if text is None or old is None or new is None:
        return []
    count = text.count(old)
    if len(text) + count * (len(new) - len(old)) > env.limits.text:
        raise too_costly(f"a string of more than {env.limits.text} characters")
    return [text.replace(old, new)]


@function("toChars")
def _to_chars(env: Environment, items: Items) -> Items:
    text = _text(items, "toChars()")
    env.spend(len(text or ""))
    return list(text or "")


def _pattern(text: str) -> regex.Pattern[str]:
    try:
        return regex.compile(text, regex.DOTALL)
    except (regex.error, RecursionError, OverflowError) as problem:
        raise evaluation_error(f"{text!r} is no regular expression: {problem}") from None


def _seconds(env: Environment) -> float:
    return min(_MATCH_SECONDS, env.seconds_left())


def _matching(name: str, run: Callable[[regex.Pattern[str], str, float], Any]) -> None:
    @function(name, 1)
    def _function(env: Environment, items: Items, pattern: Items) -> Items:
        text, wanted = _text(items, f"{name}()"), _text(pattern, f"{name}()")
        if text is None or wanted is None:
            return []
        try:
            return [run(_pattern(wanted), text, _seconds(env)) is not None]
        except TimeoutError:
            raise too_costly(f"the regular expression {wanted!r} took too long") from None


_matching("matches", lambda pattern, text, seconds: pattern.search(text, timeout=seconds))
_matching("matchesFull", lambda pattern, text, seconds: pattern.fullmatch(text, timeout=seconds))


@function("replaceMatches", 2)
def _replace_matches(env: Environment, items: Items, pattern: Items, substitution: Items) -> Items:
    text, wanted, new = (_text(each, "replaceMatches()") for each in (items, pattern, substitution))
    if text is None or wanted is None or new is None:
        return []
    if not wanted:
        return [text]
    template = regex.sub(r"\$(?:(\d+)|\{(\w+)\})", r"\\g<\1\2>", new.replace("\\", "\\\\"))
    try:
        return [env.text(_pattern(wanted).sub(template, text, timeout=_seconds(env)))]
    except TimeoutError:
        raise too_costly(f"the regular expression {wanted!r} took too long") from None
    except (regex.error, IndexError):
        raise evaluation_error(f"{new!r} refers to a group that is not there") from None


@function("split", 1)
def _split(env: Environment, items: Items, separator: Items) -> Items:
    text, by = _text(items, "split()"), _text(separator, "split()")
    if text is None or by is None:
        return []
    found: Items = list(text.split(by) if by else text)
    env.spend(len(found))
    return found


@function("join", 0, 1)
def _join(env: Environment, items: Items, *separator: Items) -> Items:
    by = _text(separator[0], "join()") if separator else ""
    texts = [system(item) for item in items]
    if any(not isinstance(text, str) for text in texts if text is not None):
        raise evaluation_error("join() takes strings")
    return [env.text((by or "").join(text for text in texts if text is not None))] if texts else []


def _from_base64(text: str, alternative: bytes | None = None) -> str:
    return base64.b64decode(text, altchars=alternative, validate=True).decode()


_CODERS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "hex": (lambda text: text.encode().hex(), lambda text: bytes.fromhex(text).decode()),
    "base64": (lambda text: base64.b64encode(text.encode()).decode(), _from_base64),
    "urlbase64": (
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: _from_base64(text, b"-_"),
    ),
}
_JSON_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)


def _from_json(text: str) -> str:
    return _JSON_ESCAPE.sub(lambda match: str(json.loads(f'"{match.group()}"')), text)


_ESCAPERS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "html": (html.escape, html.unescape),
    "json": (lambda text: json.dumps(text, ensure_ascii=False)[1:-1], _from_json),
}


def _coder(name: str, table: dict[str, tuple[Callable[[str], str], Callable[[str], str]]], way: int) -> None:
    @function(name, 1)
    def _function(env: Environment, items: Items, format_: Items) -> Items:
        text, wanted = _text(items, f"{name}()"), _text(format_, f"{name}()")
        if text is None or wanted not in table:
            return []
        try:
            return [env.text(table[wanted][way](text))]
        except (ValueError, binascii.Error):
            return []


_coder("encode", _CODERS, 0)
_coder("decode", _CODERS, 1)
_coder("escape", _ESCAPERS, 0)
_coder("unescape", _ESCAPERS, 1)
