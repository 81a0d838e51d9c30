"""The text of a Reference: taken apart, and made relative where it points into our own server."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from resources.definitions import definitions

_RESTFUL = re.compile(
    r"(?P<root>.*/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_CONDITIONAL = re.compile(r"[A-Z][A-Za-z]*\?.")


class Reference(msgspec.Struct, frozen=True, gc=False):
    """What a reference text says.

    Shape:  `type` and `id` only where the text has the RESTful form `[root/]Type/id[/_history/version]`;
            `url` is the text without its fragment, relative to the own base where it lies there, '' for `#contained`;
            `absolute` means that it points outside of the own base (urn: and other servers);
            `fragment` has no '#'
    Source: http://hl7.org/fhir/R4/references.html#literal
    """

    url: str
    type: str | None = None
    id: str | None = None
    version: str | None = None
    absolute: bool = False
    fragment: str | None = None

    @property
    def local(self) -> bool:
        """Whether the reference names a resource of this server by type and id."""
        return self.type is not None and not self.absolute

    @property
    def contained(self) -> bool:
        """Whether the reference points into the resource that holds it."""
        return not self.url and self.fragment is not None


@lru_cache(maxsize=65536)
def parse_reference(text: str, base: str | None = None) -> Reference:
    """Return what `text` points to, seen from a server whose base is `base`.

    Errors: none; a text without RESTful form has no type and no id
    """
    url, has_fragment, fragment = normalize_reference(text, base).partition("#")
    absolute = _SCHEME.match(url) is not None
    found = _RESTFUL.fullmatch(url)
    tail = fragment if has_fragment else None
    if found is None or (found["root"] and not absolute) or not definitions().is_resource(found["type"]):
        return Reference(url, absolute=absolute, fragment=tail)
    return Reference(url, found["type"], found["id"], found["version"], absolute, tail)


def normalize_reference(text: str, base: str | None) -> str:
    """Return `text` relative to `base` where it lies below it, unchanged otherwise.

    Shape:  the scheme's and host's case and a trailing slash of `base` make no difference
    """
    if base is None:
        return text
    root = base.rstrip("/") + "/"
    if text.startswith(root):
        return text[len(root) :]
    host_end = root.find("/", root.find("://") + 3)
    if text[:host_end].lower() == root[:host_end].lower() and text.startswith(root[host_end:], host_end):
        return text[len(root) :]
    return text


def root_of(full_url: str) -> str | None:
    """Return the `[root]/` of a RESTful fullUrl (with its slash), None for any other.

    Source: http://hl7.org/fhir/R4/bundle.html#references
    """
    found = _RESTFUL.fullmatch(full_url)
    if found is None or not found["root"] or _SCHEME.match(full_url) is None:
        return None
    return found["root"]


def is_conditional(text: str) -> bool:
    """Whether `text` is a conditional reference, `Type?query`.

    Source: http://hl7.org/fhir/R4/http.html#trules
    """
    return _CONDITIONAL.match(text) is not None
