"""Answers to validation's questions from package files alone: no server, no database, no network.

Packages are read once, member by member, and kept compressed; what is asked for is unpacked then, and the last of it
kept. R4's own definitions are always there, after those of the packages.

Source: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification (all content in `package/`)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from ig.packages.archive import members
from resources.definitions.structures import published_structure
from resources.definitions.vocabulary import published
from resources.profiles.build import compiled
from resources.profiles.nodes import Structure
from resources.references import parse_reference
from resources.validate.asks import Coded, Target, Verdict
from terminology.codesystems import CodeSystem
from terminology.grammars import GRAMMARS, Grammar
from terminology.known import known
from terminology.verdicts import verdict

Json = dict[str, Any]
KINDS = frozenset({"StructureDefinition", "ValueSet", "CodeSystem", "Questionnaire"})
"""What validation asks for by its canonical."""

_KEPT_STRUCTURES, _KEPT_SYSTEMS, _KEPT_VALUESETS, _KEPT_VERDICTS = 256, 64, 256, 20_000


class _Head(msgspec.Struct, rename={"type": "resourceType"}):
    type: str = ""
    url: str = ""
    version: str = ""
    content: str = ""


_head = msgspec.json.Decoder(_Head).decode


class Offline:
    """The asks of a validation, answered at once.

    Shape:  `packages` are `.tgz` files, the first that has a canonical wins; `resources` are further conformance
            resources, before all packages; `targets` are what references point at, by 'Type/id' or full url
    Errors: FhirError 400 for a package that cannot be read or is beyond the limits
    """

    def __init__(
        self,
        packages: Iterable[Path] = (),
        resources: Iterable[Json] = (),
        targets: Mapping[str, Json] | None = None,
    ) -> None:
        self._packed: dict[tuple[str, str], dict[str, bytes]] = {}
        self._targets = targets
        for resource in resources:
            self._keep(msgspec.json.encode(resource))
        for package in packages:
            for _, data in members(package):
                self._keep(data)
        self._structure = lru_cache(_KEPT_STRUCTURES)(self._compiled)
        self._system = lru_cache(_KEPT_SYSTEMS)(self._read_system)
        self.valueset = lru_cache(_KEPT_VALUESETS)(self._read_valueset)
        self._verdict = lru_cache(_KEPT_VERDICTS)(self._judged)

    # ------------------------------------------------------------------------------------------ what is asked

    def structure(self, canonical: str, /) -> Structure | None:
        """Return the compiled StructureDefinition of a canonical, None where it is unknown."""
        return self._structure(canonical)

    def coded(self, question: Coded, /) -> Verdict:
        """Return what is known of a code."""
        return self._verdict(question)

    def target(self, reference: str, /) -> Target | None:
        """Return what a reference points at: one of `targets`, or the Questionnaire of a canonical.

        Shape:  None for a reference that is not ours to know: all of them without `targets`, and other servers'
        """
        url, _, version = reference.partition("|")
        questionnaire = self.find("Questionnaire", url, version)
        if questionnaire is not None:
            return Target("Questionnaire", questionnaire)
        if self._targets is None:
            return None
        found = self._targets.get(reference)
        if found is not None:
            return Target(found.get("resourceType", ""), found)
        parsed = parse_reference(reference)
        return Target(parsed.type or "", None) if parsed.local else None

    # ------------------------------------------------------------------------------------------- what is there

    def find(self, kind: str, url: str, version: str = "") -> Json | None:
        """Return a conformance resource of the packages or of R4 by its url and version, None where there is none."""
        versions = self._packed.get((kind, url), {})
        data = versions.get(version) if version else next(iter(versions.values()), None)
        if data is not None:
            resource: Json = msgspec.json.decode(zlib.decompress(data))
            return resource
        if kind == "StructureDefinition":
            return published_structure(f"{url}|{version}" if version else url)
        if kind == "CodeSystem":
            return published(kind, url, version) or known(url, version)
        return published(kind, url, version) if kind == "ValueSet" else None

    def codesystem(self, url: str, version: str, /) -> CodeSystem | None:
        """Return a code system of the packages or of R4."""
        return self._system(url, version)

    def grammar(self, url: str, /) -> Grammar | None:
        """Return the rules of a code system that is made by rules."""
        return GRAMMARS.get(url)

    # -------------------------------------------------------------------------------------------------- inside

    def _keep(self, data: bytes) -> None:
        try:
            head = _head(data)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return
        if head.type in KINDS and head.url and head.content != "supplement":
            versions = self._packed.setdefault((head.type, head.url), {})
            versions.setdefault(head.version, zlib.compress(data))

    def _source(self, canonical: str) -> Json | None:
        url, _, version = canonical.partition("|")
        return self.find("StructureDefinition", url, version)

    def _compiled(self, canonical: str) -> Structure | None:
        source = self._source(canonical)
        if source is None:
            return None
        return compiled(source, self._source)

    def _read_valueset(self, canonical: str) -> Json | None:
        url, _, version = canonical.partition("|")
        return self.find("ValueSet", url, version)

    def _read_system(self, url: str, version: str) -> CodeSystem | None:
        source = self.find("CodeSystem", url, version)
        if source is not None and source.get("content") == "not-present":
            source = known(url, version) or source
        return None if source is None else CodeSystem(source)

    def _judged(self, question: Coded) -> Verdict:
        return verdict(question, self)
